"""Captures run on threads of their own, so that cards whose bank is silent hold up no other payment.

The caller waits for the answer for PATIENCE_SECONDS. If the answer takes longer, the call goes on without the caller:
the caller gets `errors.Unavailable` and asks again later, and the call's own thread writes down what it got. In one
process a payment has at most one call under way.

Three bounds keep a rush of silent cards small: only PATIENT_CALLERS wait so long at a time, the others
IMPATIENT_SECONDS; cards that were silent before have threads of their own; and beyond MAX_CALLS the caller is sent away.
A process that dies loses only the call: the intent is stored, and the same idempotency key is sent again.
"""

import concurrent.futures
import functools
import threading
from collections.abc import Callable

from django.db import connections

from auction_project.kernel import errors, logs
from auction_project.kernel.messaging import failure
from orders import models, provider

PATIENCE_SECONDS = 1.0
IMPATIENT_SECONDS = 0.1
PATIENT_CALLERS = 4  # half of a worker's threads
CALL_THREADS = 32
SILENT_CALL_THREADS = 8
MAX_CALLS = 128

_Call = Callable[[], provider.Result]
_Conclude = Callable[[_Call], models.Payment]

log = logs.get(__name__)


class Calls:
    """The calls under way of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, concurrent.futures.Future[models.Payment]] = {}
        self._patient = threading.BoundedSemaphore(PATIENT_CALLERS)
        pool = functools.partial(concurrent.futures.ThreadPoolExecutor, thread_name_prefix="capture")
        self._threads, self._silent_threads = pool(CALL_THREADS), pool(SILENT_CALL_THREADS)

    def make(self, key: str, call: _Call, conclude: _Conclude, *, was_silent: bool) -> models.Payment:
        """Make `call` and hand its outcome, as a function that returns or raises it, to `conclude`: here if the outcome
        comes in time, else on the call's thread. Raises what `conclude` raises, and errors.Unavailable without an
        outcome in time."""
        conclusion, is_new = self._enter(key)
        if not is_new:
            return _in_time(conclusion, IMPATIENT_SECONDS)
        threads = self._silent_threads if was_silent else self._threads
        future = threads.submit(call)
        if self._is_answered(future):
            self._conclude(key, conclude, future)
        else:
            future.add_done_callback(functools.partial(self._conclude_late, key, conclude))
        return _in_time(conclusion, 0)

    def _enter(self, key: str) -> tuple["concurrent.futures.Future[models.Payment]", bool]:
        """The conclusion of the key's call, and whether that call is to be made. Raises errors.Unavailable."""
        with self._lock:
            if key in self._open:
                return self._open[key], False
            if len(self._open) >= MAX_CALLS:
                raise errors.Unavailable("Too many payments wait for the payment provider.")
            self._open[key] = concurrent.futures.Future()
            return self._open[key], True

    def _is_answered(self, future: "concurrent.futures.Future[provider.Result]") -> bool:
        """Whether the outcome came while the caller waited."""
        is_patient = self._patient.acquire(blocking=False)
        try:
            seconds = PATIENCE_SECONDS if is_patient else IMPATIENT_SECONDS
            return bool(concurrent.futures.wait([future], seconds).done)
        finally:
            if is_patient:
                self._patient.release()

    def _conclude(
        self,
        key: str,
        conclude: _Conclude,
        future: "concurrent.futures.Future[provider.Result]",
        *,
        on_own_thread: bool = False,
    ) -> None:
        """Write the outcome down, and only then forget the call: a repeat must not be sent meanwhile."""
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
