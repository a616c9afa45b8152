"""The auctions whose log or document cannot be read: they are set aside for a while, so that they hold up no other."""

from auction_project.kernel import logs
from auction_project.kernel.messaging import failure
from bidding.publishing.pace import Pace
from bidding.writer.clocks import Clocks

logger = logs.get(__name__)


class Unreadable:
    """By auction id."""

    def __init__(self, *, clocks: Clocks, pace: Pace) -> None:
        self._clocks = clocks
        self._pace = pace
        self._until: dict[str, float] = {}

    def __contains__(self, auction_id: str) -> bool:
        return self._until.get(auction_id, 0.0) > self._clocks.monotonic()

    def set_aside(self, auction_id: str, error: BaseException) -> None:
        """For `set_aside_seconds`. Raises `error` if it is an outage, because then the auction is not at fault."""
        if failure.classify(error) is failure.Fate.OUTAGE or not isinstance(error, Exception):
            raise error
        logger.error("log_is_unreadable", auction_id=auction_id, exc_info=error)
        self._until[auction_id] = self._clocks.monotonic() + self._pace.set_aside_seconds
