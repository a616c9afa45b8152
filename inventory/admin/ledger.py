"""Read-only lists: the ledger, the reservations and the warehouses."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold import admin as unfold_admin

from auction_project.kernel import admin as base_admin
from auction_project.kernel import ids
from inventory import models
from inventory.admin import filters

SHOWN_CHARACTERS = 14


@admin.register(models.Move)
class MoveAdmin(base_admin.NamesPeople, base_admin.ReadOnly, unfold_admin.ModelAdmin):
    """The ledger."""

    list_display = (
        "when",
        "kind",
        "product",
        "quantity",
        "from_place",
        "to_place",
        "reason",
        "who",
        "cause",
    )
    list_display_links = None
    fields = list_display
    readonly_fields = fields
    list_filter = ("kind", ("at", base_admin.Days), "source_warehouse", "destination_warehouse")
    search_fields = ("product__sku", "product__title", "reference", "actor")
    search_help_text = "Product, reference (lot:…, sale:…), or the e-mail address or id of who did it"
    people = ("actor",)
    list_select_related = ("product", "source_warehouse", "destination_warehouse")
    date_hierarchy = "at"
    show_full_result_count = False

    @admin.display(description="at", ordering="at")
    def when(self, move: models.Move) -> str:
        at = timezone.localtime(move.at)
        return format_html('<span class="whitespace-nowrap">{}</span>', f"{at:%Y-%m-%d %H:%M:%S}")

    who = base_admin.person("actor", "by")

    @admin.display(description="reference")
    def cause(self, move: models.Move) -> str:
        return _shortened(move.reference)

    @admin.display(description="from")
    def from_place(self, move: models.Move) -> str:
        return _place(move.get_source_display(), move.source_warehouse)

    @admin.display(description="to")
    def to_place(self, move: models.Move) -> str:
        return _place(move.get_destination_display(), move.destination_warehouse)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return lookup == "product__id__exact" or super().lookup_allowed(lookup, value, request)


class HoldingInline(base_admin.ReadOnly, unfold_admin.TabularInline):
    model = models.Holding
    fields = ("warehouse", "quantity", "from_lot")
    readonly_fields = fields
    extra = 0
    verbose_name_plural = "units held now"


@admin.register(models.Reservation)
class ReservationAdmin(base_admin.ReadOnly, unfold_admin.ModelAdmin):
    list_display = ("holds_for", "order", "kind", "state", "quantity", "holds", "created_at", "changed_at")
    list_filter = (filters.StateFilter, "kind")
    fields = (
        "holds_for",
        "order",
        "kind",
        "state",
        "product",
        "quantity",
        "holds",
        "auction_id",
        "holder",
        "created_at",
        "changed_at",
        "listing_due_at",
    )
    search_fields = ("holder", "auction_id", "product__sku", "product__title")
    search_help_text = "Sale, auction or product"
    list_select_related = ("product",)
    show_full_result_count = False
    inlines: ClassVar = [HoldingInline]

    @admin.display(description="lot", ordering="product__title")
    def holds_for(self, reservation: models.Reservation) -> str:
        title = reservation.product.title if reservation.product else reservation.auction_id
        return format_html('<a class="underline" href="/auctions/{}">{}</a>', reservation.auction_id, title)

    @admin.display(description="order")
    def order(self, reservation: models.Reservation) -> str:
        if reservation.kind != models.ReservationKind.SALE:
            return ""
        number = ids.order_number(reservation.holder)
        return format_html(
            '<a class="underline" href="{}">{}</a>',
            reverse("admin:orders_order_change", args=[number]),
            number,
        )

    @admin.display(description="holds now")
    def holds(self, reservation: models.Reservation) -> int:
        return reservation.holds or 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.Reservation]:
        return super().get_queryset(request).annotate(holds=Sum("holdings__quantity"))


@admin.register(models.Warehouse)
class WarehouseAdmin(base_admin.ReadOnly, unfold_admin.ModelAdmin):
    list_display = ("name", "code", "priority")


def _place(location: str, warehouse: models.Warehouse | None) -> str:
    return f"{location}, {warehouse}" if warehouse else location


def _shortened(text: str) -> str:
    """The beginning; the whole where the pointer rests."""
    shown = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
    return format_html('<span class="whitespace-nowrap" title="{}">{}</span>', text, shown)
