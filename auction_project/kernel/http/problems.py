"""Errors as RFC 9457 problems: the status, the body and the headers of each, and the answer of a plain Django view.

Pure but for `response`. Bare ASGI applications send problems by `answers`, REST views by `rest.exception_handler`.
"""

from typing import Any

from django.http import JsonResponse

from auction_project.kernel import errors

CONTENT_TYPE = "application/problem+json"
_STATUS: tuple[tuple[type[errors.DomainError], int], ...] = (
    (errors.Invalid, 400),
    (errors.Unauthenticated, 401),
    (errors.Forbidden, 403),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.Refused, 409),
    (errors.TooOften, 429),
    (errors.Fault, 500),
    (errors.Unavailable, 503),
)


class WrongContentType(errors.Invalid):
    """Send application/json."""

    http_status = 415


class MethodNotAllowed(errors.Invalid):
    """This address does not answer to that method: Allow names those that it does."""

    http_status = 405


def is_public(kind: type[errors.DomainError]) -> bool:
    """Whether clients may see such an error. Any other error is a bug, which they see as a Fault."""
    return issubclass(kind, tuple(public for public, _ in _STATUS))


def status_of(error: errors.DomainError | type[errors.DomainError]) -> int:
    """The HTTP status of an error, or of a class of errors: its `http_status`, or the status of its kind."""
    kind = error if isinstance(error, type) else type(error)
    explicit: int | None = getattr(error, "http_status", None)
    return explicit or next(status for public, status in _STATUS if issubclass(kind, public))


def title_of(code: str) -> str:
    """`bid_too_low` as "Bid too low"."""
    return code.replace("_", " ").capitalize()


def problem(error: errors.DomainError) -> tuple[int, dict[str, Any]]:
    """(status, body) of `error`: type, title, status, detail, code, the field where there is one, the figures."""
    status = status_of(error)
    body: dict[str, Any] = {
        "type": f"/problems/{error.code}",
        "title": title_of(error.code),
        "status": status,
        "detail": error.detail,
        "code": error.code,
    }
    if error.field:
        body["field"] = error.field
    return status, error.figures | body  # a figure never replaces a member that every problem has


def headers(error: errors.DomainError, status: int) -> dict[str, str]:
    """The headers of a problem beside its type: Retry-After in seconds, or how to sign in."""
    if isinstance(error, errors.Unavailable | errors.TooOften):
        return {"Retry-After": str(error.retry_after_seconds)}
    return {"WWW-Authenticate": "Bearer"} if status == 401 else {}


def response(error: errors.DomainError) -> JsonResponse:
    """The problem as the answer of a plain Django view."""
    status, body = problem(error)
    return JsonResponse(body, status=status, content_type=CONTENT_TYPE, headers=headers(error, status))
