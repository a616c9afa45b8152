"""Middleware of allauth's API for programs (/_allauth/): every error is problem+json, and no body causes a fault.

A problem keeps the members that allauth's clients read: `errors` (each with `param`, the field, and `code`, the rule),
`data` and `meta`. A body must be a JSON object whose values are text, because allauth's forms turn a list
into the text of its Python notation.
"""

import json
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from auction_project.accounts import limits
from auction_project.kernel import errors
from auction_project.kernel.http import problems

PREFIX = "/_allauth/"
KEPT = ("errors", "data", "meta")
SESSIONS, SESSIONS_PATH = "sessions", "/auth/sessions"  # the one list in a body: which sessions to end


class EmailNotVerified(errors.Unauthenticated):
    """Confirm your e-mail address first: follow the link in the mail that we sent to it."""


class SecondFactorNeeded(errors.Unauthenticated):
    """Send a code of your authenticator app, or a recovery code, to /auth/2fa/authenticate."""


class PasswordNeeded(errors.Unauthenticated):
    """Confirm it's you: send your password to /auth/reauthenticate, then send this request again."""


class SessionEnded(errors.Unauthenticated):
    """Your session has ended. Sign in again, without the old token."""

    http_status = 410


class BodyInvalid(errors.Invalid):
    """The body must be a JSON object, its values text."""

    def __init__(self, detail: str | None = None, *, field: str = "body", rule: str = "invalid") -> None:
        super().__init__(detail, field=field)
        self.figures = {"errors": [{"message": self.detail, "code": rule, "param": field}]}


class RefreshTokenInvalid(BodyInvalid):
    """The refresh token is unknown, was used already or has expired. Sign in again."""


_KINDS: dict[int, type[errors.DomainError]] = {
    400: errors.Invalid,
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: problems.MethodNotAllowed,
    409: errors.Conflict,
    410: SessionEnded,
    500: errors.Conflict,  # allauth's status for an address that another account verified in the same moment
}


class HeadlessMiddleware:
    """Encloses the check of CSRF, so that its refusal is a problem, too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(PREFIX):
            return self._get_response(request)
        try:
            if request.method != "GET" and request.body:
                _check(request)
        except errors.Invalid as error:
            return problems.response(error)
        return _as_problem(request, self._get_response(request))


def _check(request: HttpRequest) -> None:
    """Raises WrongContentType, BodyInvalid."""
    if request.content_type != "application/json":
        raise problems.WrongContentType(field="Content-Type")
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise BodyInvalid from error
    if not isinstance(body, dict) or not all(map(_is_text, body)):
        raise BodyInvalid
    for name, value in body.items():
        if name == SESSIONS and request.path_info.endswith(SESSIONS_PATH):
            if not (isinstance(value, list) and all(type(each) is int for each in value)):
                raise BodyInvalid("This must be a list of the ids of sessions.", field=name)
        elif not (value is None or isinstance(value, bool) or _is_text(value)):
            raise BodyInvalid("This must be text.", field=name)


def _is_text(value: Any) -> bool:
    """Whether `value` is text that UTF-8 can carry: JSON allows half a surrogate pair."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _as_problem(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """`answer` with its cookies and headers, but with a problem as its body if it is an error. A bug stays one."""
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    body = json.loads(answer.content) if kind == "application/json" else {}
    if answer.status_code < 400 or kind == problems.CONTENT_TYPE or (answer.status_code >= 500 and not body):
        return answer
    error = _error(request, answer.status_code, body)
    error.figures |= {name: body[name] for name in KEPT if name in body}
    answer.status_code, problem = problems.problem(error)
    answer.content = json.dumps(problem)
    answer.headers["Content-Type"] = problems.CONTENT_TYPE
    for name, value in problems.headers(error, answer.status_code).items():
        answer.headers[name] = value
    return answer


def _error(request: HttpRequest, status: int, body: dict[str, Any]) -> errors.DomainError:
    """The error that allauth answers with `status` and `body`."""
    if status == 429:
        return limits.too_often(request)
    if status == 401 and _is_pending("verify_email", body):
        return EmailNotVerified()
    if status == 401 and _is_pending("mfa_authenticate", body):
        return SecondFactorNeeded()
    if status == 401 and body.get("meta", {}).get("is_authenticated"):
        return PasswordNeeded()
    first: dict[str, Any] = next(iter(body.get("errors", ())), {})
    error = _KINDS.get(status, errors.Invalid)(first.get("message"), field=first.get("param"))
    if status not in _KINDS:
        error.http_status = status
    return error


def _is_pending(flow: str, body: dict[str, Any]) -> bool:
    """Whether the log-in goes on with this flow of allauth's."""
    flows = body.get("data", {}).get("flows", ())
    return any(each["id"] == flow and each.get("is_pending") for each in flows)
