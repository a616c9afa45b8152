"""Django middleware: the correlation id of a request, problems where Django REST framework does not make them
(addresses that do not exist, the admin, allauth's API), pages in place of problems for browsers, and the answers that no
cache may keep.
"""

import json
import os
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse

from auction_project.accounts import headless
from auction_project.kernel import correlation, errors, logs, tracing
from auction_project.kernel.http import problems
from auction_project.kernel.messaging import failure
from auction_project.web.pages import problems as problem_pages

PROGRAM_PREFIXES = ("/api/", headless.PREFIX)
PRIVATE = "private, no-store"


def is_for_programs(path: str) -> bool:
    """Whether the errors of this path are problems, and not pages."""
    return path.startswith(PROGRAM_PREFIXES)


def wants_page(path: str, accept: str) -> bool:
    """Whether an error at this path is shown to a person: a browser that asks for a page says so in Accept."""
    return "text/html" in accept and not is_for_programs(path)


def has_null_character(path: str, query: bytes) -> bool:
    """Whether a decoded path, or a query as it was sent, holds a null character."""
    return "\0" in path or b"%00" in query


class CorrelationMiddleware:
    """Binds the correlation id of a request to its log lines, sends it back, and records the request if its trace is kept."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        caller = request.headers.get("traceparent", "")
        correlation_id = correlation.accept(request.headers.get("X-Correlation-Id", ""), caller)
        trace_id, began = tracing.trace_id(correlation_id), time.time()
        span_id = os.urandom(8).hex() if tracing.is_sampled(trace_id) else ""
        with logs.bound(correlation_id=correlation_id, span_id=span_id):
            response = self._get_response(request)
        if span_id:
            tracing.record_request(
                str(request.method),
                getattr(request.resolver_match, "route", None),
                tracing.Context(trace_id, span_id),
                caller=caller,
                start=began,
                end=time.time(),
                status=response.status_code,
            )
        response["X-Correlation-Id"] = correlation_id
        return response


class ProblemMiddleware:
    """An error of ours keeps its status, an outage is 503, and text that no UTF-8 can carry (JSON allows half a
    surrogate pair) is 400. Everything else is a bug: 500 with a log line. A page whose address holds a null character
    does not exist. Below PROGRAM_PREFIXES Django's error pages become problems, too, and elsewhere a browser gets a page
    instead of a problem, because this middleware encloses all that refuse a request.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if response.status_code < 400:
            return response
        content_type = response.headers.get("Content-Type", "")
        if content_type.startswith("text/html") and is_for_programs(request.path_info):
            return _as_problem(response)
        if content_type == problems.CONTENT_TYPE and wants_page(
            request.path_info, request.headers.get("Accept", "")
        ):
            return _as_page(response)
        return response

    def process_view(self, request: HttpRequest, *_: Any) -> None:
        """Raises Http404."""
        if not is_for_programs(request.path_info) and has_null_character(
            request.path_info, request.META.get("QUERY_STRING", "").encode()
        ):
            raise Http404

    def process_exception(self, _request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, errors.DomainError):
            return problems.response(error)
        if isinstance(error, UnicodeEncodeError):
            return problems.response(errors.Invalid("The text holds a character that does not exist."))
        if failure.classify(error) is failure.Fate.OUTAGE:
            logs.get(__name__).warning("request_met_outage", error=repr(error))
            return problems.response(errors.Unavailable())
        return None


_KINDS: dict[int, type[errors.DomainError]] = {
    400: errors.Invalid,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: problems.MethodNotAllowed,
}


def _as_problem(page: HttpResponse) -> HttpResponse:
    """The problem in place of one of Django's error pages."""
    status = page.status_code
    if status >= 500:
        return problems.response(errors.Fault())
    error = _KINDS.get(status, errors.Invalid)()
    if status not in _KINDS:
        error.http_status = status  # type: ignore[attr-defined]
    problem = problems.response(error)
    if "Allow" in page.headers:
        problem.headers["Allow"] = page.headers["Allow"]
    return problem


def _as_page(problem: HttpResponse) -> HttpResponse:
    """`problem` with its headers and cookies, and with a page as its body."""
    problem.content = problem_pages.page(json.loads(problem.content), problem.headers.get("Retry-After"))
    for name, value in problem_pages.HEADERS.items():
        problem.headers[name] = value
    return problem


class PrivateAnswersMiddleware:
    """Forbids caches to keep an answer to a signed-in client, unless its view sets Cache-Control itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        is_personal = "Authorization" in request.headers or settings.SESSION_COOKIE_NAME in request.COOKIES
        if is_personal or response.cookies:
            response.headers.setdefault("Cache-Control", PRIVATE)
        return response
