"""Payments and accounting entries in the admin. One act: settle a payment that is undecided."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from unfold import admin as unfold_admin
from unfold import decorators as unfold

from auction_project.kernel import admin as base_admin
from auction_project.kernel import errors, money
from orders import models, provider, selectors, services
from orders.admin import shared


class RefundInline(base_admin.ReadOnly, unfold_admin.TabularInline):
    model = models.Refund
    fields = ("created_at", "given_back", "state", "reason", "tries", "detail", "by")
    readonly_fields = fields
    extra = 0
    people = ("actor",)
    verbose_name_plural = "refunds"

    by = base_admin.person("actor", "by")

    @admin.display(description="amount")
    def given_back(self, refund: models.Refund) -> str:
        return money.shown(refund.amount, refund.payment.currency)


class PaymentFactInline(base_admin.ReadOnly, unfold_admin.TabularInline):
    model = models.PaymentFact
    fields = ("at", "kind", "detail")
    readonly_fields = fields
    extra = 0
    verbose_name_plural = "what happened"


class JournalInline(base_admin.ReadOnly, unfold_admin.TabularInline):
    model = models.JournalEntry
    fields = ("at", "kind")
    readonly_fields = fields
    extra = 0
    verbose_name_plural = "accounting entries"


_SIDES = {1: "debit", 0: "", -1: "credit"}


def _side(name: str) -> Callable[..., str]:
    """A column with one side of a posting as a decimal amount; the side that is 0 stays empty."""

    @admin.display(description=name)
    def column(_inline: Any, posting: models.Posting) -> str:
        minor_units = getattr(posting, name)
        return money.format(minor_units, posting.currency) if minor_units else ""

    return column


class PostingInline(base_admin.ReadOnly, unfold_admin.TabularInline):
    model = models.Posting
    fields = ("account", "debit_amount", "credit_amount", "currency")
    readonly_fields = fields
    extra = 0

    debit_amount = _side("debit")
    credit_amount = _side("credit")


@admin.register(models.Payment)
class PaymentAdmin(base_admin.NamesPeople, base_admin.ReadOnly, base_admin.Summed, unfold_admin.ModelAdmin):
    list_display = ("order_number", shared.total, "state", "timeouts", "buyer", "started_at")
    list_filter = ("state", ("started_at", base_admin.Days), "currency")
    search_fields = ("order_number", "key", "user_id", "sale_id")
    search_help_text = "Order number, the buyer's e-mail address, or the id of a sale or user"
    people = ("user_id",)
    ordering = ("-started_at", "order_number")
    fields = (
        "order_number",
        "state",
        "detail",
        shared.total,
        "timeouts",
        "buyer",
        "order",
        "sale",
        "key",
        "started_at",
        "changed_at",
    )
    readonly_fields = fields
    inlines: ClassVar[list[Any]] = [PaymentFactInline, RefundInline, JournalInline]
    actions_detail: ClassVar[list[str]] = ["settle"]

    def figures(self, rows: QuerySet[models.Payment]) -> list[tuple[str, str]]:
        return shared.sums(rows)

    buyer = base_admin.person("user_id", "buyer")

    @admin.display(description="order")
    def order(self, payment: models.Payment) -> str:
        if not selectors.list_orders(number=payment.order_number).exists():
            return "never placed"
        return base_admin.link("admin:orders_order_change", payment.order_number, payment.order_number)

    @admin.display(description="sale")
    def sale(self, payment: models.Payment) -> str:
        return base_admin.link("admin:sagas_saga_change", payment.sale_id, payment.sale_id)

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """The action, while it can be done: a payment with an outcome has nothing to settle."""
        payment = self.get_object(request, object_id)
        is_open = payment is not None and not payment.is_decided
        return super().get_actions_detail(request, object_id) if is_open else []

    def has_settle_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("orders.resolve_payment"))

    @unfold.action(
        description="Settle with the provider",
        url_path="settle",
        # Not the codename, because a system check would look for that before it is migrated.
        permissions=["settle"],
        dialog=base_admin.dialog(
            "Settle with the provider",
            "If the provider has captured the money, the payment counts as captured; otherwise it is cancelled for good.",
        ),
    )
    def settle(self, request: HttpRequest, form: base_admin.ReasonForm, object_id: str) -> HttpResponse:
        try:
            state = services.resolve_payment(
                order_number=object_id,
                actor=str(request.user),
                reason=form.cleaned_data["reason"],
                now=timezone.now(),
            )
            messages.success(request, f"{object_id} is {models.PaymentState(state).label.lower()}.")
        except errors.DomainError as error:
            messages.error(request, error.detail)
        except provider.ProviderFault as error:
            messages.error(request, f"The payment provider did not settle it. {error}")
        # The dialog is part of the page, so htmx must load the page again.
        return HttpResponse(headers={"HX-Redirect": reverse("admin:orders_payment_change", args=[object_id])})


@admin.register(models.JournalEntry)
class JournalEntryAdmin(base_admin.ReadOnly, base_admin.Summed, unfold_admin.ModelAdmin):
    list_display = ("id", "at", "kind", "entry_amount", "postings_text", "order")
    list_filter = ("kind", ("at", base_admin.Days), "payment__currency")
    list_select_related = ("payment", "refund")
    search_fields = ("payment__order_number",)
    ordering = ("-id",)
    fields = ("at", "kind", "entry_amount", "order")
    readonly_fields = fields
    inlines: ClassVar[list[Any]] = [PostingInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.JournalEntry]:
        return super().get_queryset(request).prefetch_related("postings")

    def figures(self, rows: QuerySet[models.JournalEntry]) -> list[tuple[str, str]]:
        """The balance of each account, on the side on which it is."""
        return [
            (
                f"{models.Posting.Account(account).label}, balance",
                f"{money.shown(abs(balance), currency)} {_SIDES[(balance > 0) - (balance < 0)]}".strip(),
            )
            for account, currency, balance in selectors.list_balances(rows)
        ]

    @admin.display(description="amount", ordering="payment__amount")
    def entry_amount(self, entry: models.JournalEntry) -> str:
        return money.shown(entry.amount, entry.payment.currency)

    @admin.display(description="debit → credit")
    def postings_text(self, entry: models.JournalEntry) -> str:
        sides = sorted(entry.postings.all(), key=lambda posting: -posting.debit)
        return " → ".join(posting.get_account_display() for posting in sides)

    @admin.display(description="order", ordering="payment")
    def order(self, entry: models.JournalEntry) -> str:
        return base_admin.link("admin:orders_payment_change", entry.payment_id, entry.payment_id)
