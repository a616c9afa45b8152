"""Awards in the admin: what is shown, who may see it, and that nobody changes it."""

import pytest
from django.urls import reverse

from orders import models
from orders.tests import shop, staff
from orders.tests.awards import CLOCK, LOT, OTHER_LOT, awarded, start

pytestmark = pytest.mark.django_db(databases=["default", "orders", "sagas"])

LIST = "admin:orders_award_changelist"
PAGE = reverse("admin:orders_award_change", args=[f"{LOT}-9"])


def test_an_award_shows_its_state_its_price_and_the_order_that_paid_it() -> None:
    shop.handle(awarded(), awarded(OTHER_LOT, CLOCK, 7000))
    sale = shop.pay(start(LOT))
    client = staff.client_with("view_award", "view_order")

    paying = client.get(PAGE).content.decode()
    shop.settle(sale)
    paid = client.get(PAGE).content.decode()
    listed = client.get(reverse(LIST)).content.decode()

    assert f"{sale.order_number}, under way" in paying
    assert reverse("admin:orders_order_change", args=[sale.order_number]) in paid
    for shown in ("A vase", "€50.00", "€70.00", "Paid", "Due"):
        assert shown in listed


def test_the_list_is_narrowed_to_a_state_and_found_by_its_auction() -> None:
    shop.handle(awarded(), awarded(OTHER_LOT, CLOCK))
    shop.settle(shop.pay(start(LOT)))
    client = staff.client_with("view_award")

    def rows(**query: str) -> list[str]:
        answer = client.get(reverse(LIST), query)
        return [award.auction_id for award in answer.context["cl"].result_list]

    assert rows(state__exact="DUE") == [OTHER_LOT]
    assert rows(q=LOT) == [LOT]


def test_who_may_not_view_awards_sees_none_and_no_superuser_changes_one() -> None:
    shop.handle(awarded())
    before = list(models.Award.objects.values())
    outsider = staff.client_with("view_order", email="other@example.org")
    chief = staff.client_with(superuser=True)

    assert [outsider.get(path).status_code for path in (reverse(LIST), PAGE)] == [403, 403]
    assert chief.get(PAGE).status_code == 200
    for path in (
        PAGE,
        reverse("admin:orders_award_add"),
        reverse("admin:orders_award_delete", args=[f"{LOT}-9"]),
    ):
        assert chief.post(path, {"state": "PAID", "post": "yes"}).status_code == 403

    assert list(models.Award.objects.values()) == before
