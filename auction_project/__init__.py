"""Composition root and shared kernel of Gavel: no business rule lives here."""
