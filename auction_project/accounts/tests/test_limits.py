"""Too many attempts: the answer names the limit and the seconds to wait."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import caches
from django.test import Client
from rest_framework import exceptions

from auction_project.accounts import devices, limits, metrics, models
from auction_project.accounts.tests.conftest import PASSWORD
from auction_project.kernel.http import rest
from auction_project.web import cache

pytestmark = pytest.mark.django_db(databases=["default"])
Make = Callable[..., models.User]


def test_too_many_tokens_name_the_limit_and_the_wait(make: Make) -> None:
    browser = Client()
    browser.force_login(make("ada"))

    answer = [browser.generic("POST", "/api/v1/token") for _ in range(31)][-1]

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "/problems/too_many_tokens",
        "title": "Too many tokens",
        "status": 429,
        "detail": "Too many requests for tokens. Use the token that you have until it ends.",
        "code": "too_many_tokens",
        "retry_after_seconds": 60,
        "rule": "token",
        "limit": "30/m/user",
    }


def test_a_page_that_was_tried_too_often_says_when_to_come_again() -> None:
    browser = Client(headers={"Accept": "text/html"})

    answers = [browser.post("/accounts/login/", {"login": "x", "password": "y"}) for _ in range(31)]

    assert [answer.status_code for answer in answers] == [200] * 30 + [429]
    assert answers[-1].headers["Retry-After"] == "60"
    assert b"<h1>Too many attempts</h1>" in answers[-1].content
    assert b"Try again in 60 seconds." in answers[-1].content


LOGIN = "/_allauth/app/v1/auth/login"
WRONG = {"login": "ada@example.org", "password": "guess"}
RIGHT = WRONG | {"password": PASSWORD}


def enters(browser: Client) -> bool:
    answer = browser.post("/accounts/login/", RIGHT)
    browser.post("/accounts/logout/")
    return answer.status_code == 302


def from_address(number: int) -> Client:
    return Client(REMOTE_ADDR=f"192.0.2.{number}")


def guess(times: int = 5) -> None:
    for number in range(times):
        from_address(number).post("/accounts/login/", WRONG)


def test_a_stranger_who_guesses_does_not_lock_out_the_owner_on_a_known_device(make: Make) -> None:
    make("ada")
    owner = from_address(200)
    assert enters(owner)

    guess()

    assert not enters(from_address(201))
    assert enters(owner)


def test_a_known_device_has_a_limit_of_its_own(make: Make) -> None:
    make("ada")
    owner = from_address(200)
    assert enters(owner)

    for _ in range(5):
        owner.post("/accounts/login/", WRONG)

    assert not enters(owner)
    assert enters(from_address(201))


def test_the_cookie_of_a_device_is_signed_and_for_one_account(make: Make) -> None:
    make("ada")
    make("bob")
    owner = from_address(200)
    owner.post("/accounts/login/", {"login": "bob@example.org", "password": PASSWORD})
    owner.post("/accounts/logout/")
    assert enters(owner)
    of_ada, of_bob = devices._name("ada@example.org"), devices._name("bob@example.org")
    cookie = owner.cookies[of_ada]
    assert (cookie["httponly"], cookie["max-age"]) == (True, devices.MAX_AGE_SECONDS)

    guess()

    for forged in ("x", owner.cookies[of_bob].value, cookie.value[:-1] + "_"):
        thief = from_address(202)
        thief.cookies[of_ada] = forged
        assert not enters(thief)


def test_a_made_up_port_has_no_limit_of_its_own(make: Make) -> None:
    make("ada")

    for port in range(5):
        Client(SERVER_NAME="testserver", SERVER_PORT=str(8000 + port), REMOTE_ADDR=f"192.0.2.{port}").post(
            "/accounts/login/", WRONG
        )

    assert not enters(from_address(201))


def test_guesses_are_limited_while_redis_is_unavailable(
    make: Make, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("ada")
    monkeypatch.setattr(cache.OptionalCache, "_unavailable_until", 0.0)
    settings.CACHES = {
        "default": {"BACKEND": "auction_project.web.cache.OptionalCache", "LOCATION": "redis://127.0.0.1:1/0"}
    }
    caches["default"]._limits.clear()

    guess()

    assert not enters(from_address(201))
    caches["default"]._limits.clear()
    assert enters(from_address(201))


def lines(records: list[Any], event: str) -> list[dict[str, Any]]:
    return [record.msg for record in records if record.msg["event"] == event]


def count(outcome: str) -> float:
    return metrics.LOGINS.labels(outcome)._value.get()


def test_attempts_are_logged_and_counted_without_secrets(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    ada = make("ada")
    before = {outcome: count(outcome) for outcome in ("succeeded", "failed", "locked")}
    caplog.set_level(logging.INFO, logger="auction_project.accounts")
    owner = from_address(200)
    enters(owner)
    enters(owner)
    guess(6)

    assert {outcome: count(outcome) - before[outcome] for outcome in before} == {
        "succeeded": 2,
        "failed": 5,
        "locked": 1,
    }
    entered = lines(caplog.records, "login_succeeded")
    assert [(line["user_id"], line["ip"], line["known_device"]) for line in entered] == [
        (ada.id, "192.0.2.200", False),
        (ada.id, "192.0.2.200", True),
    ]
    assert [line["ip"] for line in lines(caplog.records, "login_failed")] == [
        f"192.0.2.{n}" for n in range(5)
    ]
    [locked] = lines(caplog.records, "login_locked")
    assert locked["ip"] == "192.0.2.5"
    for secret in (PASSWORD, "guess", "ada@example.org", owner.cookies[devices._name(ada.email)].value):
        assert secret not in caplog.text


def test_a_request_that_a_limit_refused_is_logged_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    before = metrics.REFUSED_BY_LIMIT.labels("login")._value.get()

    for _ in range(31):
        Client().post(LOGIN, "{}", content_type="application/json")

    assert metrics.REFUSED_BY_LIMIT.labels("login")._value.get() - before == 1
    assert [line["rule"] for line in lines(caplog.records, "request_limited")] == ["login"]


def test_a_throttle_of_the_framework_becomes_the_same_problem() -> None:
    answer = rest.exception_handler(exceptions.Throttled(wait=2.1), {})

    assert answer is not None
    assert (answer.status_code, answer.headers["Retry-After"], answer.data["rule"]) == (429, "3", "requests")


def test_the_wait_is_the_longest_window_of_the_limit(settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login": "30/m/ip,5/2h/key"}

    assert limits.figures_of("login") == {
        "rule": "login",
        "limit": "30/m/ip,5/2h/key",
        "retry_after_seconds": 7200,
    }
