"""Composition root and shared kernel of Gavel: no business rule lives here."""

VERSION = "0.1.0"
