"""Awards in the admin: lots that buyers are to pay in the shop, until when, and the order that paid each. Nothing is changed here."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold import admin as unfold_admin
from unfold import decorators as unfold

from auction_project.kernel import admin as base_admin
from auction_project.kernel import money
from orders import models, selectors

_State = models.AwardState
STATE_COLOURS = {
    _State.DUE.label: "info",
    _State.PAYING.label: "info",
    _State.PAID.label: "success",
    _State.LAPSED.label: "warning",
}


@admin.register(models.Award)
class AwardAdmin(base_admin.NamesPeople, base_admin.ReadOnly, unfold_admin.ModelAdmin):
    list_display = ("title", "sum", "status", "buyer", "due_at", "awarded_at")
    list_filter = ("state", ("due_at", base_admin.Days), "currency")
    search_fields = ("sale_id", "user_id", "auction_id", "title")
    search_help_text = "Title, the buyer's e-mail address, or the id of a sale, auction or user"
    people = ("user_id", "owner_id")
    ordering = ("-awarded_at", "sale_id")
    fields = (
        "title",
        "status",
        "quantity",
        "sum",
        "buyer",
        "seller",
        "due_at",
        "paid_by",
        "awarded_at",
        "changed_at",
        "sale_id",
        "auction",
        "product",
    )
    readonly_fields = fields

    buyer = base_admin.person("user_id", "buyer")
    seller = base_admin.person("owner_id", "seller")

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.Award]:
        return super().get_queryset(request).select_related("checkout")

    @unfold.display(description="state", label=STATE_COLOURS)
    def status(self, award: models.Award) -> str:
        return _State(award.state).label

    @admin.display(description="price", ordering="price")
    def sum(self, award: models.Award) -> str:
        return money.shown(award.price, award.currency)

    @admin.display(description="paid by")
    def paid_by(self, award: models.Award) -> Any:
        """The order, once it is paid; while its payment is under way there may be none."""
        if award.checkout is None:
            return "–"
        number = selectors.get_order_number(award.checkout)
        if award.state != _State.PAID or number is None:
            return f"{number}, under way"
        return base_admin.link("admin:orders_order_change", number, number)

    @admin.display(description="auction")
    def auction(self, award: models.Award) -> str:
        return base_admin.link("auction", award.auction_id, award.auction_id)

    @admin.display(description="product")
    def product(self, award: models.Award) -> str:
        return base_admin.link("admin:inventory_product_change", award.product_id, award.product_id)
