"""The admin of the sagas: a list, and a page for each saga with its timeline. Nothing is edited or deleted here.

An operator's three actions (retry, undo, resume) each require a reason and make one call of `operators`; the timeline
keeps who did it, and why. The page offers only what the saga's state allows.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin import utils
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from unfold import admin as unfold_admin
from unfold import decorators as unfold

from auction_project.kernel import admin as base_admin
from auction_project.kernel import errors, money, reasons, tracing
from sagas import definitions, engine, models, operators

STATUS_COLOURS = {
    models.Status.RUNNING.label: "info",
    models.Status.COMPENSATING.label: "warning",
    models.Status.COMPLETED.label: "success",
    models.Status.COMPENSATED.label: "warning",
    models.Status.PARKED.label: "danger",
}
CALLS_IN_WORDS = {
    "reserve_stock": "Reserve the stock",
    "assess_risk": "Assess the risk",
    "capture_payment": "Charge the card",
    "place_order": "Place the order",
    "commit_stock": "Commit the stock",
    "confirm_order": "Confirm the order",
    "release_stock": "Release the stock",
    "refund_payment": "Cancel or refund the payment",
    "cancel_order": "Cancel the order",
    "restock": "Put the stock back",
}
MILLISECOND = timedelta(milliseconds=1)
BAR_WIDTH = 200  # pixels: the time of the whole saga
BAR_COLOURS = {
    event.value: "#dc2626" for event in (models.Event.REFUSED, models.Event.FAULT, models.Event.LOST)
} | {models.Event.OUTAGE.value: "#d97706"}
RETRY = base_admin.dialog(
    "Retry",
    "Makes the next attempt now. If a sale that needs attention fails again, it stops again.",
)
UNDO = base_admin.dialog(
    "Undo the sale",
    "Reverses every step. The sale cannot be resumed afterwards. The buyer sees your reason.",
)
RESUME = base_admin.dialog("Resume", "Lets a sale that needs attention go on, with all its attempts again.")
COMMANDS = {"retry": engine.Command.RETRY, "undo": engine.Command.TURN, "resume": engine.Command.RESUME}


class WaitFilter(admin.SimpleListFilter):
    """Filters by what an operator looks for."""

    title = "attention"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [
            ("open", "Open"),
            ("failing", "Open, after failed attempts"),
            ("parked", "Needs attention"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[models.Saga]) -> QuerySet[models.Saga]:
        live = queryset.filter(status__in=models.LIVE)
        match self.value():
            case "open":
                return live
            case "failing":
                return live.filter(tries__gt=1)
            case "parked":
                return queryset.filter(status=models.Status.PARKED)
        return queryset


class CauseFilter(admin.SimpleListFilter):
    """Filters by why a sale failed."""

    title = "cause"
    parameter_name = "failure_reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(code, text.capitalize()) for code, text in reasons.IN_WORDS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[models.Saga]) -> QuerySet[models.Saga]:
        return queryset.filter(failure_reason=self.value()) if self.value() else queryset


class TimelineInline(base_admin.ReadOnly, unfold_admin.TabularInline):
    model = models.SagaStep
    fields = ("after", "call", "bar", "duration", "attempt", "event", "error", "who")
    readonly_fields = fields
    ordering = ("id",)
    extra = 0
    verbose_name_plural = "timeline"

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.SagaStep]:
        return super().get_queryset(request).select_related("saga")

    @admin.display(description="after")
    def after(self, line: models.SagaStep) -> str:
        """From the start of the saga to the start of this line."""
        return _in_one_line(f"+{_milliseconds(line.started_at - line.saga.created_at)}")

    @admin.display(description="time")
    def bar(self, line: models.SagaStep) -> SafeString:
        """Where this line lies in the time of the whole saga."""
        began, ended = line.saga.created_at, line.saga.finished_at or line.saga.moved_at
        whole = max(ended - began, line.finished_at - began, MILLISECOND)
        start = (line.started_at - began) / whole * BAR_WIDTH
        width = max(1, (line.finished_at - line.started_at) / whole * BAR_WIDTH)
        return format_html(
            '<svg class="inline-block text-primary-600" width="{}" height="10" role="img" aria-label="{}">'
            '<rect width="100%" height="10" rx="2" fill="currentColor" opacity="0.12"/>'
            '<rect x="{}" width="{}" height="10" rx="2" fill="{}"/></svg>',
            BAR_WIDTH,
            f"from +{_milliseconds(line.started_at - began)}, {_milliseconds(line.finished_at - line.started_at)} long",
            f"{min(start, BAR_WIDTH - 1):.1f}",
            f"{width:.1f}",
            BAR_COLOURS.get(line.event, "currentColor"),
        )

    @admin.display(description="step")
    def call(self, line: models.SagaStep) -> str:
        definition = definitions.find(line.saga.definition, line.saga.version)
        steps = {step.name: step for step in definition.steps} if definition else {}
        step = steps.get(line.step)
        is_undoing = line.direction == models.Direction.BACKWARD
        return in_words((step.compensation if step and is_undoing else None) or line.step)

    @admin.display(description="duration")
    def duration(self, line: models.SagaStep) -> str:
        return _in_one_line(_milliseconds(line.finished_at - line.started_at))


def in_words(call: str) -> str:
    """The name of a call for people."""
    return CALLS_IN_WORDS.get(call, call)


def _in_one_line(text: str) -> SafeString:
    return format_html('<span class="whitespace-nowrap">{}</span>', text)


def _milliseconds(span: timedelta) -> str:
    return f"{span / MILLISECOND:,.0f} ms"


@admin.register(models.Saga)
class SagaAdmin(base_admin.NamesPeople, base_admin.ReadOnly, unfold_admin.ModelAdmin):
    list_display = (
        "order_number",
        "coloured_status",
        "now_at",
        "tries",
        "cause",
        "title",
        "price_text",
        "created_at",
        "took",
    )
    list_filter = (
        WaitFilter,
        "status",
        CauseFilter,
        ("created_at", base_admin.Days),
        "definition",
        "version",
    )
    search_fields = ("=order_number", "=sale_id", "=auction_id", "=user_id", "=product_id", "=correlation_id")
    search_help_text = (
        "Order number, the buyer's e-mail address, or the id of a sale, auction, user, product or request"
    )
    people = ("user_id",)
    list_per_page = 50
    show_full_result_count = False
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("coloured_status", "now_at", "next_look"),
                    ("cause", "failure_detail", "waiting_reason"),
                )
            },
        ),
        (
            "Sale",
            {
                "fields": (
                    ("title", "price_text"),
                    "sold",
                    "buyer",
                    "auction",
                    ("order", "payment"),
                )
            },
        ),
        (
            "Record",
            {
                "classes": ("collapse",),
                "fields": (
                    "sale_id",
                    "definition",
                    "version",
                    "tries",
                    "faults",
                    "lost",
                    "worker",
                    "correlation_id",
                    "trace",
                    "created_at",
                    "finished_at",
                ),
            },
        ),
    )
    readonly_fields = tuple(utils.flatten_fieldsets(fieldsets))
    inlines: ClassVar[list[Any]] = [TimelineInline]
    actions_detail: ClassVar[list[str]] = ["retry", "undo", "resume"]

    # --- columns -------------------------------------------------------------------------------------------------

    @unfold.display(description="status", ordering="status", label=STATUS_COLOURS)
    def coloured_status(self, saga: models.Saga) -> str:
        return saga.get_status_display()

    @admin.display(description="current step")
    def now_at(self, saga: models.Saga) -> str:
        definition = definitions.find(saga.definition, saga.version)
        if definition is None:
            return f"step {saga.position + 1} of an unknown definition"
        if saga.state.status in engine.FINAL:
            return "–"
        doing = " (under way)" if saga.started_at else ""
        return in_words(engine.current_leg(definition, saga.state).name) + doing

    @admin.display(description="cause", ordering="failure_reason")
    def cause(self, saga: models.Saga) -> str:
        return reasons.in_words(saga.failure_reason).capitalize() or "–"

    @admin.display(description="why it is waiting")
    def waiting_reason(self, saga: models.Saga) -> str:
        return saga.parked_detail or "–"

    @admin.display(description="next check")
    def next_look(self, saga: models.Saga) -> str:
        return base_admin.shown_at(saga.due_at)

    @admin.display(description="price", ordering="price")
    def price_text(self, saga: models.Saga) -> str:
        return money.shown(saga.price, saga.currency)

    @admin.display(description="took")
    def took(self, saga: models.Saga) -> str:
        return f"{(saga.finished_at - saga.created_at).total_seconds():.2f} s" if saga.finished_at else "–"

    buyer = base_admin.person("user_id", "buyer")

    @admin.display(description="auction")
    def auction(self, saga: models.Saga) -> str:
        return base_admin.link("auction", saga.auction_id, saga.auction_id)

    @admin.display(description="lines")
    def sold(self, saga: models.Saga) -> str:
        return format_html_join(
            mark_safe("<br>"),
            "{} × {}",
            (
                (
                    line.quantity,
                    base_admin.link("admin:inventory_product_change", line.product_id, line.title),
                )
                for line in saga.sold
            ),
        )

    @admin.display(description="order")
    def order(self, saga: models.Saga) -> str:
        return base_admin.link("admin:orders_order_change", saga.order_number, saga.order_number)

    @admin.display(description="payment")
    def payment(self, saga: models.Saga) -> str:
        return base_admin.link("admin:orders_payment_change", saga.order_number, saga.order_number)

    @admin.display(description="trace")
    def trace(self, saga: models.Saga) -> str:
        """A link to the viewer, which checks its own permissions."""
        if not settings.TRACE_VIEWER_URL:
            return "–"
        trace_id = tracing.trace_id(saga.correlation_id)
        address = settings.TRACE_VIEWER_URL.replace("{trace_id}", trace_id)
        return format_html('<a href="{}" rel="noreferrer">{}</a>', address, trace_id)

    # --- actions ---------------------------------------------------------------------------------------------------

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Only what the saga's state allows. The service refuses a command that comes too late."""
        possible = operators.list_possible_commands(saga_id=object_id)
        return [
            action
            for action in super().get_actions_detail(request, object_id)
            if COMMANDS[action.method.original_function_name] in possible
        ]

    def has_operate_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("sagas.operate_saga"))

    @unfold.action(description="Retry", url_path="retry", permissions=["operate"], dialog=RETRY)
    def retry(self, request: HttpRequest, form: base_admin.ReasonForm, object_id: str) -> HttpResponse:
        return self._command(request, object_id, form, RETRY, operators.retry_saga)

    @unfold.action(description="Undo the sale", url_path="undo", permissions=["operate"], dialog=UNDO)
    def undo(self, request: HttpRequest, form: base_admin.ReasonForm, object_id: str) -> HttpResponse:
        return self._command(request, object_id, form, UNDO, operators.compensate_saga)

    @unfold.action(description="Resume", url_path="resume", permissions=["operate"], dialog=RESUME)
    def resume(self, request: HttpRequest, form: base_admin.ReasonForm, object_id: str) -> HttpResponse:
        return self._command(request, object_id, form, RESUME, operators.resume_saga)

    def _command(
        self,
        request: HttpRequest,
        saga_id: str,
        form: base_admin.ReasonForm,
        dialog: dict[str, Any],
        service: Callable[..., None],
    ) -> HttpResponse:
        """Make the call and show the saga again, or the form with the refusal."""
        reason = form.cleaned_data["reason"]
        try:
            service(saga_id=saga_id, who=str(request.user), reason=reason, now=timezone.now())
        except errors.DomainError as error:
            form.add_error("reason", error.detail)
            return base_admin.show_again(request, dialog, form)
        self.log_change(request, models.Saga.objects.get(pk=saga_id), f"{dialog['title']}: {reason}")
        messages.success(request, f"{dialog['title']}: done.")
        return HttpResponse(headers={"HX-Redirect": reverse("admin:sagas_saga_change", args=[saga_id])})
