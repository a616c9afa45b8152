"""Products with their figures, and what a clerk may do with them. Each change is one call of a service.

A clerk may add a product and correct its description, and deletes nothing. The ledger, a product's corrections and its
log record who did what.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold import admin as unfold_admin
from unfold import decorators as unfold

from auction_project.kernel import admin as base_admin
from auction_project.kernel import errors, ids, money
from inventory import models, refusals, selectors, services
from inventory.admin import catalogue_forms, filters, forms, offers, pictures


class BalanceInline(base_admin.ReadOnly, unfold_admin.TabularInline):
    model = models.Balance
    fields = ("warehouse", "on_hand", "available", "reserved", "committed", "set_aside")
    readonly_fields = fields
    extra = 0
    verbose_name_plural = "units by warehouse"


class CorrectionInline(base_admin.ReadOnly, unfold_admin.TabularInline):
    model = models.Correction
    fields = ("title", "condition", "description", "who", "at")
    readonly_fields = fields
    people = ("actor",)
    extra = 0
    verbose_name_plural = "edit history"

    who = base_admin.person("actor", "by")


def _figure(name: str, description: str) -> Callable[..., int]:
    """A column with one of the figures that `selectors.with_figures` computes; it can be sorted by."""

    @admin.display(description=description, ordering=name)
    def column(_admin: Any, product: models.Product) -> int:
        return getattr(product, name)

    return column


def _offer_of(product: models.Product) -> models.Offer | None:
    return getattr(product, "offer", None)


@admin.register(models.Product)
class ProductAdmin(base_admin.NamesPeople, base_admin.Lookups, unfold_admin.ModelAdmin):
    list_display = (
        "shown_picture",
        "sku",
        "title",
        "condition",
        "on_hand",
        "reserved",
        "committed",
        "available",
        "level",
        "shop_price",
    )
    list_display_links = ("sku", "title")
    list_filter = (
        filters.StockFilter,
        filters.OfferFilter,
        filters.CategoryFilter,
        filters.OwnerFilter,
        "condition",
    )
    list_select_related = ("offer", "category")
    search_fields = ("sku", "title", "id")
    search_help_text = "SKU, title or id"
    ordering = ("sku",)
    list_per_page = 50
    actions = None
    people = ("owner_id",)
    inlines: ClassVar = [pictures.PictureInline, BalanceInline, CorrectionInline]
    form = catalogue_forms.ProductForm
    add_fieldsets = (
        (
            None,
            {
                "fields": (
                    "sku",
                    "title",
                    "description",
                    "condition",
                    "category_slug",
                    "facts",
                    "owner_id",
                    "picture",
                )
            },
        ),
    )
    corrected = ("title", "description", "condition")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "shown_picture",
                    "sku",
                    *corrected,
                    "category",
                    "shown_facts",
                    "owner",
                    "id",
                )
            },
        ),
        ("Shop", {"fields": ("offer_in_words", "is_published")}),
        (
            "Stock",
            {
                "fields": (
                    "on_hand",
                    "available",
                    "reserved",
                    "committed",
                    "set_aside",
                    "low_threshold",
                    "level",
                    "ledger",
                )
            },
        ),
    )
    correctable = ("shown_picture", "sku", *corrected, "category_slug", "facts", "owner", "id")
    actions_detail: ClassVar = [
        "set_offer",
        "receive_stock",
        "adjust_stock",
        "transfer_stock",
        "set_threshold",
    ]

    on_hand = _figure("on_hand", "on hand")
    available = _figure("available", "available")
    reserved = _figure("reserved", "reserved")
    committed = _figure("committed", "committed")
    set_aside = _figure("set_aside", "set aside")
    owner = base_admin.person("owner_id", "owner")

    @admin.display(description="picture")
    def shown_picture(self, product: models.Product) -> str:
        if not product.thumbnail_url:
            return "–"
        return format_html(
            '<img src="{}" alt="" width="48" height="48" style="object-fit:cover">', product.thumbnail_url
        )

    @admin.display(description="attributes")
    def shown_facts(self, product: models.Product) -> str:
        lines = ((one["name"], one["value"]) for one in product.attributes)
        return format_html_join("", "<div>{}: {}</div>", lines) or "–"

    @admin.display(description="price", ordering="offer__price")
    def shop_price(self, product: models.Product) -> str:
        """Of what the shop shows."""
        offer = _offer_of(product)
        return money.shown(offer.price, offer.currency) if offer and offer.published else ""

    @admin.display(description="offer")
    def offer_in_words(self, product: models.Product) -> str:
        return offers.summary(_offer_of(product))

    @admin.display(description="published", boolean=True)
    def is_published(self, product: models.Product) -> bool:
        offer = _offer_of(product)
        return offer is not None and offer.published

    @unfold.display(description="level", label={"Low": "danger", "Depleted": "danger"})
    def level(self, product: models.Product) -> str | None:
        """What is red is on the Overview, too."""
        is_empty = product.available + product.reserved == 0
        if product.is_short:
            return "Depleted" if is_empty else "Low"
        return "Depleted, not on sale" if is_empty else None

    @admin.display(description="ledger")
    def ledger(self, product: models.Product) -> str:
        address = reverse("admin:inventory_move_changelist")
        return format_html(
            '<a class="underline" href="{}?product__id__exact={}">All moves of this product</a>',
            address,
            product.pk,
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.Product]:
        return selectors.with_levels(super().get_queryset(request))

    # --- who may -------------------------------------------------------------------------------------------------

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_offer_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("inventory.change_offer")

    def has_receive_stock_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("inventory.receive_stock")

    def has_adjust_stock_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("inventory.adjust_stock")

    def has_transfer_stock_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("inventory.transfer_stock")

    # --- a new product, or one that is corrected -----------------------------------------------------------------

    def get_fieldsets(self, request: HttpRequest, obj: models.Product | None = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        if not self.has_change_permission(request, obj):
            return self.fieldsets
        return ((None, {"fields": self.correctable}), *self.fieldsets[1:])

    def get_readonly_fields(self, request: HttpRequest, obj: models.Product | None = None) -> Any:
        if obj is None:
            return ()
        shown = tuple(name for _, part in self.fieldsets for name in part["fields"])
        if not self.has_change_permission(request, obj):
            return shown
        return tuple(name for name in shown if name not in self.corrected)

    def get_inlines(self, request: HttpRequest, obj: models.Product | None) -> list[Any]:
        return self.inlines if obj else []

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, str]:
        return {"owner_id": models.HOUSE, "condition": models.Condition.GOOD}

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except errors.DomainError as error:
            messages.error(request, error.detail)
            return redirect(request.path)

    def save_model(self, request: HttpRequest, obj: models.Product, form: Any, change: bool) -> None:
        """The services make and correct a product; this form's own row is never saved."""
        if change:
            services.correct_product(
                product_id=obj.id,
                **{name: form.cleaned_data[name] for name in self.corrected},
                category=form.cleaned_data["category_slug"],
                attributes=form.cleaned_data["facts"],
                actor=str(request.user.pk),
                now=timezone.now(),
            )
            return
        obj.id = ids.new_id()
        services.create_product(
            product_id=obj.id,
            sku=obj.sku,
            title=obj.title,
            description=obj.description,
            condition=obj.condition,
            owner_id=obj.owner_id,
            category=form.cleaned_data["category_slug"],
            attributes=form.cleaned_data["facts"] or (),
            image=form.cleaned_data["picture"],
            actor=str(request.user.pk),
            now=timezone.now(),
        )

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """The services add and arrange pictures; the forms' own rows are never saved."""
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []  # for the log
        if isinstance(formset, catalogue_forms.PictureFormSet) and formset.has_changed():
            pictures.save(
                formset, product_id=form.instance.pk, actor=str(request.user.pk), now=timezone.now()
            )

    # --- actions ------------------------------------------------------------------------------------------------

    @unfold.action(
        description="Set the offer",
        url_path="offer",
        permissions=["change_offer"],
        dialog=catalogue_forms.OFFER,
    )
    def set_offer(
        self, request: HttpRequest, form: catalogue_forms.OfferForm, object_id: str
    ) -> HttpResponse:
        filled = form.cleaned_data
        state = "published" if filled["published"] else "not published"
        done = (
            f"Set the offer: {filled['price']} {filled['currency']} each, at most {filled['max_per_order']} "
            f"in one order, {state}."
        )
        return self._act(
            request,
            object_id,
            form,
            catalogue_forms.OFFER,
            done,
            lambda who: services.set_offer(**form.terms(), **who),
        )

    @unfold.action(
        description="Receive", url_path="receive", permissions=["receive_stock"], dialog=forms.RECEIVE
    )
    def receive_stock(self, request: HttpRequest, form: forms.ReceiveForm, object_id: str) -> HttpResponse:
        filled = form.cleaned_data
        what = {name: filled[name] for name in ("key", "warehouse", "quantity", "reason")}
        done = f"Received {refusals.units(filled['quantity'])} into {form.names[filled['warehouse']]}."
        return self._act(
            request,
            object_id,
            form,
            forms.RECEIVE,
            done,
            lambda who: services.receive_stock(**what, **who),
        )

    @unfold.action(description="Adjust", url_path="adjust", permissions=["adjust_stock"], dialog=forms.ADJUST)
    def adjust_stock(self, request: HttpRequest, form: forms.AdjustForm, object_id: str) -> HttpResponse:
        filled = form.cleaned_data
        what = {name: filled[name] for name in ("key", "warehouse", "counted", "reason")}
        what |= {"expected": form.expected(), "confirmation": form.confirmation_given()}
        place, counted = form.names[filled["warehouse"]], refusals.units(filled["counted"])
        done = f"Set {place} from {form.expected()} to {counted}: {filled['reason']}"
        return self._act(
            request,
            object_id,
            form,
            forms.ADJUST,
            done,
            lambda who: services.adjust_stock(**what, **who),
        )

    @unfold.action(
        description="Transfer",
        url_path="transfer",
        permissions=["transfer_stock"],
        dialog=forms.TRANSFER,
    )
    def transfer_stock(self, request: HttpRequest, form: forms.TransferForm, object_id: str) -> HttpResponse:
        filled = form.cleaned_data
        what = {name: filled[name] for name in ("key", "source", "destination", "quantity", "reason")}
        source, destination = form.names[filled["source"]], form.names[filled["destination"]]
        done = f"Moved {refusals.units(filled['quantity'])} from {source} to {destination}."
        return self._act(
            request,
            object_id,
            form,
            forms.TRANSFER,
            done,
            lambda who: services.transfer_stock(**what, **who),
        )

    @unfold.action(
        description="Threshold",
        url_path="threshold",
        permissions=["adjust_stock"],
        dialog=forms.THRESHOLD,
    )
    def set_threshold(self, request: HttpRequest, form: forms.ThresholdForm, object_id: str) -> HttpResponse:
        threshold = form.cleaned_data["threshold"]
        done = (
            f"Set the low-stock alert to {refusals.units(threshold)}."
            if threshold
            else "Low-stock alert is off."
        )
        return self._act(
            request,
            object_id,
            form,
            forms.THRESHOLD,
            done,
            lambda who: services.set_threshold(
                product_id=who["product_id"], threshold=threshold, now=who["now"]
            ),
        )

    def _act(
        self,
        request: HttpRequest,
        product_id: str,
        form: forms.StockForm | catalogue_forms.OfferForm,
        dialog: Any,
        done: str,
        service: Callable[[dict[str, Any]], object],
    ) -> HttpResponse:
        """Call the service and show the product again, or the form with the refusal."""
        try:
            service({"product_id": product_id, "actor": str(request.user.pk), "now": timezone.now()})
        except errors.DomainError as error:
            form.refuse(error)
            return base_admin.show_again(request, dialog, form)
        self.log_change(request, models.Product.objects.get(id=product_id), done)
        messages.success(request, done)
        return HttpResponse(
            headers={"HX-Redirect": reverse("admin:inventory_product_change", args=[product_id])}
        )
