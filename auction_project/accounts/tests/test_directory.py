"""People in the admin of the other apps: who sees an address, and which looks are recorded."""

import time
from collections.abc import Callable

import pytest
from django.test import Client
from rest_framework.test import APIClient

from auction_project import urls  # noqa: F401 - it loads the apps' admins
from auction_project.accounts import models, personal, services
from auction_project.accounts.tests.conftest import NOW
from auction_project.kernel import tokens
from orders import services as orders
from orders.tests import sales

pytestmark = pytest.mark.django_db(databases=["default", "orders", "inventory", "sagas"])
Make = Callable[..., models.User]
ORDERS = "/admin/orders/order/"


def signed_in(user: models.User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def looks() -> list[tuple[str, str, str, str]]:
    rows = models.PersonalDataView.objects.order_by("id")
    return [(row.actor, row.page, row.subject, row.query) for row in rows]


@pytest.fixture
def ada(make: Make) -> models.User:
    services.sync_group_permissions()
    return make("ada")


@pytest.fixture
def sale(ada: models.User) -> sales.Sale:
    return sales.sale_with_order(user_id=ada.id)


@pytest.fixture
def root(make: Make) -> models.User:
    root = make("root", groups=["viewer"])
    root.is_superuser = True
    root.save()
    return root


def test_who_may_view_accounts_sees_the_buyer_and_each_look_is_recorded(
    ada: models.User, sale: sales.Sale, root: models.User
) -> None:
    browser = signed_in(root)
    link = f'href="/admin/accounts/user/{ada.id}/change/">ada@example.org</a>'

    listed = browser.get(ORDERS, {"q": "ADA@example.org"}).content.decode()
    shown = browser.get(f"{ORDERS}{sale.order_number}/change/").content.decode()
    empty = browser.get(ORDERS, {"q": "nobody@example.org"}).content.decode()

    assert link in listed
    assert link in shown
    assert sale.order_number not in empty
    assert looks() == [
        (root.id, "orders", "", "q=ADA%40example.org"),
        (root.id, "order", ada.id, ""),
    ]
    assert personal.export(ada)["looked_at_by_the_auction_house"][0]["page"] == "order"


def test_others_see_the_beginning_of_the_id_and_no_look_is_recorded(
    ada: models.User, sale: sales.Sale, make: Make
) -> None:
    browser = signed_in(make("fin", groups=["finance"]))

    for query in ({}, {"q": ada.email}):
        listed = browser.get(ORDERS, query).content.decode()
        assert "ada@example.org</" not in listed
        assert f"/admin/accounts/user/{ada.id}/" not in listed
        assert (f"{ada.id[:8]}…" in listed) == (not query)
    assert looks() == []


def test_an_erased_account_is_named_so_without_a_look(
    ada: models.User, sale: sales.Sale, root: models.User
) -> None:
    personal.erase(user_id=ada.id, reason="asked", actor=root.id, now=NOW)

    listed = signed_in(root).get(ORDERS).content.decode()

    assert ">erased account</a>" in listed
    assert looks() == []


def test_colleagues_are_seen_by_all_in_the_admin(ada: models.User, make: Make) -> None:
    clerk = make("carl", groups=["stock clerk"])
    olga = make("olga", groups=["auction operator"])
    services.bar_account(user_id=ada.id, reason="Did not pay.", actor=olga.id, now=NOW)

    shown = signed_in(olga).get(f"/admin/accounts/user/{ada.id}/change/").content.decode()

    assert f'href="/admin/accounts/user/{olga.id}/change/">olga@example.org</a>' in shown
    assert looks() == [(olga.id, "account", ada.id, "")]
    assert signed_in(clerk).get("/admin/inventory/move/").status_code == 200


# --- where parcels go -------------------------------------------------------------------------------------------------

ADDRESS = {
    "name": "Ada Byron",
    "line1": "1 Mill Lane",
    "city": "Leeds",
    "country": "GB",
    "postal_code": "LS1 1AA",
}


@pytest.fixture
def addressed(sale: sales.Sale) -> sales.Sale:
    """The sale, whose order has an address."""
    orders.add_address(user_id=sale.user_id, key="home", fields=ADDRESS, is_default=True, now=NOW)
    return sale


def test_each_page_of_the_admin_that_shows_where_an_order_goes_is_recorded(
    ada: models.User, addressed: sales.Sale, root: models.User, make: Make
) -> None:
    clerk = make("clerk", groups=["stock clerk"])
    page = f"{ORDERS}{addressed.order_number}/change/"

    for reader in (clerk, root):
        assert "1 Mill Lane" in signed_in(reader).get(page).content.decode()
    assert "1 Mill Lane" not in signed_in(clerk).get(ORDERS).content.decode()

    assert looks() == [
        (clerk.id, "postal address", ada.id, ""),
        (root.id, "postal address", ada.id, ""),
        (root.id, "order", ada.id, ""),
    ]
    assert personal.export(ada)["looked_at_by_the_auction_house"][0]["page"] == "order"


def test_an_answer_that_shows_an_operator_where_an_order_goes_is_recorded_and_the_buyers_own_is_not(
    ada: models.User, addressed: sales.Sale, make: Make
) -> None:
    path = f"/api/v1/orders/{addressed.order_number}"
    operator = make("op", "operator")
    answers = []
    for reader, roles in ((ada.id, ("bidder",)), (ada.id, ("operator",)), (operator.id, ("operator",))):
        client = APIClient()
        token = tokens.sign(sub=reader, roles=roles, created_at=0, now=time.time(), seconds=300)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        answers.append(client.get(path))
    listed = client.get("/api/v1/orders", {"role": "operator"})

    assert [answer.json()["address"]["line1"] for answer in answers] == ["1 Mill Lane"] * 3
    assert "Mill Lane" not in listed.content.decode()
    assert looks() == [(operator.id, "postal address", ada.id, "")]


def test_an_order_without_an_address_leaves_no_record(sale: sales.Sale, make: Make) -> None:
    clerk = make("clerk", groups=["stock clerk"])

    signed_in(clerk).get(f"{ORDERS}{sale.order_number}/change/")

    assert looks() == []
