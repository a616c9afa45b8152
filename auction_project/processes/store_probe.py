"""Asks every store now and then whether it answers, for the metrics `gavel_store_up` and `gavel_store_answer_seconds`.

The role relay runs it, because it alone needs every store. A store that hangs counts as down after ANSWER_SECONDS, and is
not asked again before that question has ended; the others are asked on time.
"""

import concurrent.futures
import time
from collections.abc import Sequence

from auction_project.processes import metrics, needs

PAUSE_SECONDS = 5.0
ANSWER_SECONDS = 2.0


class StoreProbe:
    """A loop of `running`: one question to each of `stores` (names of needs) in PAUSE_SECONDS."""

    name = "store-probe"

    def __init__(self, stores: Sequence[str]) -> None:
        self._threads = concurrent.futures.ThreadPoolExecutor(len(stores), thread_name_prefix=self.name)
        self._questions: dict[str, concurrent.futures.Future[float | None]] = {}
        self._stores = stores
        self._next = 0.0

    def step(self) -> bool:
        """Ask, if it is time."""
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + PAUSE_SECONDS
        for store in self._stores:
            if store not in self._questions:
                self._questions[store] = self._threads.submit(_answer_seconds, store)
        concurrent.futures.wait(self._questions.values(), ANSWER_SECONDS)
        for store, question in list(self._questions.items()):
            seconds = question.result() if question.done() else None
            metrics.store_up.labels(store).set(seconds is not None)
            metrics.store_seconds.labels(store).set(ANSWER_SECONDS if seconds is None else seconds)
            if question.done():
                del self._questions[store]
        return False

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _answer_seconds(store: str) -> float | None:
    """How long the store took to answer; None if it is not well."""
    began = time.monotonic()
    return None if needs.missing(store) else time.monotonic() - began
