"""From the event loop to blocking code (PostgreSQL): a few threads of its own, so that pages and pushes never queue
behind one another. Each call gives its database connections back."""

import asyncio
from collections.abc import Callable
from concurrent import futures
from typing import Any, TypeVar

from django.db import connections

THREADS = 4

_Result = TypeVar("_Result")
_threads = futures.ThreadPoolExecutor(THREADS, thread_name_prefix="notifications")


async def call(function: Callable[..., _Result], *args: Any, **kwargs: Any) -> _Result:
    """Run `function` in one of the threads."""
    return await asyncio.get_running_loop().run_in_executor(_threads, lambda: _run(function, args, kwargs))


def _run(function: Callable[..., _Result], args: Any, kwargs: Any) -> _Result:
    try:
        return function(*args, **kwargs)
    finally:
        connections.close_all()
