"""Settings: `base` reads the environment once; `production` and `test` only override."""
