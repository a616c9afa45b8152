"""Django middleware of the kernel: the correlation id of a request, bound to its logs and sent back; and problems as
answers where Django REST framework does not see to it (pages, admin, allauth's API).
"""

import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from auction_project import api, errors, logs
from auction_project.messaging import failure

_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,64}")


def correlation_id_of(sent: str) -> str:
    """The caller's id when it is harmless, else a fresh one."""
    return sent if _ACCEPTED.fullmatch(sent) else uuid.uuid4().hex


class CorrelationMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        correlation_id = correlation_id_of(request.headers.get("X-Correlation-Id", ""))
        with logs.bound(correlation_id=correlation_id):
            response = self._get_response(request)
        response["X-Correlation-Id"] = correlation_id
        return response


class ProblemMiddleware:
    """An error of ours keeps its status, an outage is 503, and text that no UTF-8 can carry (JSON allows half a
    surrogate pair) is 400. Everything else is a bug: 500 with a log line.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, _request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, errors.DomainError):
            return api.problem_response(error)
        if isinstance(error, UnicodeEncodeError):
            return api.problem_response(errors.Invalid("The text holds a character that does not exist."))
        if failure.classify(error) is failure.Fate.OUTAGE:
            logs.get(__name__).warning("request_met_outage", error=repr(error))
            return api.problem_response(errors.Unavailable())
        return None
