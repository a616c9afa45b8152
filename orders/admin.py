"""The finance desk: orders, payments, ledger and risk, to look at. The one thing to do is to have a payment settled.

Nothing is added, edited or deleted here. Who may look is decided by the groups' view permissions.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from unfold import admin as unfold_admin
from unfold import decorators as unfold

from auction_project import desks, errors, money
from orders import models, selectors, services


class StatusFilter(admin.SimpleListFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return models.OrderFact.Kind.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[models.Order]) -> QuerySet[models.Order]:
        status = self.value()
        return (
            queryset.filter(pk__in=selectors.list_orders(status=status).values("pk")) if status else queryset
        )


class OrderFactInline(desks.ReadOnly, unfold_admin.TabularInline):
    model = models.OrderFact
    fields = ("at", "kind", "detail")
    readonly_fields = fields
    extra = 0
    verbose_name_plural = "what happened"


class PaymentFactInline(desks.ReadOnly, unfold_admin.TabularInline):
    model = models.PaymentFact
    fields = ("at", "kind", "detail")
    readonly_fields = fields
    extra = 0
    verbose_name_plural = "what happened"


class JournalInline(desks.ReadOnly, unfold_admin.TabularInline):
    model = models.JournalEntry
    fields = ("at", "kind")
    readonly_fields = fields
    extra = 0
    verbose_name_plural = "in the ledger"


class PostingInline(desks.ReadOnly, unfold_admin.TabularInline):
    model = models.Posting
    fields = ("account", "debit", "credit", "currency")
    readonly_fields = fields
    extra = 0


@admin.display(description="amount", ordering="amount")
def total(row: models.Order | models.Payment | models.RiskAssessment) -> str:
    return f"{money.format(row.amount, row.currency)} {row.currency}"


@admin.register(models.Order)
class OrderAdmin(desks.ReadOnly, unfold_admin.ModelAdmin):
    list_display = ("number", "title", total, "status", "user_id", "placed_at")
    list_filter = (StatusFilter, "currency")
    search_fields = ("number", "sale_id", "user_id", "auction_id", "title")
    ordering = ("-placed_at", "number")
    fields = (
        "number",
        "status",
        "title",
        "quantity",
        total,
        "payment",
        "risk",
        "user_id",
        "sale_id",
        "auction_id",
    )
    readonly_fields = (*fields, "product_id", "placed_at")
    inlines: ClassVar[list[Any]] = [OrderFactInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.Order]:
        return super().get_queryset(request).prefetch_related("facts")

    @admin.display(description="payment")
    def payment(self, order: models.Order) -> str:
        payment = selectors.get_payments([order.number]).get(order.number)
        return payment.state if payment else "none"

    @admin.display(description="risk")
    def risk(self, order: models.Order) -> str:
        assessment = selectors.get_risk(number=order.number)
        return reasons(assessment) if assessment else "not assessed"


@admin.register(models.Payment)
class PaymentAdmin(desks.ReadOnly, unfold_admin.ModelAdmin):
    list_display = ("order_number", total, "state", "timeouts", "user_id", "started_at", "changed_at")
    list_filter = ("state", "currency")
    search_fields = ("order_number", "key", "user_id", "sale_id")
    ordering = ("-started_at", "order_number")
    fields = (
        "order_number",
        "state",
        "detail",
        total,
        "timeouts",
        "user_id",
        "sale_id",
        "key",
        "started_at",
        "changed_at",
    )
    readonly_fields = fields
    inlines: ClassVar[list[Any]] = [PaymentFactInline, JournalInline]
    actions_detail: ClassVar[list[str]] = ["settle"]

    def has_settle_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("orders.resolve_payment"))

    @unfold.action(
        description="Settle with the provider",
        url_path="settle",
        # Not the codename itself: a system check would look for it before it is migrated.
        permissions=["settle"],
        dialog=desks.dialog(
            "Settle with the provider",
            "Takes what the provider has captured; what it has not is cancelled there for good.",
        ),
    )
    def settle(self, request: HttpRequest, form: desks.ReasonForm, object_id: str) -> HttpResponse:
        try:
            state = services.resolve_payment(
                order_number=object_id,
                actor=str(request.user),
                reason=form.cleaned_data["reason"],
                now=timezone.now(),
            )
            messages.success(request, f"{object_id} is {state}.")
        except errors.DomainError as error:
            messages.error(request, error.detail)
        # The dialog is htmx's.
        return HttpResponse(headers={"HX-Redirect": reverse("admin:orders_payment_change", args=[object_id])})


@admin.register(models.JournalEntry)
class JournalEntryAdmin(desks.ReadOnly, unfold_admin.ModelAdmin):
    list_display = ("id", "at", "kind", "payment")
    list_filter = ("kind",)
    list_select_related = ("payment",)
    search_fields = ("payment__order_number",)
    ordering = ("-id",)
    fields = ("at", "kind", "payment")
    readonly_fields = fields
    inlines: ClassVar[list[Any]] = [PostingInline]


@admin.register(models.RiskAssessment)
class RiskAssessmentAdmin(desks.ReadOnly, unfold_admin.ModelAdmin):
    list_display = ("order_number", "score", "refused", total, "user_id", "at")
    list_filter = ("refused", "policy")
    search_fields = ("order_number", "user_id")
    ordering = ("-at", "order_number")
    fields = ("order_number", "score", "refused", "explained", total, "user_id", "policy", "at")
    readonly_fields = fields

    @admin.display(description="reasons")
    def explained(self, assessment: models.RiskAssessment) -> str:
        return reasons(assessment)


def reasons(assessment: models.RiskAssessment) -> str:
    lines = [f"{reason['points']:+} {reason['detail']}" for reason in assessment.reasons]
    return "\n".join([f"{assessment.score} points", *lines])
