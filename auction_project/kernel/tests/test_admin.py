"""All lists and pages of the admin: a value that no database can compare is left out of a filter, and ids of people are
shown as people."""

import re
from datetime import datetime
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin import checks
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.auth import get_user_model
from django.db import models
from django.test import Client, RequestFactory
from django.urls import reverse

from auction_project import urls  # noqa: F401 - it loads the apps' admins
from orders import models as orders

HUGE = "9" * 40
PEOPLE = {"user_id", "owner_id", "actor", "subject"}  # fields that hold the id of an account
DESKS = sorted(admin.site._registry, key=lambda model: model._meta.label)


def _hostile(model: type[models.Model]) -> list[str]:
    """Queries on the fields of `model` whose values do not fit."""
    queries = [f"pk={HUGE}", f"pk__in={HUGE}", "p=-1", f"p={HUGE}", "o=99", "all=x"]
    for field in model._meta.get_fields():
        if isinstance(field, models.DateField):
            queries += [f"{field.name}__year={year}" for year in ("0", "9999", "-1", HUGE, "x")]
            queries += [f"{field.name}__year=2026&{field.name}__month=13", f"{field.name}__gte=x"]
        elif isinstance(field, models.IntegerField):
            queries += [f"{field.name}__{lookup}={HUGE}" for lookup in ("exact", "gt", "in")]
    return queries


def test_every_admin_passes_djangos_checks() -> None:
    """`manage.py check` may look before the URLs have loaded the admins."""
    assert len(DESKS) > 10
    assert checks.check_admin_app(app_configs=None) == []


@pytest.mark.django_db(databases="__all__")
@pytest.mark.parametrize("model", DESKS, ids=lambda model: model._meta.label)
def test_no_list_or_page_shows_the_raw_id_of_a_person(model: type[models.Model], rf: RequestFactory) -> None:
    page = admin.site._registry[model]
    request = rf.get("/")
    request.user = get_user_model()(is_superuser=True, is_staff=True)
    row = model()
    parts = [(page, {*page.get_list_display(request), *flatten_fieldsets(page.get_fieldsets(request, row))})]
    parts += [(inline, set(inline.fields)) for inline in page.get_inlines(request, row)]

    assert {name for _, shown in parts for name in shown} & PEOPLE == set()
    for part, _ in parts:
        held = PEOPLE & {field.name for field in part.model._meta.get_fields()}
        assert held == set(getattr(part, "people", ())), part


@pytest.mark.django_db(databases="__all__")
@pytest.mark.parametrize("model", DESKS, ids=lambda model: model._meta.label)
def test_no_query_of_a_list_is_a_fault(model: type[models.Model], admin_client: Client) -> None:
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")

    statuses = {query: admin_client.get(f"{address}?{query}").status_code for query in _hostile(model)}

    assert {query: status for query, status in statuses.items() if status not in (200, 302, 400)} == {}


@pytest.mark.django_db(databases="__all__")
def test_the_list_is_shown_without_what_it_cannot_compare(admin_client: Client) -> None:
    address = reverse("admin:orders_order_changelist")

    answer = admin_client.get(f"{address}?placed_at__year=0")

    assert (answer.status_code, answer.url) == (302, f"{address}?e=1")
    assert admin_client.get(answer.url).status_code == 200


def _sold(number: str, at: datetime) -> None:
    orders.Order.objects.create(
        number=number, sale_id=number, user_id="u" * 32, title=number, amount=1, currency="EUR", placed_at=at
    )


@pytest.mark.django_db(databases="__all__")
def test_the_days_of_a_filter_are_those_of_the_house(admin_client: Client, settings: Any) -> None:
    settings.TIME_ZONE = (
        "America/New_York"  # its day of 25 hours: 1 November 2026, from 04:00 UTC to 05:00 UTC
    )
    for number, at in {
        "BEFORE": "2026-11-01T03:59:59Z",
        "FIRST": "2026-11-01T04:00:00Z",
        "LAST": "2026-11-02T04:59:59Z",
        "AFTER": "2026-11-02T05:00:00Z",
    }.items():
        _sold(number, datetime.fromisoformat(at))

    def listed(query: str) -> set[str]:
        html = admin_client.get(f"{reverse('admin:orders_order_changelist')}?{query}").content.decode()
        return {number for number in ("BEFORE", "FIRST", "LAST", "AFTER") if f">{number}</a>" in html}

    assert listed("placed_at_from=2026-11-01&placed_at_to=2026-11-01") == {"FIRST", "LAST"}
    assert listed("placed_at_from=2026-11-02") == {"AFTER"}
    assert listed("placed_at_to=2026-10-31") == {"BEFORE"}
    assert listed("placed_at_from=2026-11-01&currency=JPY") == set()
    assert listed("") == {"BEFORE", "FIRST", "LAST", "AFTER"}


@pytest.mark.django_db(databases="__all__")
@pytest.mark.parametrize("day", ["x", "2026-02-30", "9999-12-31", "0001-01-01"])
def test_a_day_that_no_filter_can_compare_is_left_out(admin_client: Client, day: str) -> None:
    address = reverse("admin:orders_order_changelist")

    for name in ("placed_at_from", "placed_at_to"):
        assert admin_client.get(f"{address}?{name}={day}").status_code in (200, 302)


@pytest.mark.django_db(databases="__all__")
def test_a_filter_by_days_keeps_the_other_filters(admin_client: Client) -> None:
    html = admin_client.get(
        reverse("admin:orders_order_changelist"), {"currency": "EUR", "placed_at_from": "2026-11-01"}
    ).content.decode()

    [form] = [each for each in re.findall(r"<form.*?</form>", html, re.S) if "Show these days" in each]
    assert re.findall(r'<input type="(\w+)" name="(\w+)" value="([^"]*)"', form) == [
        ("hidden", "currency", "EUR"),
        ("date", "placed_at_from", "2026-11-01"),
        ("date", "placed_at_to", ""),
    ]
