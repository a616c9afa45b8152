"""Accounts to test with, and limits that no other test has used up."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from auction_project.accounts import models, services
from auction_project.kernel import contracts

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PASSWORD = "the quick brown fox"
SITE = "https://gavel.example"


@pytest.fixture(autouse=True)
def own_cache(settings: Any) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "accounts-tests"}
    }
    cache.clear()


@pytest.fixture(autouse=True)
def own_site(settings: Any) -> None:
    """Not the host of the test client's requests."""
    settings.PUBLIC_URL = f"{SITE}/"


@pytest.fixture
def make() -> Callable[..., models.User]:
    """Makes a verified bidder of that name, with more roles if given."""

    def make(name: str, *roles: str, **more: Any) -> models.User:
        return services.create_account(
            email=f"{name}@example.org",
            password=PASSWORD,
            roles=roles,
            verified=more.pop("verified", True),
            actor="command",
            now=NOW,
            **more,
        )

    return make


class App:
    """A program that talks JSON, as curl would."""

    def __init__(self, host: str = "testserver") -> None:
        self._client = Client(raise_request_exception=False, SERVER_NAME=host)

    def send(
        self, method: str, path: str, body: Any = None, *, token: str = "", session: str = ""
    ) -> tuple[int, Any]:
        headers = {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if session:
            headers["X-Session-Token"] = session
        data = body if isinstance(body, str) else json.dumps(body) if body is not None else ""
        answer = self._client.generic(method, path, data, content_type="application/json", headers=headers)
        return answer.status_code, json.loads(answer.content) if answer.content else None

    def post(self, path: str, body: Any = None, **credentials: str) -> tuple[int, Any]:
        return self.send("POST", path, body, **credentials)

    def get(self, path: str, **credentials: str) -> tuple[int, Any]:
        return self.send("GET", path, **credentials)

    def log_in(self, name: str) -> dict[str, Any]:
        """`meta` of the answer: access_token, refresh_token, session_token."""
        status, body = self.post(
            "/_allauth/app/v1/auth/login", {"email": f"{name}@example.org", "password": PASSWORD}
        )
        assert status == 200, body
        return body["meta"]

    def confirm_it_is_you(self, session: str) -> None:
        status, body = self.post(
            "/_allauth/app/v1/auth/reauthenticate", {"password": PASSWORD}, session=session
        )
        assert status == 200, body


@pytest.fixture
def app() -> App:
    return App()


def claims_of(user: models.User, **changed: Any) -> dict[str, Any]:
    """The claims of a good access token; `changed` overrides them, None leaves one out."""
    now = int(time.time())
    claims = {
        "sub": user.id,
        "iat": now,
        "exp": now + 300,
        "token_use": "access",
        "roles": ["bidder", "operator"],
        "email_verified": True,
        "created_at": 1,
    }
    return {name: value for name, value in (claims | changed).items() if value is not None}


def ended(user_id: str) -> list[str]:
    """The ids of the sessions that the outbox says have ended, in order."""
    rows = models.Outbox.objects.filter(key=user_id, type="SessionEnded").order_by("id")
    return [contracts.decode(bytes(row.body))[1].session_id for row in rows]


def published(user_id: str) -> list[tuple[int, contracts.events.AccountChanged]]:
    """(version, event) of each AccountChanged of the account in the outbox, in order."""
    rows = models.Outbox.objects.filter(key=user_id, type="AccountChanged").order_by("id")
    return [
        (envelope.version, event) for envelope, event in (contracts.decode(bytes(row.body)) for row in rows)
    ]
