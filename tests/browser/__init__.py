"""The pages in a real browser, on the running stack. They need a Chromium: GAVEL_CHROMIUM, or one on the PATH."""
