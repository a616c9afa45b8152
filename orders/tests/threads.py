"""Calls that run at once, each on a database connection of its own."""

import threading
from collections.abc import Callable

from django.db import connections


def in_threads(*tasks: Callable[[], object]) -> list[object]:
    """Start all tasks together, each in a thread of its own; what each returned or raised."""
    barrier = threading.Barrier(len(tasks))
    results: list[object] = [None] * len(tasks)

    def run(i: int, task: Callable[[], object]) -> None:
        barrier.wait(10)
        try:
            results[i] = task()
        except Exception as error:
            results[i] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results
