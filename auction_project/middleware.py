"""Django middleware of the kernel: the correlation id of a request, bound to its logs and sent back."""

import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from auction_project import logs

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
