"""Whoever tries too often is told which limit it was, and when to come again."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework import exceptions

from auction_project import api
from auction_project.accounts import limits, models

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
        "detail": "Too many tokens were asked for. Use the one you have until it ends.",
        "code": "too_many_tokens",
        "retry_after_seconds": 60,
        "rule": "token",
        "limit": "30/m/user",
    }


def test_a_page_that_was_tried_too_often_says_when_to_come_again() -> None:
    browser = Client()

    answers = [browser.post("/accounts/login/", {"login": "x", "password": "y"}) for _ in range(31)]

    assert [answer.status_code for answer in answers] == [200] * 30 + [429]
    assert answers[-1].headers["Retry-After"] == "60"
    assert b"One moment, please" in answers[-1].content


def test_a_throttle_of_the_framework_becomes_the_same_problem() -> None:
    answer = api.exception_handler(exceptions.Throttled(wait=2.1), {})

    assert answer is not None
    assert (answer.status_code, answer.headers["Retry-After"], answer.data["rule"]) == (429, "3", "requests")


def test_the_wait_is_the_longest_window_of_the_limit(settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login": "30/m/ip,5/2h/key"}

    assert limits.figures_of("login") == {
        "rule": "login",
        "limit": "30/m/ip,5/2h/key",
        "retry_after_seconds": 7200,
    }
