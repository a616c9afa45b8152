"""The end of tasks that run in the background of the event loop."""

import asyncio
from typing import Any

AGAIN_SECONDS = 0.2


async def cancel(*tasks: asyncio.Task[Any]) -> list[Exception]:
    """Cancel the tasks and wait for them. Returns the errors with which some had ended before.

    One cancellation is not always enough: a timeout that fires in the same moment can swallow it (asyncio's own did up
    to Python 3.11), and a task that goes on must not delay a stop.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_SECONDS)
    endings = [None if task.cancelled() else task.exception() for task in tasks]
    return [error for error in endings if isinstance(error, Exception)]
