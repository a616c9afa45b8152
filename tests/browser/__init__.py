"""The pages in a real browser, on the running stack. The tests need a Chromium: GAVEL_CHROMIUM, or one on the PATH."""
