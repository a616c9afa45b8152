"""Carts and checkouts in the admin: read-only, found by their user and by order number, with the state of now."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from auction_project import urls  # noqa: F401 - it loads the apps' admins
from auction_project.accounts import models as accounts_models
from auction_project.accounts import services as accounts
from auction_project.kernel import databases
from auction_project.kernel.contracts import events
from orders import models, services
from orders.tests import shop, staff

pytestmark = pytest.mark.django_db(databases=databases.ALIASES)

CARTS, CHECKOUTS = "/admin/orders/cartline/", "/admin/orders/checkout/"
VIEWS = ("view_cartline", "view_checkout", "view_checkoutsale")
OTHER = "e" * 32


def text(page: str, *codenames: str, **query: str) -> str:
    """What a reader of the page reads."""
    answer = staff.client_with(*codenames or VIEWS).get(page, query)
    assert answer.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def of(checkout: models.Checkout) -> str:
    return f"{CHECKOUTS}{checkout.id}/change/"


def assessed(sale: models.CheckoutSale) -> None:
    """The risk check has seen the sale, as the saga has it do."""
    checkout = sale.checkout
    request = services.SaleRequest(
        key=f"saga:{sale.sale_id}:assess_risk",
        correlation_id="c",
        user_id=checkout.user_id,
        order_number=sale.order_number,
        sale_id=sale.sale_id,
        auction_id="",
        lines=(),
        shipping=0,
        title="",
        amount=sale.price,
        currency="EUR",
    )
    services.assess_risk([request], now=shop.NOW)


def test_a_cart_line_shows_the_price_that_was_seen_beside_the_price_of_now() -> None:
    shop.handle(shop.offer(price=1050))
    shop.fill(shop.wanted(quantity=2, unit_price=999))

    shown = text(CARTS, q=shop.USER)

    assert "A lamp" in shown
    assert "€9.99" in shown
    assert "€10.50" in shown


def test_carts_are_found_by_the_address_of_their_user() -> None:
    ada = accounts.create_account(
        email="ada@example.org", password=None, verified=True, actor="test", now=timezone.now()
    )
    shop.handle(shop.offer())
    shop.fill(shop.wanted(), user_id=ada.pk)
    shop.fill(shop.wanted(), user_id=OTHER)
    root = staff.client_with(superuser=True)

    found = root.get(CARTS, {"q": "ada@example.org"}).content.decode()

    assert f'href="/admin/accounts/user/{ada.pk}/change/"' in found
    assert OTHER[:8] not in found


def test_a_checkout_shows_its_lines_total_sales_and_the_refusal() -> None:
    checkout = shop.reserved(shop.wanted(quantity=2))
    sale = shop.pay(checkout)
    shop.handle(shop.failed(sale))

    shown = text(of(checkout))

    assert "2 × A lamp" in shown
    assert "The card was declined." in shown
    assert f"{sale.order_number}, never placed" in shown
    assert "Failed" in shown


def test_a_checkout_shows_until_when_it_can_be_paid_by_the_clock_of_the_house() -> None:
    checkout = shop.reserved()

    with timezone.override("Europe/Berlin"):
        shown = text(of(checkout))

    assert "21 November 2026, 13:14 CET" in shown


def test_a_refused_checkout_names_what_was_short() -> None:
    shop.handle(shop.offer())
    checkout = shop.start(shop.wanted(quantity=2))
    shortage = events.Shortage(product_id=shop.LAMP, asked=2, available=1)
    shop.handle(events.CheckoutRefused(checkout_id=checkout.id, shortages=(shortage,)))

    assert "A lamp: 1 of 2 units were free" in text(of(checkout))


def test_a_checkout_is_found_by_the_number_of_each_of_its_payments() -> None:
    checkout = shop.reserved()
    first = shop.pay(checkout)
    assessed(first)
    shop.handle(shop.failed(first))
    second = shop.pay(checkout)
    assessed(second)

    reader = staff.client_with(*VIEWS)
    for number in (first.order_number, f" {second.order_number.lower()}"):
        assert of(checkout) in reader.get(CHECKOUTS, {"q": number}).content.decode()
    assert of(checkout) not in reader.get(CHECKOUTS, {"q": "GV-0000-0000-0000"}).content.decode()


def checkouts_of_each_state() -> dict[str, str]:
    """The id of one checkout for each state, each of another user."""
    now = timezone.now()
    soon, over = now + timedelta(minutes=5), now - timedelta(seconds=1)
    made = {
        "RESERVING": ("RESERVING", soon, now),
        "RESERVED": ("RESERVED", soon, now),
        "PAYING": ("PAYING", over, now),
        "PAID": ("PAID", over, now),
        "REFUSED": ("REFUSED", over, now),
        "ABANDONED": ("ABANDONED", over, over - timedelta(minutes=5)),
        "EXPIRED": ("RESERVED", over, now),
        "EXPIRED, then abandoned": ("ABANDONED", over, now),
        "too late to be paid": ("RESERVING", now + timedelta(seconds=9), now),
    }
    for number, (name, (state, expires_at, changed_at)) in enumerate(made.items()):
        models.Checkout.objects.create(
            id=f"{number:032x}",
            user_id=f"{number:032x}",
            key="k",
            asked={},
            state=state,
            lines=[{"product_id": "p", "title": name, "quantity": 1, "unit_price": 100}],
            currency="EUR",
            started_at=now - timedelta(minutes=15),
            changed_at=changed_at,
            expires_at=expires_at,
        )
    return {row.title: row.id for row in models.Checkout.objects.all()}


def test_the_filter_by_state_finds_those_that_have_it_now_and_each_has_one() -> None:
    by_name = checkouts_of_each_state()
    root = staff.client_with(superuser=True)

    found = {
        state: {name for name, pk in by_name.items() if f"{pk}/change/" in page}
        for state in (*models.CheckoutState.values, models.EXPIRED)
        for page in [root.get(CHECKOUTS, {"state": state}).content.decode()]
    }

    assert found == {
        **{state: {state} for state in models.CheckoutState.values},
        "EXPIRED": {"EXPIRED", "EXPIRED, then abandoned", "too late to be paid"},
    }
    for state, names in found.items():
        for name in names:
            assert models.Checkout.objects.get(pk=by_name[name]).status(timezone.now()) == state


@pytest.mark.parametrize("page", [CARTS, CHECKOUTS])
def test_they_need_their_permission_and_nothing_is_changed(page: str) -> None:
    shop.handle(shop.offer())
    checkout = shop.start()
    line = models.CartLine.objects.get()
    rows: list[Any] = [*models.CartLine.objects.values(), *models.Checkout.objects.values()]
    row = f"{page}{line.pk if page == CARTS else checkout.pk}/"
    root = staff.client_with(superuser=True)

    assert staff.client_with("view_order", email="other@example.org").get(page).status_code == 403
    for path in (f"{page}add/", f"{row}change/", f"{row}delete/"):
        assert root.post(path, {"quantity": 9, "post": "yes"}).status_code == 403
    assert [*models.CartLine.objects.values(), *models.Checkout.objects.values()] == rows


def test_the_menu_leads_to_both() -> None:
    page = staff.client_with(*VIEWS).get(reverse("admin:index")).content.decode()

    assert f'href="{CARTS}"' in page
    assert f'href="{CHECKOUTS}"' in page


def test_a_look_at_where_a_checkout_goes_is_recorded() -> None:
    checkout = shop.reserved()
    reader = staff.client_with(*VIEWS)

    reader.get(CHECKOUTS)
    reader.get(of(checkout))

    assert list(accounts_models.PersonalDataView.objects.values_list("page", "subject")) == [
        ("postal address", shop.USER)
    ]
