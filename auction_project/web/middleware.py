"""Django middleware: the correlation id of a request, bound to its logs and sent back; problems as answers
where Django REST framework does not see to it (addresses that do not exist, pages, admin, allauth's API); and what may be
cached.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from auction_project.kernel import correlation, errors, logs
from auction_project.kernel.http import api
from auction_project.kernel.messaging import failure

API_PREFIX = "/api/v1/"
PRIVATE = "private, no-store"


class CorrelationMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        correlation_id = correlation.accept(request.headers.get("X-Correlation-Id", ""))
        with logs.bound(correlation_id=correlation_id):
            response = self._get_response(request)
        response["X-Correlation-Id"] = correlation_id
        return response


class ProblemMiddleware:
    """An error of ours keeps its status, an outage is 503, and text that no UTF-8 can carry (JSON allows half a
    surrogate pair) is 400. Everything else is a bug: 500 with a log line. Below API_PREFIX Django's error pages become
    problems, too: this middleware stands outside of whatever refuses a request.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        if response.status_code >= 400 and is_page and request.path_info.startswith(API_PREFIX):
            return _as_problem(response.status_code)
        return response

    def process_exception(self, _request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, errors.DomainError):
            return api.problem_response(error)
        if isinstance(error, UnicodeEncodeError):
            return api.problem_response(errors.Invalid("The text holds a character that does not exist."))
        if failure.classify(error) is failure.Fate.OUTAGE:
            logs.get(__name__).warning("request_met_outage", error=repr(error))
            return api.problem_response(errors.Unavailable())
        return None


_KINDS: dict[int, type[errors.DomainError]] = {
    400: errors.Invalid,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: api.MethodNotAllowed,
}


def _as_problem(status: int) -> HttpResponse:
    """The problem that says what an error page of Django's says."""
    if status >= 500:
        return api.problem_response(errors.Fault())
    error = _KINDS.get(status, errors.Invalid)()
    if status not in _KINDS:
        error.http_status = status  # type: ignore[attr-defined]
    return api.problem_response(error)


class PrivateAnswersMiddleware:
    """An answer to a signed-in client is kept by no cache, unless its view says otherwise."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        is_personal = "Authorization" in request.headers or settings.SESSION_COOKIE_NAME in request.COOKIES
        if is_personal or response.cookies:
            response.headers.setdefault("Cache-Control", PRIVATE)
        return response
