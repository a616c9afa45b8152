"""The parts that all operations of the OpenAPI document share: security, problems, tokens.

drf-spectacular finds the paths, bodies and answers of the views. This module adds the statuses that the layers in front
of a view may answer, by the authenticators, permissions and parsers of the view. It marks public operations, and
documents the two operations of allauth that a program needs: log in, and refresh.
"""

import re
from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework import authentication, parsers, permissions

from auction_project.web import openapi_examples

_PROBLEM = "application/problem+json"
_RETRY_AFTER = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds until the next try."}}
_CHALLENGE = {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "Bearer"}}
_MEANINGS: dict[int, str] = {
    400: "The request cannot be understood; `field` names the part at fault.",
    401: "The access token is missing, forged or expired: fetch a fresh one.",
    403: "This account may not do this.",
    404: "There is no such thing, or you may not see it.",
    406: "The `Accept` header leaves out JSON.",
    408: "The body did not arrive within `limit_seconds`.",
    409: "The state of the thing does not allow this.",
    410: "The session of the token has ended: log in again.",
    413: "The body is too large; `limit_bytes` says how much is read.",
    415: "The body is not of a type that is read here.",
    422: "The Idempotency-Key was used for something else.",
    429: "Too often: wait for as many seconds as Retry-After says.",
    503: "A store is unavailable: send the request again, under the same key, after Retry-After.",
}
_HEADERS = {401: _CHALLENGE, 429: _RETRY_AFTER, 503: _RETRY_AFTER}


class Schema(AutoSchema):
    """The operation of one view and method."""

    def get_auth(self) -> list[dict[str, Any]]:
        """Nothing for a public operation, which has no permission that needs a user."""
        return super().get_auth() if self.view.get_permissions() else []

    def get_operation(self, *arguments: Any, **options: Any) -> dict[str, Any] | None:
        operation = super().get_operation(*arguments, **options)
        if operation is None:
            return None
        operation.setdefault("security", [])
        answers = operation["responses"]
        for status in self._common_statuses(operation):
            answers.setdefault(str(status), {"$ref": f"#/components/responses/Problem{status}"})
        for status, answer in answers.items():
            if status >= "400" and "$ref" not in answer:
                answer["content"] = {_PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
                answer |= {"headers": _HEADERS[int(status)]} if int(status) in _HEADERS else {}
        operation["responses"] = dict(sorted(answers.items()))
        return operation

    def _common_statuses(self, operation: dict[str, Any]) -> set[int]:
        statuses = {400, 406, 429, 503}
        authenticators = self.view.get_authenticators()
        if authenticators or operation["security"]:
            statuses.add(401)
        by_cookie = any(isinstance(each, authentication.SessionAuthentication) for each in authenticators)
        rules = [
            each for each in self.view.get_permissions() if type(each) is not permissions.IsAuthenticated
        ]
        if by_cookie or rules:
            statuses.add(403)
        if any(parameter["in"] == "path" for parameter in operation.get("parameters", ())):
            statuses.add(404)
        if self.method in ("POST", "PUT", "PATCH"):
            statuses |= {408, 413, 415}
        return statuses

    def map_parsers(self) -> list[str]:
        """A view that takes no files takes JSON alone."""
        types: list[str] = super().map_parsers()
        return (
            types if any(each is not parsers.JSONParser for each in self.view.parser_classes) else types[:1]
        )


def complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """drf-spectacular's hook: add what belongs to no single view."""
    components = result["components"]
    components["responses"] = {
        f"Problem{status}": _problem_response(status, meaning) for status, meaning in _MEANINGS.items()
    }
    schemas = components["schemas"]
    schemas |= {"Problem": _PROBLEM_SCHEMA, "LogIn": _LOG_IN, "LoggedIn": _LOGGED_IN}
    schemas |= {"Refresh": _REFRESH, "Refreshed": _REFRESHED}
    result["paths"] = dict(sorted((result["paths"] | _ALLAUTH).items()))
    for name, example in openapi_examples.EXAMPLES.items():
        if name in schemas:
            schemas[name]["example"] = example
    for operations in result["paths"].values():
        for operation in operations.values():
            operation.setdefault("summary", _first_clause(operation.get("description", "")))
    _drop_marks(result)
    return result


def _first_clause(text: str) -> str:
    """What the list of operations shows of one that has only a description."""
    return re.split(r"[.;:]", text, maxsplit=1)[0]


def _drop_marks(part: Any) -> None:
    """Remove drf-spectacular's internal marks."""
    if isinstance(part, dict):
        part.pop("x-spec-enum-id", None)
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _drop_marks(each)


def _problem_response(status: int, meaning: str) -> dict[str, Any]:
    example = openapi_examples.problem(status, meaning)
    content = {_PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
    headers = {"headers": _HEADERS[status]} if status in _HEADERS else {}
    return {"description": meaning, "content": content, **headers}


_PROBLEM_SCHEMA = {
    "type": "object",
    "description": "RFC 9457. Beside these members stand the figures of the rule; amounts are decimal strings.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "description": "A page that says what to do."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence for people."},
        "code": {"type": "string", "description": "The stable name of the situation."},
        "field": {"type": "string", "description": "The field at fault, where there is one."},
    },
    "additionalProperties": True,
}
_TOKEN = {"type": "string"}
_LOG_IN = {
    "type": "object",
    "required": ["email", "password"],
    "properties": {
        "email": {"type": "string", "format": "email", "maxLength": 254},
        "password": {"type": "string", "maxLength": 200},
    },
}
_LOGGED_IN = {
    "type": "object",
    "required": ["status", "data", "meta"],
    "properties": {
        "status": {"type": "integer"},
        "data": {"type": "object", "description": "The user and how they logged in."},
        "meta": {
            "type": "object",
            "required": ["is_authenticated", "access_token", "refresh_token"],
            "properties": {
                "is_authenticated": {"type": "boolean"},
                "access_token": _TOKEN,
                "refresh_token": _TOKEN,
                "session_token": {**_TOKEN, "description": "For allauth's own operations."},
            },
        },
    },
}
_REFRESH = {"type": "object", "required": ["refresh_token"], "properties": {"refresh_token": _TOKEN}}
_REFRESHED = {
    "type": "object",
    "required": ["status", "data"],
    "properties": {
        "status": {"type": "integer"},
        "data": {
            "type": "object",
            "required": ["access_token", "refresh_token"],
            "properties": {"access_token": _TOKEN, "refresh_token": _TOKEN},
        },
    },
}


def _operation(name: str, summary: str, text: str, body: str, answer: str, *statuses: int) -> dict[str, Any]:
    def json_of(schema: str) -> dict[str, Any]:
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}

    problems = {
        str(status): {"$ref": f"#/components/responses/Problem{status}"}
        for status in sorted({*statuses, 400, 408, 413, 415, 429, 503})
    }
    return {
        "post": {
            "operationId": name,
            "summary": summary,
            "description": text,
            "tags": ["accounts"],
            "security": [],
            "requestBody": {"required": True, "content": json_of(body)},
            "responses": {"200": {"description": "", "content": json_of(answer)}, **problems},
        }
    }


_ALLAUTH = {
    "/_allauth/app/v1/auth/login": _operation(
        "log_in",
        "Log in",
        "`meta.access_token` is for `Authorization: Bearer …` and lasts five minutes; `meta.refresh_token` gets the next "
        "pair. 401 without a token: another step is due, which `data.flows` names (verify the address, a second factor).",
        "LogIn",
        "LoggedIn",
        401,
        403,
        409,
    ),
    "/_allauth/app/v1/tokens/refresh": _operation(
        "refresh_tokens",
        "Get the next tokens",
        "A refresh token holds once and lasts a day: keep the new one. A repeat within ten seconds gets the same successor; a "
        "later one ends the session.",
        "Refresh",
        "Refreshed",
        401,
        403,
    ),
}
