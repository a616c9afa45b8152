"""The admin of accounts: who sees what, and that only an action with a reason changes anything."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import models as auth_models
from django.test import Client

from auction_project.accounts import models, permissions, selectors, services
from auction_project.accounts.tests.conftest import NOW

pytestmark = pytest.mark.django_db(databases=["default", "sagas"])
Make = Callable[..., models.User]
LIST = "/admin/accounts/user/"


def page(user: models.User, what: str = "change") -> str:
    return f"{LIST}{user.id}/{what}/"


def signed_in(user: models.User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def press(browser: Client, user: models.User, action: str, **fields: Any) -> Any:
    return browser.post(page(user, action), {"_form_submitted": "True"} | fields)


@pytest.fixture
def ada(make: Make) -> models.User:
    return make("ada")


@pytest.fixture
def operator(make: Make) -> models.User:
    services.sync_group_permissions()
    return make("olga", groups=["auction operator"])


ACTIONS = ["grant-seller", "revoke-seller", "bar", "reinstate", "close"]


def test_the_admin_is_closed_to_a_bidder_and_to_strangers(ada: models.User) -> None:
    assert Client().get(LIST).status_code == 302
    assert signed_in(ada).get(LIST, follow=True).status_code == 403


def test_the_path_of_a_page_writes_an_address_as_it_is(ada: models.User, operator: models.User) -> None:
    html = signed_in(operator).get(page(ada)).content.decode()

    assert "Ada@" not in html
    assert f">{ada.email}</a>" in html
    assert ">Accounts</a>" in html


@pytest.mark.parametrize("group", ["stock clerk", "finance", "viewer"])
def test_other_groups_do_not_see_accounts(make: Make, ada: models.User, group: str) -> None:
    services.sync_group_permissions()
    browser = signed_in(make("eve", groups=[group]))

    assert browser.get(LIST).status_code == 403
    for action in [*ACTIONS, "desk-groups"]:
        assert press(browser, ada, action, reason="x", groups=["viewer"]).status_code == 403
    assert selectors.get_account(ada.id).version == 1


def test_an_operator_sees_an_account_and_what_was_done_to_it(ada: models.User, operator: models.User) -> None:
    services.bar_account(user_id=ada.id, reason="Did not pay.", actor=operator.id, now=NOW)
    browser = signed_in(operator)

    assert "ada@example.org" in browser.get(LIST).content.decode()
    shown = browser.get(page(ada)).content.decode()

    assert "Did not pay." in shown
    assert 'name="_save"' not in shown
    assert ada.password not in shown


def test_an_operator_acts_with_a_reason_and_is_recorded(ada: models.User, operator: models.User) -> None:
    browser = signed_in(operator)

    assert browser.get(page(ada, "grant-seller")).status_code == 200
    done = press(browser, ada, "grant-seller", reason="Sells lamps.")
    assert done.headers["HX-Redirect"] == page(ada)
    press(browser, ada, "revoke-seller", reason="No more.")
    press(browser, ada, "bar", reason="Did not pay.")
    press(browser, ada, "reinstate", reason="Paid.")
    press(browser, ada, "close", reason="Asked for.", email="ADA@example.org")

    assert [(a.act, a.reason) for a in reversed(ada.actions.all())] == [
        ("ROLE_GRANTED", "Sells lamps."),
        ("ROLE_REVOKED", "No more."),
        ("BARRED", "Did not pay."),
        ("REINSTATED", "Paid."),
        ("CLOSED", "Asked for."),
    ]
    assert {a.actor for a in ada.actions.all()} == {operator.id}
    assert selectors.get_account(ada.id).version == 6


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_without_a_reason_does_nothing(
    ada: models.User, operator: models.User, action: str
) -> None:
    answer = press(signed_in(operator), ada, action, reason="")

    assert "HX-Redirect" not in answer.headers
    assert selectors.get_account(ada.id).version == 1


def test_closing_for_good_needs_the_address_of_the_account(ada: models.User, operator: models.User) -> None:
    browser = signed_in(operator)

    shown = browser.get(page(ada)).content.decode()
    answer = press(browser, ada, "close", reason="Asked for.", email="bob@example.org")

    assert "HX-Redirect" not in answer.headers
    assert "This is not the address of this account." in answer.content.decode()
    assert selectors.get_account(ada.id).version == 1
    assert ("Close account for good" in shown, "Suspend" in shown, ">Bar<" in shown) == (True, True, False)


@pytest.mark.parametrize(
    ("done", "offered"),
    [
        ([], {"grant-seller", "bar", "close", "erase"}),
        (["grant-seller"], {"revoke-seller", "bar", "close", "erase"}),
        (["bar"], {"reinstate", "close", "erase"}),
        (["grant-seller", "bar"], {"revoke-seller", "reinstate", "close", "erase"}),
        (["close"], {"erase"}),
        (["erase"], set()),
    ],
)
def test_the_page_of_an_account_offers_the_actions_that_apply(
    ada: models.User, operator: models.User, done: list[str], offered: set[str]
) -> None:
    browser = signed_in(operator)
    for action in done:
        press(browser, ada, action, reason="x", email="ada@example.org")

    shown = browser.get(page(ada)).content.decode()

    assert {name for name in (*ACTIONS, "erase", "desk-groups") if page(ada, name) in shown} == offered


def test_an_operator_cannot_change_the_own_account(operator: models.User) -> None:
    browser = signed_in(operator)

    for action in ("grant-seller", "revoke-seller", "bar", "close"):
        press(browser, operator, action, reason="x", email=operator.email)

    assert selectors.get_account(operator.id).version == 1
    assert operator.actions.filter(actor=operator.id).count() == 0


def test_an_action_that_is_refused_says_why(ada: models.User, operator: models.User) -> None:
    browser = signed_in(operator)

    press(browser, ada, "reinstate", reason="x")

    assert "The account is active." in browser.get(page(ada)).content.decode()
    assert selectors.get_account(ada.id).version == 1


def test_an_operator_cannot_shut_out_a_superuser(make: Make, operator: models.User) -> None:
    root = make("root", superuser=True)

    press(signed_in(operator), root, "bar", reason="x")

    assert selectors.get_account(root.id).state == "ACTIVE"


def test_a_superuser_assigns_groups_and_an_operator_does_not(make: Make, operator: models.User) -> None:
    root, ada = make("root", superuser=True), make("ada")

    assert press(signed_in(operator), ada, "desk-groups", groups=["finance"], reason="x").status_code == 403
    assert selectors.get_admin_groups(ada) == ()
    press(signed_in(root), ada, "desk-groups", groups=["finance"], reason="New at the till.")

    ada = selectors.get_account(ada.id)
    assert (selectors.get_admin_groups(ada), ada.is_staff) == (("finance",), True)


@pytest.mark.parametrize("superuser", [False, True])
def test_nothing_is_added_edited_or_deleted(make: Make, operator: models.User, superuser: bool) -> None:
    browser = signed_in(make("root", superuser=True) if superuser else operator)
    ada = make("ada", "seller")
    before = models.User.objects.filter(pk=ada.id).values().get()
    forged = {
        "email": "x@example.org",
        "password": "x",
        "is_superuser": "on",
        "state": "CLOSED",
        "version": "9",
    }
    inline = {"actions-TOTAL_FORMS": "0", "actions-INITIAL_FORMS": "0"}

    browser.post(page(ada), forged | inline)
    assert browser.post(f"{LIST}add/", forged).status_code == 403
    assert browser.post(page(ada, "delete"), {"post": "yes"}).status_code == 403
    browser.post(LIST, {"action": "delete_selected", "_selected_action": ada.id, "post": "yes"})

    assert models.User.objects.filter(pk=ada.id).values().get() == before
    assert ada.actions.count() == 1


def test_a_password_is_set_by_a_superuser_through_djangos_form_alone(
    make: Make, ada: models.User, operator: models.User
) -> None:
    form = {"password1": "a wholly other one", "password2": "a wholly other one", "usable_password": "true"}

    assert signed_in(operator).post(page(ada, "password").replace("/change", ""), form).status_code == 403
    assert selectors.get_account(ada.id).password == ada.password
    signed_in(make("root", superuser=True)).post(page(ada, "password"), form)

    assert selectors.get_account(ada.id).check_password("a wholly other one")


def test_addresses_and_groups_cannot_be_edited_around_the_services(make: Make) -> None:
    services.sync_group_permissions()
    browser = signed_in(make("root", superuser=True))
    group = auth_models.Group.objects.get(name="viewer")

    assert browser.get("/admin/account/emailaddress/").status_code == 404
    assert browser.get(f"/admin/auth/group/{group.pk}/change/").status_code == 200
    assert browser.post(f"/admin/auth/group/{group.pk}/change/", {"name": "king"}).status_code == 403
    assert browser.post("/admin/auth/group/add/", {"name": "king"}).status_code == 403


def test_a_group_gets_exactly_the_permissions_of_the_table() -> None:
    services.sync_group_permissions()
    viewer = auth_models.Group.objects.get(name="viewer")
    viewer.permissions.add(auth_models.Permission.objects.get(codename="bar_account"))

    services.sync_group_permissions()

    def given(name: str) -> set[str]:
        rows = auth_models.Permission.objects.filter(group__name=name)
        return {f"{row.content_type.app_label}.{row.codename}" for row in rows.select_related("content_type")}

    assert "accounts.bar_account" not in given("viewer")
    assert {name for name in given("auction operator") if name.startswith("accounts.")} == {
        "accounts.bar_account",
        "accounts.grant_seller",
        "accounts.view_user",
        "accounts.view_accountaction",
        "accounts.view_sighting",
        "accounts.view_outbox",
        "accounts.view_services",
    }
    deletions = {name for group in permissions.GROUPS for name in given(group) if ".delete_" in name}
    assert deletions == {"inventory.delete_category"}  # an empty one


def test_every_permission_in_the_table_exists() -> None:
    assert services.sync_group_permissions() == []
