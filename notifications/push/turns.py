"""How much push does in one turn of the event loop: at most STEPS_PER_TURN steps, so that a crowd of streams delays a bid
by a moment in each turn and never by more.

A step is one frame sent, or one message of a client answered. When no step is left, a task waits in line for a later turn.
"""

import asyncio
from collections import deque

STEPS_PER_TURN = 16  # about a millisecond


class Turns:
    """The steps of one event loop."""

    def __init__(self) -> None:
        self._left = STEPS_PER_TURN
        self._line: deque[asyncio.Future[None]] = deque()
        self._is_renewing = False

    def take(self) -> bool:
        """Take a step of this turn. False: none is left, or other tasks wait for one."""
        if self._line or not self._left:
            return False
        self._left -= 1
        self._renew_later()
        return True

    def enqueue(self, waiter: asyncio.Future[None]) -> None:
        """Resolve `waiter` in the turn that has a step for it."""
        self._line.append(waiter)
        self._renew_later()

    async def step(self) -> None:
        """Wait for a step and take it."""
        if not self.take():
            waiter = asyncio.get_running_loop().create_future()
            self.enqueue(waiter)
            await waiter

    def _renew_later(self) -> None:
        if not self._is_renewing:
            self._is_renewing = True
            asyncio.get_running_loop().call_soon(self._renew)

    def _renew(self) -> None:
        self._is_renewing = False
        self._left = STEPS_PER_TURN
        while self._line and self._left:
            waiter = self._line.popleft()
            if not waiter.done():
                waiter.set_result(None)
                self._left -= 1
        if self._left < STEPS_PER_TURN:
            self._renew_later()
