"""The REST views, for no user, another user and the right one; the limits; CSRF."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from auction_project.accounts import models, services
from auction_project.accounts.tests.conftest import NOW, PASSWORD, App

pytestmark = pytest.mark.django_db(databases=["default"])
Make = Callable[..., models.User]
TOKEN = "/api/v1/token"


def roles_path(user: models.User) -> str:
    return f"/api/v1/accounts/{user.id}/roles"


def test_me_needs_a_token(app: App) -> None:
    status, problem = app.get("/api/v1/me")

    assert (status, problem["code"]) == (401, "unauthenticated")


def test_me_is_whose_token_it_is(app: App, make: Make) -> None:
    ada, bob = make("ada"), make("bob", "seller")

    assert app.get("/api/v1/me", token=app.log_in("ada")["access_token"])[1]["sub"] == ada.id
    assert app.get("/api/v1/me", token=app.log_in("bob")["access_token"])[1]["sub"] == bob.id


def test_without_a_token_no_role_is_granted(app: App, make: Make) -> None:
    ada = make("ada")

    assert app.post(roles_path(ada), {"grant": "seller"})[0] == 401
    assert models.User.objects.get(pk=ada.id).version == 1


@pytest.mark.parametrize("roles", [(), ("seller",)])
def test_a_user_who_is_not_an_operator_cannot_grant_a_role_even_to_the_own_account(
    app: App, make: Make, roles: tuple[str, ...]
) -> None:
    ada, bob = make("ada", *roles), make("bob")
    token = app.log_in("ada")["access_token"]

    for target in (ada, bob):
        status, problem = app.post(roles_path(target), {"grant": "seller"}, token=token)
        assert (status, problem["code"]) == (403, "forbidden")
    assert list(models.User.objects.values_list("version", flat=True)) == [1, 1]


def test_an_operator_grants_and_revokes_and_is_recorded(app: App, make: Make) -> None:
    ada, olga = make("ada"), make("olga", "operator")
    token = app.log_in("olga")["access_token"]

    status, granted = app.post(roles_path(ada), {"grant": "seller", "reason": "Sells lamps."}, token=token)
    assert (status, granted["sub"], granted["roles"]) == (200, ada.id, ["bidder", "seller"])
    status, revoked = app.post(roles_path(ada), {"revoke": "seller"}, token=token)
    assert (status, revoked["roles"]) == (200, ["bidder"])

    assert [(a.act, a.reason, a.actor) for a in ada.actions.all()] == [
        ("ROLE_REVOKED", "By an operator.", olga.id),
        ("ROLE_GRANTED", "Sells lamps.", olga.id),
    ]


def test_an_operator_changes_neither_the_own_roles_nor_those_of_a_colleague(app: App, make: Make) -> None:
    olga, otto = make("olga", "operator"), make("otto", "operator", "seller")
    token = app.log_in("olga")["access_token"]

    answers = [
        app.post(roles_path(user), {act: role}, token=token)
        for user in (olga, otto)
        for act, role in (("grant", "seller"), ("revoke", "bidder"))
    ]

    assert [(status, problem["code"]) for status, problem in answers] == [(403, "own_account")] * 2 + [
        (403, "superuser_needed")
    ] * 2
    assert list(models.User.objects.values_list("version", flat=True)) == [1, 1]


def test_an_operator_who_is_none_any_more_grants_nothing_with_his_old_token(app: App, make: Make) -> None:
    ada, olga = make("ada"), make("olga", "operator")
    token = app.log_in("olga")["access_token"]

    services.revoke_role(user_id=olga.id, role="operator", reason="x", actor="command", now=NOW)

    assert app.post(roles_path(ada), {"grant": "seller"}, token=token)[0] == 403
    assert models.User.objects.get(pk=ada.id).version == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "grant"),
        ({"grant": "seller", "revoke": "bidder"}, "grant"),
        ({"grant": "operator"}, "grant"),
        ({"revoke": "operator"}, "revoke"),
        ({"grant": "king"}, "grant"),
        ({"grant": ["seller"]}, "grant"),
        ({"grant": "seller", "reason": ""}, "reason"),
        ({"grant": "seller", "reason": "\x00"}, "reason"),
        ({"grant": "seller", "reason": "x" * 501}, "reason"),
        ({"grant": "seller", "superuser": True}, "superuser"),
    ],
)
def test_a_bad_change_of_roles_names_the_field_and_changes_nothing(
    app: App, make: Make, body: dict[str, Any], field: str
) -> None:
    ada, _ = make("ada"), make("olga", "operator")

    status, problem = app.post(roles_path(ada), body, token=app.log_in("olga")["access_token"])

    assert (status, problem["field"]) == (400, field)
    assert models.User.objects.get(pk=ada.id).version == 1


@pytest.mark.parametrize("user_id", ["0" * 32, "x", "\N{SNOWMAN}", "%00"])
def test_the_roles_of_an_account_that_is_not_there_are_404(app: App, make: Make, user_id: str) -> None:
    make("olga", "operator")

    status, problem = app.post(
        f"/api/v1/accounts/{user_id}/roles", {"grant": "seller"}, token=app.log_in("olga")["access_token"]
    )

    assert (status, problem["code"]) == (404, "account_not_found")


def test_a_closed_account_is_granted_nothing(app: App, make: Make) -> None:
    ada, _ = make("ada"), make("olga", "operator")
    services.close_account(user_id=ada.id, reason="x", actor="command", now=NOW)

    status, problem = app.post(roles_path(ada), {"grant": "seller"}, token=app.log_in("olga")["access_token"])

    assert (status, problem["code"], problem["state"]) == (409, "wrong_account_state", "CLOSED")


def signed_in(csrf: bool = False) -> Client:
    browser = Client(enforce_csrf_checks=csrf)
    browser.force_login(models.User.objects.get(email="ada@example.org"))
    return browser


def test_a_page_gets_no_token_without_a_session(make: Make) -> None:
    make("ada")

    answer = Client().generic("POST", TOKEN)

    assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/problem+json")


def test_a_page_gets_no_token_without_its_csrf_token(make: Make) -> None:
    make("ada")
    browser = signed_in(csrf=True)
    browser.cookies["csrftoken"] = "a" * 32

    refused = browser.generic("POST", TOKEN)
    given = browser.generic("POST", TOKEN, headers={"X-CSRFToken": "a" * 32})

    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert (given.status_code, given.json()["expires_in"]) == (200, 300)


def test_a_bearer_token_buys_no_other_token(app: App, make: Make) -> None:
    make("ada")

    assert app.post("/api/v1/token", token=app.log_in("ada")["access_token"])[0] == 401


def test_a_token_request_with_fields_is_refused(make: Make) -> None:
    make("ada")

    answer = signed_in().post("/api/v1/token", {"roles": ["operator"]}, content_type="application/json")

    assert (answer.status_code, answer.json()["field"]) == (400, "roles")


def test_tokens_are_limited_by_user(make: Make) -> None:
    make("ada")
    make("bob")
    browser, other = signed_in(), Client()
    other.force_login(models.User.objects.get(email="bob@example.org"))

    assert [browser.generic("POST", TOKEN).status_code for _ in range(31)] == [200] * 30 + [429]
    assert browser.generic("POST", TOKEN).json()["code"] == "too_many_tokens"
    assert other.generic("POST", TOKEN).status_code == 200


def test_guesses_at_a_password_are_limited_by_account(app: App, make: Make) -> None:
    make("ada")
    wrong = {"email": "ada@example.org", "password": "guess"}

    assert [app.post("/_allauth/app/v1/auth/login", wrong)[0] for _ in range(5)] == [400] * 5
    status, body = app.post("/_allauth/app/v1/auth/login", wrong | {"password": PASSWORD})

    assert (status, body["errors"][0]["code"]) == (400, "too_many_login_attempts")


def test_logins_are_limited_by_address_over_all_accounts(app: App, make: Make) -> None:
    for name in ("ada", "bob"):
        make(name)
    path = "/_allauth/app/v1/auth/login"
    bodies = [{"email": f"{name}@example.org", "password": PASSWORD} for name in ("ada", "bob")]

    assert [app.post(path, bodies[n % 2])[0] for n in range(31)] == [200] * 30 + [429]


def test_sign_ups_are_limited_by_address(app: App) -> None:
    statuses = [
        app.post("/_allauth/app/v1/auth/signup", {"email": f"b{n}@example.org", "password": PASSWORD})[0]
        for n in range(21)
    ]

    assert statuses == [401] * 20 + [429]
    assert models.User.objects.count() == 20


def test_guesses_at_the_admin_are_limited_too(make: Make) -> None:
    make("root", superuser=True)
    browser = Client()

    entry = browser.get("/admin/", follow=True)
    assert entry.redirect_chain[-1][0] == "/accounts/login/?next=%2Fadmin%2F"
    refused = browser.post(
        "/admin/login/?next=/admin/", {"username": "root@example.org", "password": PASSWORD}
    )
    assert refused.headers["Location"].startswith("/accounts/login/")


def test_an_unavailable_redis_is_503_with_retry_after(make: Make, settings: Any) -> None:
    make("ada")
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        }
    }

    answers = [
        signed_in().generic("POST", TOKEN),
        Client().post("/accounts/login/", {"login": "ada@example.org", "password": PASSWORD}),
        Client().post(
            "/_allauth/app/v1/auth/login",
            {"email": "ada@example.org", "password": PASSWORD},
            content_type="application/json",
        ),
    ]

    assert [(answer.status_code, answer.headers["Retry-After"]) for answer in answers] == [(503, "1")] * 3
