"""The Overview of the admin: each reader sees the panels of the pages that they may open, with today's figures; and the badges
of the menu."""

import re
from datetime import datetime, timedelta

import django.db
import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from auction_project import urls  # noqa: F401 - it loads the apps' admins
from orders.tests import sales
from sagas import models as sagas
from sagas import overview as sagas_overview
from sagas.tests import conftest as saga_tests

pytestmark = pytest.mark.django_db(databases="__all__")

TITLES = ["Sold today", "Sales that failed today", "Low stock", "Dead letters"]


@pytest.fixture
def browser(admin_client: Client) -> Client:
    return admin_client


def page(browser: Client) -> str:
    answer = browser.get("/admin/")
    assert answer.status_code == 200
    return answer.content.decode()


def rows(html: str) -> dict[str, str]:
    """The figure of each line, by its label."""
    found = re.findall(r'<th[^>]*scope="row"><a [^>]*>([^<]*)</a></th>\s*<td[^>]*>([^<]*)</td>', html)
    return {label: value.strip() for label, value in found}


def sold(*, at: datetime, amount: int) -> sales.Sale:
    sale = sales.new_sale(amount=amount)
    sales.pay(sale)
    sale.place(now=at)
    return sale


def failed_saga(*, at: datetime, cause: str, status: sagas.Status) -> None:
    sale = saga_tests.make_sale()
    saga_tests.start(sale, now=at)
    ended = None if status == sagas.Status.PARKED else at
    sagas.Saga.objects.filter(pk=sale.sale_id).update(
        status=status, direction="BACKWARD", failure_reason=cause, due_at=None, finished_at=ended
    )


def test_the_figures_are_those_of_today(browser: Client) -> None:
    now = timezone.now()
    sold(at=now, amount=1_234_567_89).confirm()
    sold(at=now, amount=1_00).cancel()
    sold(at=now - timedelta(days=1), amount=5_00).confirm()
    failed_saga(at=now, cause="payment_refused", status=sagas.Status.COMPENSATED)
    failed_saga(at=now - timedelta(days=1), cause="risk_refused", status=sagas.Status.COMPENSATED)

    assert rows(page(browser)) == {
        "Revenue": "€1,234,567.89",
        "Sales": "1",
        "Orders cancelled": "1",
        "The payment was declined": "1",
    }


def test_without_anything_each_panel_says_so(browser: Client) -> None:
    html = page(browser)

    assert rows(html) == {}
    for text in (
        "No order was placed today.",
        "No sale failed today.",
        "No product is at its threshold or below, and none on sale is depleted.",
        "Every message was handled.",
        "Lots closing next",
    ):
        assert text in html
    assert "Site administration" not in html
    assert "Authentication and Authorization" not in html


def test_a_parked_saga_is_counted_whatever_its_age_on_the_page_and_in_the_menu(browser: Client) -> None:
    assert badges(page(browser)) == {}
    failed_saga(at=timezone.now() - timedelta(days=3), cause="payment_refused", status=sagas.Status.PARKED)

    html = page(browser)

    assert rows(html) == {"Need attention": "1"}
    assert badges(html) == {"Sagas": "1"}


def badges(html: str) -> dict[str, str]:
    """The badge of each entry of the menu that has one."""
    found = re.findall(r"<span>([^<]+)</span>\s*<span class=\"font-semibold h-\[18px\][^>]*>\s*(\d+)", html)
    return dict(found)


@pytest.mark.parametrize(
    ("permission", "title"),
    [
        ("view_order", "Sold today"),
        ("view_saga", "Sales that failed today"),
        ("view_product", "Low stock"),
        ("view_deadletter", "Dead letters"),
    ],
)
def test_a_panel_needs_the_permission_of_its_page(permission: str, title: str) -> None:
    user = get_user_model()(email="desk@example.org", is_staff=True)
    user.set_unusable_password()
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename=permission))
    browser = Client()
    browser.force_login(user)

    html = page(browser)

    assert [each for each in TITLES if f">{each}</h2>" in html] == [title]


def test_a_panel_and_a_badge_whose_database_is_unavailable_leave_the_page_as_it_is(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise django.db.OperationalError("connection refused")

    monkeypatch.setattr(sagas_overview.selectors, "list_parked", fail)

    html = page(browser)

    assert "Not available at the moment." in html
    assert "No order was placed today." in html
    assert badges(html) == {}


def test_every_list_of_the_admin_is_in_its_menu(browser: Client) -> None:
    html = page(browser)

    lists = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in admin.site._registry
    ]
    assert len(lists) > 10
    assert [path for path in lists if f'href="{path}"' not in html] == []
