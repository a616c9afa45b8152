"""All lists and pages of the admin: a value that no database can compare is left out of a filter, and ids of people are
shown as people."""

import pytest
from django.contrib import admin
from django.contrib.admin import checks
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.auth import get_user_model
from django.db import models
from django.test import Client, RequestFactory
from django.urls import reverse

from auction_project import urls  # noqa: F401 - it loads the apps' admins

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
