"""What crosses apps: end-to-end, faults, browser."""
