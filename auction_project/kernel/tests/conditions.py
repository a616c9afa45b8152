"""Waiting for a condition in place of a fixed time. The bound only ends a test that fails."""

import time
from collections.abc import Callable

WAIT_SECONDS = 60.0


def until(condition: Callable[[], object]) -> None:
    """Wait until `condition()` is true."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.01)
