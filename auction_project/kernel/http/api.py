"""Errors as RFC 9457 problem+json, and access tokens for REST views: the edge that all apps share.

`problem(error)` is pure and serves the bare bid endpoint as well as Django REST framework.
"""

import math
import re
from typing import Any

import msgspec
from django.core.exceptions import PermissionDenied
from django.http import Http404, JsonResponse
from rest_framework import authentication, exceptions, permissions, request, response, serializers

from auction_project.kernel import errors, tokens

CONTENT_TYPE = "application/problem+json"
# No client can ask for . or .. by address: addresses are made shorter by them before they are sent.
IDEMPOTENCY_KEY = re.compile(r"(?!\.{1,2}\Z)[\x21-\x7e]{1,128}", re.ASCII)
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


def is_told(kind: type[errors.DomainError]) -> bool:
    """Whether somebody outside may hear of such an error: the others are faults of our own."""
    return issubclass(kind, tuple(told for told, _ in _STATUS))


def status_of(error: errors.DomainError | type[errors.DomainError]) -> int:
    """The HTTP status of an error, or of a class of errors."""
    kind = error if isinstance(error, type) else type(error)
    explicit: int | None = getattr(error, "http_status", None)
    return explicit or next(status for told, status in _STATUS if issubclass(kind, told))


def title_of(code: str) -> str:
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
    return status, error.figures | body  # a figure never takes the place of a member of every problem


def problem_response(error: errors.DomainError) -> JsonResponse:
    """The same for a plain Django view."""
    status, body = problem(error)
    return JsonResponse(body, status=status, content_type=CONTENT_TYPE, headers=headers(error, status))


def exception_handler(error: Exception, _context: dict[str, Any]) -> response.Response | None:
    """Django REST framework's hook: every error of an API view becomes a problem."""
    domain = _as_domain_error(error)
    if domain is None:
        return None
    status, body = problem(domain)
    return response.Response(body, status=status, content_type=CONTENT_TYPE, headers=headers(domain, status))


def headers(error: errors.DomainError, status: int) -> dict[str, str]:
    """What HTTP wants beside the body: when to come again, or how to sign in."""
    if isinstance(error, errors.Unavailable | errors.TooOften):
        return {"Retry-After": str(error.retry_after_seconds)}
    return {"WWW-Authenticate": "Bearer"} if status == 401 else {}


def raw_answer(error: errors.DomainError) -> tuple[int, tuple[tuple[bytes, bytes], ...], bytes]:
    """Status, headers and body of a problem, as ASGI takes them."""
    status, body = problem(error)
    more = tuple((name.lower().encode(), value.encode()) for name, value in headers(error, status).items())
    return status, ((b"content-type", CONTENT_TYPE.encode()), *more), msgspec.json.encode(body)


def _as_domain_error(error: Exception) -> errors.DomainError | None:
    """Ours as it is, the framework's translated; None for outages and bugs, which the middleware deals with."""
    if isinstance(error, errors.DomainError):
        return error
    if isinstance(error, exceptions.ValidationError):
        return _from_validation(error)
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return errors.Unauthenticated(str(error.detail))
    if isinstance(error, exceptions.PermissionDenied | PermissionDenied):
        return errors.Forbidden(str(error) or None)
    if isinstance(error, exceptions.NotFound | Http404):
        return errors.NotFound()
    if isinstance(error, exceptions.MethodNotAllowed):
        return MethodNotAllowed(str(error.detail))
    if isinstance(error, exceptions.UnsupportedMediaType):
        return WrongContentType(str(error.detail), field="Content-Type")
    if isinstance(error, exceptions.Throttled):
        return errors.TooOften(retry_after_seconds=math.ceil(error.wait or 60), rule="requests")
    if isinstance(error, exceptions.APIException):
        translated = errors.Invalid(str(error.detail))
        translated.http_status = error.status_code  # type: ignore[attr-defined]
        return translated
    return None


def _from_validation(error: exceptions.ValidationError) -> errors.Invalid:
    detail: Any = error.detail
    path: list[str] = []
    while isinstance(detail, dict | list) and detail:
        if isinstance(detail, dict):
            name, detail = next(iter(detail.items()))
            path.append(str(name))
        else:
            detail = detail[0]
    return errors.Invalid(str(detail), field=".".join(path) or None)


_JSON_TYPES: tuple[tuple[Any, tuple[type, ...], str], ...] = (
    ((serializers.CharField, serializers.ChoiceField), (str,), "Not a string."),
    (serializers.IntegerField, (int, float), "Not a number."),
    (serializers.BooleanField, (bool,), "Neither true nor false."),
)


class StrictSerializer(serializers.Serializer[Any]):
    """A body or a query whose every field is declared: a field that is not is refused by name.

    JSON has types of its own, so a number is no text there and a text no number. Forms and queries hold text alone.
    """

    def to_internal_value(self, data: Any) -> Any:
        if hasattr(data, "keys"):
            for name in data:
                if name not in self.fields:
                    raise serializers.ValidationError({str(name)[:100]: "There is no such field."})
            if not hasattr(data, "getlist"):
                self._refuse_other_types(data)
        return super().to_internal_value(data)

    def _refuse_other_types(self, data: Any) -> None:
        for name, field in self.fields.items():
            value = data.get(name)
            for kind, types, message in _JSON_TYPES:
                if isinstance(field, kind) and value is not None and type(value) not in types:
                    raise serializers.ValidationError({name: message})

    @classmethod
    def of(cls, data: Any) -> dict[str, Any]:
        """The validated fields of `request.data` or `request.query_params`. Raises ValidationError."""
        serializer = cls(data=data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)


class WrongContentType(errors.Invalid):
    """Send application/json."""

    http_status = 415


class MethodNotAllowed(errors.Invalid):
    """This address does not answer to that method: Allow names those that it does."""

    http_status = 405


class KeyInvalid(errors.Invalid):
    """An Idempotency-Key is 1 to 128 visible ASCII characters, and neither . nor .., which no address can hold."""


def idempotency_key(request: request.Request) -> str | None:
    """The request's Idempotency-Key, None without one. Raises KeyInvalid."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not IDEMPOTENCY_KEY.fullmatch(key):
        raise KeyInvalid(field="Idempotency-Key")
    return key


class AccessTokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer <access token>`; `request.user` is the token's claims. No database is asked."""

    def authenticate(self, request: request.Request) -> tuple[tokens.Claims, None] | None:
        header = request.headers.get("Authorization", "")
        if not header:
            return None
        return tokens.from_header(header), None

    def authenticate_header(self, request: request.Request) -> str:
        return "Bearer"


def has_role(*roles: str) -> type[permissions.BasePermission]:
    """A permission: the token carries one of `roles`."""

    class HasRole(permissions.BasePermission):
        message = f"This needs the role {' or '.join(roles)}."

        def has_permission(self, request: request.Request, view: Any) -> bool:
            return isinstance(request.user, tokens.Claims) and bool(set(roles) & set(request.user.roles))

    return HasRole
