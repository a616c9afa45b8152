"""An event loop whose time jumps to the next timer when nothing else is to be done.

For tests without I/O: they wait as long as they like at once, and a busy machine cannot make them late. A test must not wait
by `asyncio.sleep(0)` alone, since time then never jumps.
"""

import asyncio
import selectors


class _Selector(selectors.DefaultSelector):
    """Waits for nothing that has a timeout, and counts the time that it would have waited."""

    now = 1_000.0

    def select(self, timeout=None):
        events = super().select(0 if timeout else timeout)
        if not events and timeout:
            self.now += timeout
        return events


class Loop(asyncio.SelectorEventLoop):
    def __init__(self):
        self._jumping = _Selector()
        super().__init__(self._jumping)

    def time(self):
        return self._jumping.now
