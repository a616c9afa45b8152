"""The filters of the stock's lists."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from inventory import models, selectors

INDENT = "\u2014 "  # before the name of a category, for each level above it


class StockFilter(admin.SimpleListFilter):
    """By what is left."""

    title = "stock"
    parameter_name = "stock"
    _CONDITIONS: ClassVar[dict[str, dict[str, Any]]] = {
        "free": {"available__gt": 0},
        "reserved": {"available": 0, "reserved__gt": 0},
        "depleted": {"available": 0, "reserved": 0},
        "low": {"is_short": True},
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("free", "Available"),
            ("reserved", "All reserved"),
            ("depleted", "Depleted"),
            ("low", "Low stock"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[models.Product]) -> QuerySet[models.Product]:
        return queryset.filter(**self._CONDITIONS.get(self.value() or "", {}))


class OwnerFilter(admin.SimpleListFilter):
    title = "owner"
    parameter_name = "owned_by"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("house", "The house"), ("sellers", "Sellers")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[models.Product]) -> QuerySet[models.Product]:
        match self.value():
            case "house":
                return queryset.filter(owner_id=models.HOUSE)
            case "sellers":
                return queryset.exclude(owner_id=models.HOUSE)
        return queryset


class CategoryFilter(admin.SimpleListFilter):
    """Products of a category, and of all below it."""

    title = "category"
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        branches = selectors.list_categories()
        return [(branch.slug, f"{INDENT * branch.depth}{branch.name}") for branch in branches]

    def queryset(self, request: HttpRequest, queryset: QuerySet[models.Product]) -> QuerySet[models.Product]:
        slug = self.value()
        return queryset if slug is None else queryset.filter(category__slug__in=selectors.slugs_below(slug))


class OfferFilter(admin.SimpleListFilter):
    title = "shop"
    parameter_name = "offered"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "In the shop"), ("no", "Not in the shop")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[models.Product]) -> QuerySet[models.Product]:
        match self.value():
            case "yes":
                return queryset.filter(offer__published=True)
            case "no":
                return queryset.exclude(offer__published=True)
        return queryset


class StateFilter(admin.SimpleListFilter):
    """Reservations by state; refused ones only on request, because they never held a unit."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(models.ReservationState.choices)

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        all_but_refused, *states = super().choices(changelist)
        yield all_but_refused | {"display": "All but refused"}
        yield from states

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[models.Reservation]
    ) -> QuerySet[models.Reservation]:
        if self.value() in models.ReservationState.values:
            return queryset.filter(state=self.value())
        return queryset.exclude(state=models.ReservationState.REFUSED)
