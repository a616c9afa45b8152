"""The two clocks that a writer, the relay and the clock role go by. Tests pass their own."""

import time
from collections.abc import Callable

import msgspec

from auction_project.kernel import instants


class Clocks(msgspec.Struct, frozen=True, kw_only=True):
    """`now` gives the instant in milliseconds since the epoch; `monotonic` gives seconds, to measure with."""

    now: Callable[[], int] = instants.now
    monotonic: Callable[[], float] = time.monotonic


SYSTEM = Clocks()
