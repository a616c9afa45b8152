"""Composition root and shared kernel of Gavel: no business rule lives here."""

VERSION = "0.1.0"

# Between two collections of garbage, in every process. By default 700, which are only some 30 bids, and a tenth of a start's time.
NEW_OBJECTS = 10_000
