"""How many streams there may be: in all, from one address, and of one user. No I/O."""

from collections import Counter

from auction_project.kernel import errors

MAX_STREAMS = 10_000  # of this process
MAX_STREAMS_PER_USER = 50


class TooManyStreams(errors.Unavailable):
    """This server has as many streams as it can serve. Try again shortly."""

    retry_after_seconds = 5


class TooManyStreamsHere(errors.TooOften):
    """There are too many streams from your address or of your account. Close some first."""


class Admission:
    """Counts the streams of one process."""

    def __init__(self, *, per_address: int) -> None:
        self._per_address = per_address
        self._all = 0
        self._addresses: Counter[str] = Counter()
        self._users: Counter[str] = Counter()

    def enter(self, address: str) -> None:
        """Count one more stream from `address`. Raises TooManyStreams, TooManyStreamsHere."""
        if self._all >= MAX_STREAMS:
            raise TooManyStreams
        if self._addresses[address] >= self._per_address:
            raise TooManyStreamsHere(limit=self._per_address, retry_after_seconds=5)
        self._all += 1
        self._addresses[address] += 1

    def leave(self, address: str) -> None:
        self._all -= 1
        _decrease(self._addresses, address)

    def enter_user(self, user_id: str) -> None:
        """Count one more stream of the user. Raises TooManyStreamsHere."""
        if self._users[user_id] >= MAX_STREAMS_PER_USER:
            raise TooManyStreamsHere(limit=MAX_STREAMS_PER_USER, retry_after_seconds=5)
        self._users[user_id] += 1

    def leave_user(self, user_id: str) -> None:
        _decrease(self._users, user_id)


def _decrease(counts: Counter[str], key: str) -> None:
    counts[key] -= 1
    if counts[key] <= 0:
        del counts[key]
