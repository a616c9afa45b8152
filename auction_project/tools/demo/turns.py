"""Keeps a simulated user going: one turn after the other, through every answer that a client can meet."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from auction_project.kernel import errors, logs
from auction_project.kernel.messaging import failure
from auction_project.tools.demo import client

OUTAGE_SECONDS = 2.0  # after a turn without an answer

log = logs.get(__name__)


async def keep_taking(
    turn: Callable[[], Awaitable[None]], *, pause: Callable[[], float], failures: Counter[str]
) -> None:
    """Pause, take a turn, and so on until cancelled. `failures` counts the turns that failed, by cause.

    A turn that meets an outage is lost. So is one that meets a fault of the demo itself, which is logged the first
    time.
    """
    while True:
        await asyncio.sleep(pause())
        try:
            await turn()
        except Exception as error:
            cause = _cause(error)
            failures[cause] += 1
            if cause.startswith("fault") and failures[cause] == 1:
                log.exception("turn_failed", cause=cause)
            await asyncio.sleep(OUTAGE_SECONDS)


def _cause(error: Exception) -> str:
    if isinstance(error, client.NoAnswer):
        return f"no answer ({error})"
    if failure.classify(error) is failure.Fate.OUTAGE:
        return "no answer (a store)"
    if isinstance(error, errors.DomainError):
        return f"refused ({error.code})"
    return f"fault ({type(error).__name__})"
