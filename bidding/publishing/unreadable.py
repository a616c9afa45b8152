"""The auctions whose log or document cannot be read: they are set aside for a while, so that they hold up no other."""

import time

from auction_project.kernel import logs
from auction_project.kernel.messaging import failure

SET_ASIDE_SECONDS = 60.0

logger = logs.get(__name__)


class Unreadable:
    """By auction id."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def __contains__(self, auction_id: str) -> bool:
        return self._until.get(auction_id, 0.0) > time.monotonic()

    def set_aside(self, auction_id: str, error: BaseException) -> None:
        """For SET_ASIDE_SECONDS. Raises `error` if it is an outage, because then the auction is not at fault."""
        if failure.classify(error) is failure.Fate.OUTAGE or not isinstance(error, Exception):
            raise error
        logger.error("log_is_unreadable", auction_id=auction_id, exc_info=error)
        self._until[auction_id] = time.monotonic() + SET_ASIDE_SECONDS
