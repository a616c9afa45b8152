"""From the event loop to blocking code (PostgreSQL): a few threads of its own, so that pages and push never wait for each
other. Each call gives its database connections back."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent import futures
from typing import Any, TypeVar

from django.db import connections

THREADS = 4
DRAIN_SECONDS = 5.0

_Result = TypeVar("_Result")
_running: set[futures.Future[Any]] = set()
_threads = futures.ThreadPoolExecutor(THREADS, thread_name_prefix="notifications")


async def call(function: Callable[..., _Result], *args: Any, **kwargs: Any) -> _Result:
    """Run `function` in one of the threads. A cancelled call runs on there: see `drain`."""
    running = _threads.submit(_run, function, args, kwargs)
    _running.add(running)
    running.add_done_callback(_running.discard)
    return await asyncio.wrap_future(running)


async def drain() -> None:
    """Wait until nothing runs in the threads, at most DRAIN_SECONDS."""
    left = asyncio.gather(*map(asyncio.wrap_future, list(_running)), return_exceptions=True)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(left, DRAIN_SECONDS)


def _run(function: Callable[..., _Result], args: Any, kwargs: Any) -> _Result:
    try:
        return function(*args, **kwargs)
    finally:
        connections.close_all()
