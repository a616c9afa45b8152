"""Captures run on threads of their own, so that a card whose capture is not answered holds up no other payment.

The caller waits LONG_WAIT_SECONDS for the outcome. After that the call goes on without the caller: the caller gets
`errors.Unavailable` and calls again later, and the call's own thread writes the outcome down. A payment has at most one
call under way in a process.

Three bounds keep a rush of slow cards small. Only LONG_WAITERS callers wait that long at a time; the others wait
SHORT_WAIT_SECONDS. Payments whose capture timed out before have threads of their own. Beyond MAX_CALLS nothing is sent.
A process that dies loses only the call: the intent is stored, and the next call sends the same idempotency key.
"""

import concurrent.futures
import functools
import threading
from collections.abc import Callable

from django.db import connections

from auction_project.kernel import errors, logs
from auction_project.kernel.messaging import failure
from orders import models, provider

LONG_WAIT_SECONDS = 1.0
SHORT_WAIT_SECONDS = 0.1
LONG_WAITERS = 4  # half of a worker's threads
CALL_THREADS = 32
SLOW_CALL_THREADS = 8
MAX_CALLS = 128

_Call = Callable[[], provider.Result]
_Conclude = Callable[[_Call], models.Payment]

log = logs.get(__name__)


class Calls:
    """The calls under way in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, concurrent.futures.Future[models.Payment]] = {}
        self._long_waiters = threading.BoundedSemaphore(LONG_WAITERS)
        pool = functools.partial(concurrent.futures.ThreadPoolExecutor, thread_name_prefix="capture")
        self._threads, self._slow_threads = pool(CALL_THREADS), pool(SLOW_CALL_THREADS)

    def make(self, key: str, call: _Call, conclude: _Conclude, *, is_slow: bool) -> models.Payment:
        """Run `call` and hand its outcome to `conclude`, as a function that returns or raises the outcome.

        When the outcome comes in time, `conclude` runs here, else on the call's thread. `is_slow`: a capture of this
        payment has timed out before. Raises what `conclude` raises, and errors.Unavailable when no outcome came in
        time.
        """
        conclusion, is_new = self._enter(key)
        if not is_new:
            return _in_time(conclusion, SHORT_WAIT_SECONDS)
        threads = self._slow_threads if is_slow else self._threads
        future = threads.submit(call)
        if self._is_answered(future):
            self._conclude(key, conclude, future)
        else:
            future.add_done_callback(functools.partial(self._conclude_late, key, conclude))
        return _in_time(conclusion, 0)

    def _enter(self, key: str) -> tuple["concurrent.futures.Future[models.Payment]", bool]:
        """The conclusion of the key's call, and whether that call is still to be made. Raises errors.Unavailable."""
        with self._lock:
            if key in self._open:
                return self._open[key], False
            if len(self._open) >= MAX_CALLS:
                raise errors.Unavailable("Too many payments wait for the payment provider.")
            self._open[key] = concurrent.futures.Future()
            return self._open[key], True

    def _is_answered(self, future: "concurrent.futures.Future[provider.Result]") -> bool:
        """Wait for the outcome; whether it came."""
        waits_long = self._long_waiters.acquire(blocking=False)
        try:
            seconds = LONG_WAIT_SECONDS if waits_long else SHORT_WAIT_SECONDS
            return bool(concurrent.futures.wait([future], seconds).done)
        finally:
            if waits_long:
                self._long_waiters.release()

    def _conclude(
        self,
        key: str,
        conclude: _Conclude,
        future: "concurrent.futures.Future[provider.Result]",
        *,
        on_own_thread: bool = False,
    ) -> None:
        """Write the outcome down, and only then remove the call, so that no repeat is sent meanwhile."""
        conclusion = self._open[key]
        try:
            conclusion.set_result(conclude(future.result))
        except Exception as error:
            conclusion.set_exception(error)
        finally:
            if on_own_thread:
                connections[models.DATABASE].close()
            with self._lock:
                del self._open[key]

    def _conclude_late(
        self, key: str, conclude: _Conclude, future: "concurrent.futures.Future[provider.Result]"
    ) -> None:
        conclusion = self._open[key]
        self._conclude(key, conclude, future, on_own_thread=True)
        error = conclusion.exception()
        if error is not None:
            report = log.info if failure.classify(error) is failure.Fate.OUTAGE else log.error
            report("capture_not_concluded", key=key, error=repr(error))


def _in_time(conclusion: "concurrent.futures.Future[models.Payment]", seconds: float) -> models.Payment:
    if not concurrent.futures.wait([conclusion], seconds).done:
        raise errors.Unavailable("The payment provider has not answered yet.")
    return conclusion.result()


CALLS = Calls()
