"""Carts and checkouts in the admin: what users mean to buy, and what became of it. Nothing is changed here."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from unfold import admin as unfold_admin
from unfold import decorators as unfold

from auction_project.kernel import admin as base_admin
from auction_project.kernel import money
from orders import models, selectors
from orders.admin import shared

_State = models.CheckoutState
STATES = {**{state.value: state.label for state in _State}, models.EXPIRED: "Expired"}
STATE_COLOURS = {
    STATES[_State.RESERVED]: "info",
    STATES[_State.PAYING]: "info",
    STATES[_State.PAID]: "success",
    STATES[_State.REFUSED]: "danger",
    STATES[models.EXPIRED]: "warning",
}


@admin.register(models.CartLine)
class CartLineAdmin(base_admin.NamesPeople, base_admin.ReadOnly, unfold_admin.ModelAdmin):
    """The lines of all carts, those of a user together."""

    list_display = ("product", "quantity", "accepted", "now", "buyer", "added_at")
    list_filter = (("added_at", base_admin.Days), "currency")
    search_fields = ("user_id", "product_id")
    search_help_text = "The user's e-mail address, or the id of a user or product"
    people = ("user_id",)
    ordering = ("user_id", "added_at", "id")
    fields = list_display
    readonly_fields = fields

    buyer = base_admin.person("user_id", "user")

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.CartLine]:
        """Each with what the shop says of its product now."""
        offer = models.Offer.objects.filter(product_id=OuterRef("product_id"))
        offered = {name: Subquery(offer.values(name)[:1]) for name in ("title", "price", "published")}
        own_currency = Subquery(offer.values("currency")[:1])
        return super().get_queryset(request).annotate(**offered, offer_currency=own_currency)

    @admin.display(description="product")
    def product(self, line: Any) -> str:
        return base_admin.link(
            "admin:inventory_product_change", line.product_id, line.title or line.product_id
        )

    @admin.display(description="price that the user saw")
    def accepted(self, line: models.CartLine) -> str:
        return money.shown(line.seen_price, line.currency)

    @admin.display(description="price now")
    def now(self, line: Any) -> str:
        return money.shown(line.price, line.offer_currency) if line.published else "not for sale"


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return STATES.items()

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[models.Checkout]
    ) -> QuerySet[models.Checkout]:
        state = self.value()
        return (
            queryset.filter(models.Checkout.has_status(state, timezone.now()))
            if state in STATES
            else queryset
        )


class SaleInline(base_admin.ReadOnly, unfold_admin.TabularInline):
    model = models.CheckoutSale
    fields = ("at", "order", "amount", "result", "ended_at", "saga")
    readonly_fields = fields
    extra = 0
    verbose_name_plural = "payments"

    @admin.display(description="order")
    def order(self, sale: models.CheckoutSale) -> str:
        """The number is an order's only if the sale came so far."""
        if not selectors.list_orders(number=sale.order_number).exists():
            return f"{sale.order_number}, never placed"
        return base_admin.link("admin:orders_order_change", sale.order_number, sale.order_number)

    @admin.display(description="amount")
    def amount(self, sale: models.CheckoutSale) -> str:
        return money.shown(sale.price, sale.checkout.currency)

    @admin.display(description="outcome")
    def result(self, sale: models.CheckoutSale) -> str:
        return sale.get_outcome_display() or "under way"

    @admin.display(description="sale")
    def saga(self, sale: models.CheckoutSale) -> str:
        return base_admin.link("admin:sagas_saga_change", sale.sale_id, sale.sale_id)


@admin.register(models.Checkout)
class CheckoutAdmin(
    shared.ShowsAddress, base_admin.NamesPeople, base_admin.ReadOnly, unfold_admin.ModelAdmin
):
    list_display = ("title", "sum", "status", "buyer", "started_at")
    list_display_links = ("title",)
    list_filter = (StateFilter, ("started_at", base_admin.Days), "currency")
    search_fields = ("id", "user_id")
    search_help_text = "Order number, the buyer's e-mail address, or the id of a checkout or user"
    people = ("user_id",)
    ordering = ("-started_at", "id")
    fields = (
        "id",
        "status",
        "refusal",
        "sold",
        "sum",
        "goes_to",
        "buyer",
        "started_at",
        "pay_by",
        "changed_at",
    )
    readonly_fields = fields
    inlines: ClassVar[list[Any]] = [SaleInline]

    buyer = base_admin.person("user_id", "buyer")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[models.Checkout], search_term: str
    ) -> tuple[QuerySet[models.Checkout], bool]:
        checkout_id = selectors.find_checkout(order_number=search_term.strip().upper())
        return super().get_search_results(request, queryset, checkout_id or search_term)

    @unfold.display(description="state", label=STATE_COLOURS)
    def status(self, checkout: models.Checkout) -> str:
        return STATES[checkout.status(timezone.now())]

    @admin.display(description="what")
    def title(self, checkout: models.Checkout) -> str:
        return checkout.title

    @admin.display(description="total")
    def sum(self, checkout: models.Checkout) -> str:
        return money.shown(checkout.total, checkout.currency)

    @admin.display(description="to be paid before")
    def pay_by(self, checkout: models.Checkout) -> str:
        return base_admin.shown_at(checkout.pay_by)

    @admin.display(description="lines")
    def sold(self, checkout: models.Checkout) -> str:
        lines = (
            (
                line.quantity,
                base_admin.link("admin:inventory_product_change", line.product_id, line.title),
                money.shown(line.price, checkout.currency),
            )
            for line in checkout.sold
        )
        rows = format_html_join(mark_safe("<br>"), "{} × {}, {}", lines)
        return format_html("{}<br>Shipping, {}", rows, money.shown(checkout.shipping, checkout.currency))

    @admin.display(description="why not")
    def refusal(self, checkout: models.Checkout) -> str:
        """What inventory had too few of, or why the last payment failed."""
        titles = {line.product_id: line.title for line in checkout.sold}
        short = (
            (titles.get(one["product_id"], one["product_id"]), one["available"], one["asked"])
            for one in checkout.shortages
        )
        lines = format_html_join(mark_safe("<br>"), "{}: {} of {} units were free", short)
        return lines or checkout.failure or "–"

    @admin.display(description="goes to")
    def goes_to(self, checkout: models.Checkout) -> str:
        return shared.address(checkout.address)

    def address_of(self, row: models.Checkout) -> dict[str, Any] | None:
        return row.address
