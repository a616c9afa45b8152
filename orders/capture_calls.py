"""Captures run on threads of their own, so that a card whose capture is not answered holds up no other payment.

The calls of a group go out together. The caller waits for them as long as answers come: it goes on when none has come
for LONG_WAIT_SECONDS. What was answered until then is concluded together. A call without an answer goes on without the
caller: the caller gets `errors.Unavailable` for it and calls again later, and the call's own thread writes the outcome
down. A payment has at most one call under way in a process.

Four bounds keep a rush of slow cards small. Only LONG_WAITERS callers wait that long at a time; the others wait
SHORT_WAIT_SECONDS. Payments whose capture timed out before have threads of their own, and no other payment of their group
waits for them. At most PAYMENT_CALLS_IN_FLIGHT (settings) of the other captures are on their way at a time. Beyond
MAX_CALLS nothing is sent. A process that dies loses only the calls: the intents are stored, and the next call sends the
same idempotency key.
"""

import concurrent.futures
import contextlib
import functools
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec
from django.db import connections

from auction_project.kernel import errors, logs, owned
from auction_project.kernel.messaging import failure, groups
from orders import models, provider

LONG_WAIT_SECONDS = 1.0
SHORT_WAIT_SECONDS = 0.1
MAX_WAIT_SECONDS = 5.0  # of a group whose answers come one by one
LONG_WAITERS = 4  # half of a worker's threads
SLOW_CALL_THREADS = 8
SETTLING_THREADS = 8
MAX_CALLS = 8 * groups.MAX_MEMBERS  # a group of each thread of a worker

Outcome = models.Payment | Exception
Answers = Mapping[str, Callable[[], provider.Result]]
Conclude = Callable[[Answers], Mapping[str, Outcome]]
Answer = TypeVar("Answer")

log = logs.get(__name__)


class Call(msgspec.Struct, frozen=True):
    """A capture to be sent under `key`. `is_slow`: a capture of this payment has timed out before."""

    key: str
    send: Callable[[], provider.Result]
    is_slow: bool


class Calls:
    """The calls under way in this process, at most `in_flight` of payments that did not time out before."""

    def __init__(self, *, in_flight: int) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, concurrent.futures.Future[models.Payment]] = {}
        self._long_waiters = threading.BoundedSemaphore(LONG_WAITERS)
        pool = functools.partial(concurrent.futures.ThreadPoolExecutor, thread_name_prefix="capture")
        self._threads, self._slow_threads = pool(in_flight), pool(SLOW_CALL_THREADS)
        self._settling_threads = pool(SETTLING_THREADS)

    def make(self, calls: Sequence[Call], conclude: Conclude) -> dict[str, Outcome]:
        """Send the calls, and hand their answers to `conclude`, by key, each as a function that returns or raises it; the
        outcome of each call by key.

        The answers that come in time are concluded here together, any other one alone on its call's thread. An outcome is
        what `conclude` returned for the key or raised, or errors.Unavailable when no answer came in time. The keys differ.
        """
        conclusions, new = self._enter(calls)
        futures = {call.key: self._start(call) for call in new}
        awaited = [futures[call.key] for call in new if not call.is_slow] or list(futures.values())
        self._wait(awaited)
        answered = {key: future for key, future in futures.items() if future.done()}
        for key in futures.keys() - answered.keys():
            futures[key].add_done_callback(functools.partial(self._conclude_late, key, conclude))
        self._conclude(answered, conclude)
        repeated = [conclusions[key] for key in conclusions.keys() - futures.keys()]
        concurrent.futures.wait(repeated, SHORT_WAIT_SECONDS)
        return {call.key: _outcome(conclusions.get(call.key)) for call in calls}

    def settle(self, keys: Iterable[str], send: Callable[[str], Answer]) -> dict[str, Answer | Exception]:
        """Send the cancellations or refunds of `keys`, and wait for all; what `send` returned or raised, by key."""
        futures = {key: self._settling_threads.submit(send, key) for key in keys}
        return {key: _answer(future) for key, future in futures.items()}

    def close(self) -> None:
        """Wait for the calls under way, and let go of the threads."""
        for threads in (self._threads, self._slow_threads, self._settling_threads):
            threads.shutdown()

    def _enter(
        self, calls: Iterable[Call]
    ) -> tuple[dict[str, "concurrent.futures.Future[models.Payment]"], list[Call]]:
        """The conclusions of the calls by key, and those of the calls that are still to be made. A call beyond the bound
        is in neither."""
        conclusions, new = {}, []
        with self._lock:
            for call in calls:
                if call.key not in self._open:
                    if len(self._open) >= MAX_CALLS:
                        continue
                    self._open[call.key] = concurrent.futures.Future()
                    new.append(call)
                conclusions[call.key] = self._open[call.key]
        return conclusions, new

    def _start(self, call: Call) -> "concurrent.futures.Future[provider.Result]":
        """The answer to come. Without a thread it is errors.Unavailable at once, so that the key is free again."""
        try:
            return (self._slow_threads if call.is_slow else self._threads).submit(call.send)
        except RuntimeError as error:
            answer: concurrent.futures.Future[provider.Result] = concurrent.futures.Future()
            answer.set_exception(errors.Unavailable(f"No thread can make the call: {error}"))
            return answer

    def _wait(self, futures: "Sequence[concurrent.futures.Future[provider.Result]]") -> None:
        """Wait for the answers as long as they come."""
        answers: queue.SimpleQueue[object] = queue.SimpleQueue()
        for future in futures:
            future.add_done_callback(answers.put)
        waits_long = self._long_waiters.acquire(blocking=False)
        seconds = LONG_WAIT_SECONDS if waits_long else SHORT_WAIT_SECONDS
        until = time.monotonic() + MAX_WAIT_SECONDS
        try:
            with contextlib.suppress(queue.Empty):
                for _ in futures:
                    answers.get(timeout=max(0.0, min(seconds, until - time.monotonic())))
        finally:
            if waits_long:
                self._long_waiters.release()

    def _conclude(
        self, answered: "Mapping[str, concurrent.futures.Future[provider.Result]]", conclude: Conclude
    ) -> None:
        """Write the outcomes down, and only then remove the calls, so that no repeat is sent meanwhile."""
        if not answered:
            return
        outcomes: Mapping[str, Outcome] = {}
        try:
            outcomes = conclude({key: future.result for key, future in answered.items()})
        except Exception as error:
            outcomes = dict.fromkeys(answered, error)
        finally:
            with self._lock:
                conclusions = {key: self._open.pop(key) for key in answered}
        for key, conclusion in conclusions.items():
            outcome = outcomes[key]
            if isinstance(outcome, Exception):
                conclusion.set_exception(outcome)
            else:
                conclusion.set_result(outcome)

    def _conclude_late(
        self, key: str, conclude: Conclude, future: "concurrent.futures.Future[provider.Result]"
    ) -> None:
        conclusion = self._open[key]
        try:
            self._conclude({key: future}, conclude)
        finally:
            connections[models.DATABASE].close()
        error = conclusion.exception()
        if error is not None:
            report = log.info if failure.classify(error) is failure.Fate.OUTAGE else log.error
            report("capture_not_concluded", key=key, error=repr(error))


def _outcome(conclusion: "concurrent.futures.Future[models.Payment] | None") -> Outcome:
    if conclusion is None:
        return errors.Unavailable("Too many payments wait for the payment provider.")
    if not conclusion.done():
        return errors.Unavailable("The payment provider has not answered yet.")
    return _answer(conclusion)


def _answer(future: "concurrent.futures.Future[Answer]") -> Answer | Exception:
    error = future.exception()
    return error if isinstance(error, Exception) else future.result()


current: owned.Owned[Calls] = owned.Owned("capture calls")
