"""The dialect of the REST views of all apps: strict bodies and queries, access tokens, and errors as problems.

* A view is `<Resource>View`. Each method reads what comes in, makes one call of a service or a selector, and answers.
  Its docstring describes the operation, and `openapi.extend_schema` (drf_spectacular.utils) names `request`,
  `parameters`, `responses` and the tag of the app.
* What comes in is a StrictSerializer, `<Thing>Body` or `<Thing>Query`, and is read by `of`. What goes out has the name
  of the thing (`Account`), without a suffix: the OpenAPI document calls it so.
* Instants are integers, milliseconds since the epoch. Amounts are decimal strings with a currency beside them.
  `api_schemas` has their fields, `paging` the lists in pages, `idempotency` the header Idempotency-Key.
* A refusal is an error class of `kernel.errors` with a docstring. `responses` lists those of the operation by
  `api_schemas.refusal`; `web.openapi_document` adds those that all operations share.
"""

import math
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, QueryDict
from rest_framework import authentication, exceptions, permissions, request, response, serializers
from rest_framework.settings import api_settings

from auction_project.kernel import errors, tokens
from auction_project.kernel.http import problems

# --- errors --------------------------------------------------------------------------------------------------------


def exception_handler(error: Exception, _context: dict[str, Any]) -> response.Response | None:
    """Django REST framework's hook: every error of a view becomes a problem, but for outages and bugs (None)."""
    domain = _as_domain_error(error)
    if domain is None:
        return None
    status, body = problems.problem(domain)
    headers = problems.headers(domain, status)
    return response.Response(body, status=status, content_type=problems.CONTENT_TYPE, headers=headers)


def _as_domain_error(error: Exception) -> errors.DomainError | None:
    """Ours as it is, the framework's translated; None for outages and bugs, which the middleware handles."""
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
        return problems.MethodNotAllowed(str(error.detail))
    if isinstance(error, exceptions.UnsupportedMediaType):
        return problems.WrongContentType(str(error.detail), field="Content-Type")
    if isinstance(error, exceptions.Throttled):
        return errors.TooOften(retry_after_seconds=math.ceil(error.wait or 60), rule="requests")
    if isinstance(error, exceptions.APIException):
        translated = errors.Invalid(str(error.detail))
        translated.http_status = error.status_code  # type: ignore[attr-defined]
        return translated
    return None


def _from_validation(error: exceptions.ValidationError) -> errors.Invalid:
    """The first flaw, with the path to its field: `soft_close.window_ms`."""
    detail: Any = error.detail
    path: list[str] = []
    while isinstance(detail, dict | list) and detail:
        if isinstance(detail, dict):
            name, detail = next(iter(detail.items()))
            if name != api_settings.NON_FIELD_ERRORS_KEY:  # a flaw of the whole, whose name is in the path
                path.append(str(name))
        else:
            detail = detail[0]
    return errors.Invalid(str(detail), field=".".join(path) or None)


# --- bodies and queries --------------------------------------------------------------------------------------------

_JSON_TYPES: tuple[tuple[Any, tuple[type, ...], str], ...] = (
    ((serializers.CharField, serializers.ChoiceField), (str,), "Not a string."),
    (serializers.IntegerField, (int, float), "Not a number."),
    (serializers.BooleanField, (bool,), "Neither true nor false."),
)


class StrictSerializer(serializers.Serializer[Any]):
    """A body or a query. A field that it does not declare is refused by name.

    JSON has types of its own, so a JSON number is not taken for a text, nor a text for a number. Forms and queries hold
    text alone: an empty one is refused where the field may not be empty, and not taken for one that was left out.
    """

    def to_internal_value(self, data: Any) -> Any:
        if hasattr(data, "keys"):
            for name in data:
                if name not in self.fields:
                    raise serializers.ValidationError({str(name)[:100]: "There is no such field."})
            if hasattr(data, "getlist"):
                self._refuse_empty_texts(data)
            else:
                self._refuse_other_types(data)
        return super().to_internal_value(data)

    def _refuse_empty_texts(self, data: Any) -> None:
        for name, field in self.fields.items():
            if data.get(name) == "" and not getattr(field, "allow_blank", False):
                raise serializers.ValidationError(
                    {name: field.error_messages.get("blank", "May not be empty.")}
                )

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


class FormBody(StrictSerializer):
    """A body that comes as JSON or as a form. An empty field of a form is a field, as in JSON: Django REST framework takes
    it for one that was left out. A form in which no field can be read is refused: its sender meant to send one."""

    @classmethod
    def of(cls, data: Any) -> dict[str, Any]:
        if isinstance(data, QueryDict):
            if not data:
                raise serializers.ValidationError("The form has no field that can be read.")
            data = data.dict()
        return super().of(data)


class NothingBody(StrictSerializer):
    """A body without fields."""


# --- users and roles -----------------------------------------------------------------------------------------------


class AccessTokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer <access token>`: `request.user` becomes the claims of the token, without a database."""

    def authenticate(self, request: request.Request) -> tuple[tokens.Claims, None] | None:
        """None without the header. Raises tokens.InvalidToken."""
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
