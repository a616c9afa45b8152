"""How a command or a look can fail."""

from auction_project.kernel import errors


class StoreUnavailable(errors.Unavailable):
    """The bid log cannot be written at the moment. Your bid may or may not be stored: look it up by its key, or send it again."""
