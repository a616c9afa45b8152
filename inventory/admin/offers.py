"""Offers in the admin: at what price each product is sold in the shop, and at what prices it was. To read; an offer is set on
the page of its product."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold import admin as unfold_admin

from auction_project.kernel import admin as base_admin
from auction_project.kernel import money
from inventory import models


def shown_price(description: str) -> Callable[..., str]:
    """A column with the price of a row, as pages write it."""

    @admin.display(description=description, ordering="price")
    def column(_admin: Any, row: Any) -> str:
        return money.shown(row.price, row.currency)

    return column


class PriceInline(base_admin.ReadOnly, unfold_admin.TabularInline):
    model = models.OfferPrice
    fields = ("shown", "at", "who")
    readonly_fields = fields
    people = ("actor",)
    extra = 0
    verbose_name_plural = "prices, the present one first"

    shown = shown_price("price")
    who = base_admin.person("actor", "set by")


@admin.register(models.Offer)
class OfferAdmin(base_admin.NamesPeople, base_admin.ReadOnly, unfold_admin.ModelAdmin):
    list_display = ("title", "shown", "published", "max_per_order", "changed_at", "of_product")
    list_display_links = ("title",)
    list_filter = ("published", "currency")
    list_select_related = ("product",)
    list_per_page = 50
    search_fields = ("product__title", "product__sku", "slug")
    search_help_text = "Title, SKU or slug"
    ordering = ("-changed_at", "product_id")
    fields = ("title", "shown", "published", "max_per_order", "slug", "version", "changed_at", "of_product")
    readonly_fields = fields
    inlines: ClassVar = [PriceInline]

    shown = shown_price("price")

    @admin.display(description="title", ordering="product__title")
    def title(self, offer: models.Offer) -> str:
        return offer.product.title

    @admin.display(description="product", ordering="product__sku")
    def of_product(self, offer: models.Offer) -> str:
        return base_admin.link("admin:inventory_product_change", offer.product_id, offer.product.sku)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("inventory.view_offer")


def summary(offer: models.Offer | None) -> str:
    """The offer in one line, with a link to its prices; and to its page in the shop while that shows it."""
    if offer is None:
        return "Not offered"
    prices = reverse("admin:inventory_offer_change", args=[offer.pk])
    line = format_html(
        '{} each, at most {} in one order. <a class="underline" href="{}">All prices</a>',
        money.shown(offer.price, offer.currency),
        offer.max_per_order,
        prices,
    )
    if not offer.published:
        return line
    return format_html('{} · <a class="underline" href="/shop/p/{}">In the shop</a>', line, offer.slug)
