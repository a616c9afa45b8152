"""Personal data: the export is complete, the erasure leaves nothing that identifies a person, and a look leaves a row."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from auction_project.accounts import models, personal, services, sessions
from auction_project.accounts.tests.conftest import NOW, PASSWORD, App, ended, published

pytestmark = pytest.mark.django_db(databases="__all__")  # the Overview asks all apps
Make = Callable[..., models.User]
DATA, ERASURE = "/api/v1/me/data", "/api/v1/me/erasure"
PAGE = "/accounts/data/"


def signed_in(name: str) -> Client:
    browser = Client(headers={"User-Agent": "A browser"})
    browser.post("/accounts/login/", {"login": f"{name}@example.org", "password": PASSWORD})
    return browser


def rows_with(text: str) -> list[str]:
    """The tables of `default`, outbox aside (it keeps its events a week), that hold `text` in any column."""
    from django.apps import apps

    names = []
    for model in apps.get_models():
        if (
            model._meta.app_label in ("accounts", "account", "usersessions", "sessions")
            and model is not models.Outbox
        ):
            rows = json.dumps(list(model.objects.using("default").values()), default=str)
            if text in rows:
                names.append(model.__name__)
    return names


def test_an_export_says_all_that_accounts_holds(app: App, make: Make) -> None:
    ada, bob = make("ada", "seller"), make("bob")
    services.bar_account(user_id=ada.id, reason="Did not pay.", actor=make("olga", "operator").id, now=NOW)
    services.reinstate_account(user_id=ada.id, reason="Paid.", actor="command", now=NOW)
    personal.record_look(actor=bob.id, page="account", subject=ada.id, now=NOW)
    signed_in("ada")

    status, data = app.get(DATA, token=app.log_in("ada")["access_token"])

    assert status == 200
    assert data["account"] | {"last_sign_in_at": ""} == {
        "id": ada.id,
        "email": "ada@example.org",
        "email_verified": True,
        "state": "ACTIVE",
        "roles": ["bidder", "seller"],
        "created_at": NOW.isoformat(),
        "last_sign_in_at": "",
    }
    assert data["addresses"] == [{"email": "ada@example.org", "verified": True, "primary": True}]
    assert "A browser" in [row["program"] for row in data["sessions"]]
    assert [(row["what"], row["reason"]) for row in data["history"]] == [
        ("REINSTATED", "Paid."),
        ("BARRED", "Did not pay."),
        ("ROLE_GRANTED", "Account created."),
    ]
    assert data["looked_at_by_the_auction_house"] == [{"at": NOW.isoformat(), "page": "account"}]
    assert ada.password not in json.dumps(data)
    assert bob.id not in json.dumps(data)


def test_a_page_hands_the_export_out_as_a_file(make: Make) -> None:
    make("ada")

    answer = signed_in("ada").get(f"{PAGE}export/")

    assert answer.headers["Content-Disposition"] == 'attachment; filename="gavel-account.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert json.loads(answer.content)["account"]["email"] == "ada@example.org"
    assert Client().get(f"{PAGE}export/").status_code == 302


def test_an_erased_account_cannot_sign_in(app: App, make: Make) -> None:
    ada = make("ada", "seller")
    meta = app.log_in("ada")

    status, _ = app.post(ERASURE, {"password": PASSWORD}, token=meta["access_token"])

    assert status == 204
    assert rows_with("ada@example.org") == []
    assert sessions.list_keys(ada.id) == []
    assert len(ended(ada.id)) == 1
    version, event = published(ada.id)[-1]
    assert (version, event.email, event.email_verified, event.roles, event.closed) == (
        2,
        f"{ada.id}@erased.invalid",
        False,
        (),
        True,
    )
    ada.refresh_from_db()
    assert (ada.state, ada.last_login, ada.has_usable_password()) == ("CLOSED", None, False)
    assert next((a.act, a.actor) for a in ada.actions.all()) == ("ERASED", ada.id)


def test_the_address_of_an_erased_account_is_free_again(app: App, make: Make) -> None:
    ada = make("ada")
    personal.erase(user_id=ada.id, reason="x", actor=ada.id, now=NOW)

    again = make("ada")

    assert again.id != ada.id
    assert app.log_in("ada")["access_token"]


@pytest.mark.parametrize("body", [{"password": "guess"}, {}, {"password": ""}, {"password": "\x00"}])
def test_without_the_password_nothing_is_erased(app: App, make: Make, body: dict[str, Any]) -> None:
    ada = make("ada")

    status, problem = app.post(ERASURE, body, token=app.log_in("ada")["access_token"])

    assert (status, problem["field"]) in [(403, "password"), (400, "password")]
    assert (len(published(ada.id)), ended(ada.id)) == (1, [])


def test_guesses_at_the_password_of_an_erasure_are_limited(app: App, make: Make) -> None:
    ada = make("ada")
    token = app.log_in("ada")["access_token"]

    statuses = [app.post(ERASURE, {"password": "guess"}, token=token)[0] for _ in range(6)]

    assert statuses == [403] * 5 + [429]
    assert app.post(ERASURE, {"password": PASSWORD}, token=token)[0] == 429
    assert len(published(ada.id)) == 1


def test_a_colleague_is_not_erased(make: Make) -> None:
    for user in (make("olga", "operator"), make("root", superuser=True), make("otto", groups=["viewer"])):
        with pytest.raises(personal.StaffAccount):
            personal.erase(user_id=user.id, reason="x", actor=user.id, now=NOW)
        assert len(published(user.id)) == 1


def test_an_erasure_happens_once(make: Make) -> None:
    ada = make("ada")
    personal.erase(user_id=ada.id, reason="x", actor=ada.id, now=NOW)

    with pytest.raises(personal.AlreadyErased):
        personal.erase(user_id=ada.id, reason="x", actor=ada.id, now=NOW)

    assert (len(published(ada.id)), ada.actions.count()) == (2, 1)


def test_a_page_deletes_the_account_with_the_password_alone(make: Make) -> None:
    ada = make("ada")
    browser = signed_in("ada")

    refused = browser.post(PAGE, {"password": "guess"})
    assert (refused.status_code, "Wrong password." in refused.content.decode()) == (403, True)
    assert len(published(ada.id)) == 1
    assert browser.get(PAGE).status_code == 200
    answer = browser.post(PAGE, {"password": PASSWORD})

    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert models.User.objects.get(pk=ada.pk).is_erased
    assert browser.generic("POST", "/api/v1/token").status_code == 401


def looks() -> list[tuple[str, str, str, str]]:
    rows = models.PersonalDataView.objects.order_by("id")
    return list(rows.values_list("actor", "page", "subject", "query"))


def test_each_look_at_personal_data_leaves_a_row(make: Make) -> None:
    services.sync_group_permissions()
    ada, olga = make("ada"), make("olga", groups=["auction operator"])
    browser = Client()
    browser.force_login(olga)

    browser.get("/admin/accounts/user/?q=ada")
    browser.get(f"/admin/accounts/user/{ada.id}/change/")
    browser.get(f"/admin/accounts/user/{ada.id}/history/")

    assert looks() == [
        (olga.id, "accounts", "", "q=ada"),
        (olga.id, "account", ada.id, ""),
        (olga.id, "history", ada.id, ""),
    ]


def test_who_may_not_look_leaves_no_row(make: Make) -> None:
    services.sync_group_permissions()
    ada = make("ada")
    browser = Client()
    browser.force_login(make("eve", groups=["viewer"]))

    assert browser.get("/admin/accounts/user/").status_code == 403
    assert browser.get(f"/admin/accounts/user/{ada.id}/change/").status_code == 403
    assert looks() == []


def test_an_answer_of_the_api_with_an_address_is_a_look(app: App, make: Make) -> None:
    ada, olga = make("ada"), make("olga", "operator")

    app.post(
        f"/api/v1/accounts/{ada.id}/roles", {"grant": "seller"}, token=app.log_in("olga")["access_token"]
    )

    assert looks() == [(olga.id, "roles", ada.id, "")]


def test_superusers_alone_read_who_looked(make: Make) -> None:
    services.sync_group_permissions()
    page = "/admin/accounts/personaldataview/"
    browser, root = Client(), Client()
    browser.force_login(make("olga", groups=["auction operator"]))
    root.force_login(make("root", superuser=True))

    assert browser.get(page).status_code == 403
    assert root.get(page).status_code == 200
    menu = f'href="{page}"'
    assert menu not in browser.get("/admin/").content.decode()
    assert menu in root.get("/admin/").content.decode()


@pytest.mark.parametrize("subject", ["x", "0" * 33, "\N{SNOWMAN}"])
def test_a_look_at_an_account_that_cannot_be_is_no_error_of_ours(make: Make, subject: str) -> None:
    root = Client(raise_request_exception=False)
    root.force_login(make("root", superuser=True))

    answers = [
        root.get(f"/admin/accounts/user/{subject}/{page}/?q={'x' * 500}")
        for page in ("change", "history", "password")
    ]

    assert all(answer.status_code < 500 for answer in answers)
