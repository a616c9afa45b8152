"""The API for programs: every error is problem+json that keeps what allauth's clients read, and no body breaks it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import Client, RequestFactory

from auction_project.accounts import headless, models
from auction_project.accounts.tests.conftest import PASSWORD, App

pytestmark = pytest.mark.django_db(databases=["default"])
Make = Callable[..., models.User]
AUTH = "/_allauth/app/v1/auth/"
LOGIN, SIGNUP = AUTH + "login", AUTH + "signup"
REFRESH = "/_allauth/app/v1/tokens/refresh"
PATHS = (
    LOGIN,
    SIGNUP,
    AUTH + "password/request",
    AUTH + "password/reset",
    AUTH + "email/verify",
    REFRESH,
)
HOUSE = {"type", "title", "status", "detail", "code"}


def send(path: str, body: bytes, content_type: str = "application/json", **more: Any) -> tuple[int, Any]:
    """The status and the problem of a request that must be refused so."""
    client = Client(raise_request_exception=False)
    answer = client.generic(more.pop("method", "POST"), path, body, content_type=content_type, **more)
    assert answer.headers["Content-Type"] == "application/problem+json", answer.content[:200]
    problem = answer.json()
    assert set(problem) >= HOUSE
    assert problem["status"] == answer.status_code
    assert problem["type"] == f"/problems/{problem['code']}"
    return answer.status_code, problem


def all_fields(value: str) -> bytes:
    """A body with `value`, written as JSON, in every field that one of the paths has."""
    fields = ("email", "password", "key", "refresh_token")
    said = ", ".join(f'"{name}": {value}' for name in fields)
    return f"{{{said}}}".encode()


BROKEN = {
    "nothing that is JSON": b"{",
    "no UTF-8": b'{"email": "\xff"}',
    "a list": b"[]",
    "null": b"null",
    "a word": b'"x"',
    "a name that does not exist": b'{"\\ud800": "x"}',
    "a number of 5,000 digits": b'{"email": ' + b"1" * 5000 + b"}",
    "100,000 brackets": b"[" * 100_000,
    "100,000 objects": b'{"a":' * 100_000,
}
WRONG = {
    "numbers": all_fields("1"),
    "not a number": all_fields("NaN"),
    "infinity": all_fields("1e999"),
    "lists": all_fields("[1]"),
    "objects": all_fields('{"a": 1}'),
    "half a character": all_fields('"\\ud800"'),
    "half a character in an address": all_fields('"ada@ex\\udfffmple.org"'),
}
REFUSED_BY_FORMS = {
    "nulls": all_fields("null"),
    "truth": all_fields("true"),
    "no fields": b"{}",
    "other fields": b'{"e-mail": "ada@example.org"}',
    "NUL": all_fields('"\\u0000"'),
    "NUL inside": all_fields('"ada\\u0000@example.org"'),
    "60,000 letters": all_fields(json.dumps("x" * 60_000)),
    "an address of 60,000 letters": all_fields(json.dumps("x" * 60_000 + "@example.org")),
    "snow": all_fields('"\\u2603@\\u2603.\\u2603"'),
    "an emoji": all_fields('"\\ud83d\\ude00"'),
    "a key's form": all_fields('"zzzzzzzzzzzzzzzzz-0-0"'),
    "dots": all_fields('"a.b.c"'),
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_a_body_that_is_no_json_object_is_400(body: bytes) -> None:
    for path in PATHS:
        status, problem = send(path, body)

        assert (status, problem["code"], problem["field"]) == (400, "body_invalid", "body")
        assert [(each["param"], each["code"]) for each in problem["errors"]] == [("body", "invalid")]


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG.keys())
def test_a_value_that_is_no_text_is_400_and_named(body: bytes) -> None:
    for path in PATHS:
        status, problem = send(path, body)

        assert (status, problem["code"], problem["field"]) == (400, "body_invalid", "email")
        assert [(each["param"], each["code"]) for each in problem["errors"]] == [("email", "invalid")]
    assert models.User.objects.count() == 0


@pytest.mark.parametrize("body", REFUSED_BY_FORMS.values(), ids=REFUSED_BY_FORMS.keys())
def test_text_that_cannot_be_right_is_400_with_field_and_rule(body: bytes) -> None:
    for path in PATHS:
        status, problem = send(path, body)

        assert status == 400
        assert problem["field"] == problem["errors"][0]["param"]
        assert all(each["param"] and each["code"] and each["message"] for each in problem["errors"])
    assert models.User.objects.count() == 0


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "json",
        "a" * 9000,
    ],
)
def test_another_content_type_is_415(content_type: str) -> None:
    for path in PATHS:
        status, problem = send(path, b"[" * 100_000, content_type)

        assert (status, problem["code"], problem["field"]) == (415, "wrong_content_type", "Content-Type")


def test_a_list_is_no_password(make: Make) -> None:
    body = {"email": "ada@example.org", "password": list(range(10))}

    status, problem = send(SIGNUP, json.dumps(body).encode())

    assert (status, problem["field"], models.User.objects.count()) == (400, "password", 0)


def test_missing_fields_are_all_named() -> None:
    _, problem = send(LOGIN, b"{}")

    assert [(each["param"], each["code"]) for each in problem["errors"]] == [
        ("email", "required"),
        ("password", "required"),
    ]
    assert (problem["code"], problem["field"], problem["detail"]) == (
        "invalid",
        "email",
        "This field is required.",
    )


def test_a_wrong_password_names_the_rule(make: Make) -> None:
    make("ada")

    status, problem = send(LOGIN, b'{"email": "ada@example.org", "password": "guess"}')

    assert (status, problem["field"], problem["errors"][0]["code"]) == (
        400,
        "password",
        "email_password_mismatch",
    )


def test_a_log_in_before_the_verification_names_the_next_step_and_keeps_data_meta_and_session() -> None:
    body = json.dumps({"email": "ada@example.org", "password": PASSWORD}).encode()

    status, problem = send(SIGNUP, body)

    assert (status, problem["code"]) == (401, "email_not_verified")
    assert {"id": "verify_email", "is_pending": True} in problem["data"]["flows"]
    assert problem["meta"]["is_authenticated"] is False
    assert len(problem["meta"]["session_token"]) == 32


def test_without_a_user_the_answer_is_401_and_says_how_to_sign_in() -> None:
    answer = Client().get(AUTH + "session")

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert {"id": "login"} in answer.json()["data"]["flows"]


def test_a_session_that_is_not_there_is_410() -> None:
    status, problem = send(AUTH + "session", b"", method="GET", headers={"X-Session-Token": "x" * 5000})

    assert (status, problem["code"]) == (410, "session_ended")


def test_signing_in_twice_is_409(app: App, make: Make) -> None:
    make("ada")
    session = app.log_in("ada")["session_token"]

    status, problem = app.post(LOGIN, {"email": "ada@example.org", "password": PASSWORD}, session=session)

    assert (status, problem["code"], problem["type"]) == (409, "conflict", "/problems/conflict")


def test_a_refresh_token_that_does_not_hold_is_named() -> None:
    status, problem = send(REFRESH, b'{"refresh_token": "abc"}')

    assert (status, problem["code"], problem["field"]) == (400, "refresh_token_invalid", "refresh_token")
    assert problem["errors"] == [{"message": problem["detail"], "code": "invalid", "param": "refresh_token"}]


def test_another_method_is_405_and_another_path_404() -> None:
    assert send(SIGNUP, b"", method="PUT")[1]["code"] == "method_not_allowed"
    assert Client().put(SIGNUP).headers["Allow"] == "POST, OPTIONS"
    assert send(AUTH + "nothing", b"", method="GET")[1]["code"] == "not_found"


def test_a_browser_without_its_csrf_token_gets_a_problem() -> None:
    answer = Client(enforce_csrf_checks=True).post(
        "/_allauth/browser/v1/auth/login", "{}", content_type="application/json"
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_too_many_tries_name_the_limit_and_the_wait() -> None:
    answers = [Client().post(LOGIN, "{}", content_type="application/json") for _ in range(31)]

    assert [answer.status_code for answer in answers] == [400] * 30 + [429]
    assert answers[-1].headers["Retry-After"] == "60"
    assert answers[-1].json() == {
        "type": "/problems/too_often",
        "title": "Too often",
        "status": 429,
        "detail": "Too many requests. Wait as long as Retry-After says.",
        "code": "too_often",
        "retry_after_seconds": 60,
        "rule": "login",
        "limit": "30/m/ip",
    }


def test_what_went_well_is_left_as_it_is(app: App, make: Make) -> None:
    make("ada")

    answer = Client().post(
        LOGIN, {"email": "ada@example.org", "password": PASSWORD}, content_type="application/json"
    )

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert set(answer.json()) == {"status", "data", "meta"}


@pytest.mark.parametrize(
    ("answer", "status"),
    [(JsonResponse({"status": 500}, status=500), 409), (HttpResponse("<html>", status=500), 500)],
)
def test_a_verification_that_was_overtaken_is_409_and_a_bug_stays_500(
    answer: HttpResponse, status: int
) -> None:
    """allauth answers 500 when an address was verified elsewhere between its check and its write."""

    def view(_: HttpRequest) -> HttpResponse:
        return answer

    response = headless.HeadlessMiddleware(view)(RequestFactory().get(AUTH + "email/verify"))

    assert response.status_code == status
