"""How many streams there may be (in all, from one address, and of one user) and how fast they may be opened. No I/O."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator

from auction_project.kernel import errors

MAX_STREAMS = 10_000  # of this process
MAX_STREAMS_PER_USER = 50
MAX_HANDSHAKES = 200  # at work at once in this process


class TooManyStreams(errors.Unavailable):
    """This server has as many streams as it can serve. Try again shortly."""

    retry_after_seconds = 5


class TooManyStreamsHere(errors.TooOften):
    """There are too many streams from your address or of your account. Close some first."""


class TooManyHandshakes(errors.Unavailable):
    """This server opens as many streams as it can at once. Try again shortly."""


class Admission:
    """Counts the streams of one process, and the handshakes at work."""

    def __init__(self, *, per_address: int) -> None:
        self._per_address = per_address
        self._all = 0
        self._handshakes = 0
        self._addresses: Counter[str] = Counter()
        self._users: Counter[str] = Counter()

    @contextlib.contextmanager
    def handshake(self) -> Iterator[Callable[[], None]]:
        """Hold a place for a handshake: until the block ends, or until a call of what the block gets. Raises
        TooManyHandshakes."""
        if self._handshakes >= MAX_HANDSHAKES:
            raise TooManyHandshakes
        self._handshakes += 1
        is_over = False

        def end() -> None:
            nonlocal is_over
            if not is_over:
                is_over = True
                self._handshakes -= 1

        try:
            yield end
        finally:
            end()

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
