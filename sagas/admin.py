"""The operators' view of the sagas: a list, and one page a saga with its timeline. Nothing is edited or deleted here.

The three words of an operator (retry, compensate now, resume) each ask for a reason and are one call of a service;
the timeline keeps who said it, and why.
"""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from unfold import admin as unfold_admin
from unfold import decorators as unfold

from auction_project import desks, errors, money
from sagas import definitions, engine, models, services

STATUS_COLOURS = {
    "running": "info",
    "compensating": "warning",
    "completed": "success",
    "compensated": "warning",
    "parked": "danger",
}


RETRY = desks.dialog(
    "Retry",
    "Try what is due now, whatever pause is on. A parked saga gets this one attempt and is parked again if it fails.",
)
COMPENSATE = desks.dialog(
    "Compensate now",
    "Undo everything, beginning with the step that is due. There is no way forward again. The bidder reads the reason.",
)
RESUME = desks.dialog("Resume", "A parked saga goes on the way that it went, with all its attempts anew.")


class WaitFilter(admin.SimpleListFilter):
    """By what an operator would look for."""

    title = "attention"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [
            ("open", "Open"),
            ("failing", "Open, after failed attempts"),
            ("parked", "Waits for an operator"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[models.Saga]) -> QuerySet[models.Saga]:
        live = queryset.filter(status__in=sorted(status.value for status in engine.LIVE))
        match self.value():
            case "open":
                return live
            case "failing":
                return live.filter(tries__gt=1)
            case "parked":
                return queryset.filter(status=models.Status.PARKED)
        return queryset


class TimelineInline(desks.ReadOnly, unfold_admin.TabularInline):
    model = models.SagaStep
    fields = ("started_at", "step", "direction", "attempt", "event", "duration", "error", "who")
    readonly_fields = fields
    ordering = ("id",)
    extra = 0
    verbose_name_plural = "timeline"

    @admin.display(description="duration")
    def duration(self, line: models.SagaStep) -> str:
        return f"{line.seconds * 1000:.0f} ms" if line.seconds < 1 else f"{line.seconds:.1f} s"


@admin.register(models.Saga)
class SagaAdmin(desks.ReadOnly, unfold_admin.ModelAdmin):
    list_display = (
        "order_number",
        "coloured_status",
        "now_at",
        "tries",
        "failure_reason",
        "title",
        "price_text",
        "created_at",
        "took",
    )
    list_filter = (WaitFilter, "status", "failure_reason", "definition", "version")
    search_fields = ("=order_number", "=sale_id", "=auction_id", "=user_id", "=product_id", "=correlation_id")
    search_help_text = "Order number, or the id of a sale, auction, user, product or request"
    list_per_page = 50
    show_full_result_count = False
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "coloured_status",
                    "now_at",
                    "next_look",
                    "failure_reason",
                    "failure_detail",
                    "parked_detail",
                )
            },
        ),
        (
            "Sale",
            {
                "fields": (
                    "order_number",
                    "title",
                    "quantity",
                    "price_text",
                    "user_id",
                    "auction_id",
                    "product_id",
                    "sale_id",
                )
            },
        ),
        (
            "Record",
            {
                "classes": ("collapse",),
                "fields": (
                    "definition",
                    "version",
                    "tries",
                    "faults",
                    "lost",
                    "worker",
                    "correlation_id",
                    "created_at",
                    "finished_at",
                ),
            },
        ),
    )
    readonly_fields = tuple(name for _, options in fieldsets for name in options["fields"])
    inlines: ClassVar[list[Any]] = [TimelineInline]
    actions_detail: ClassVar[list[str]] = ["retry", "compensate_now", "resume"]

    # --- columns -------------------------------------------------------------------------------------------------

    @unfold.display(description="status", ordering="status", label=STATUS_COLOURS)
    def coloured_status(self, saga: models.Saga) -> str:
        return saga.get_status_display()

    @admin.display(description="at")
    def now_at(self, saga: models.Saga) -> str:
        definition = definitions.find(saga.definition, saga.version)
        if definition is None:
            return f"step {saga.position + 1} of an unknown definition"
        if saga.state.status in engine.FINAL:
            return "–"
        doing = " (under way)" if saga.started_at else ""
        return engine.current_leg(definition, saga.state).name + doing

    @admin.display(description="the sweep looks at it")
    def next_look(self, saga: models.Saga) -> str:
        return saga.due_at.isoformat(timespec="seconds") if saga.due_at else "–"

    @admin.display(description="price", ordering="price")
    def price_text(self, saga: models.Saga) -> str:
        return f"{money.format(saga.price, saga.currency)} {saga.currency}"

    @admin.display(description="took")
    def took(self, saga: models.Saga) -> str:
        return f"{(saga.finished_at - saga.created_at).total_seconds():.2f} s" if saga.finished_at else "–"

    # --- words ---------------------------------------------------------------------------------------------------

    def has_operate_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("sagas.operate_saga"))

    @unfold.action(description="Retry", url_path="retry", permissions=["operate"], dialog=RETRY)
    def retry(self, request: HttpRequest, form: desks.ReasonForm, object_id: str) -> HttpResponse:
        return self._say(request, object_id, form, RETRY, services.retry_saga)

    @unfold.action(
        description="Compensate now", url_path="compensate", permissions=["operate"], dialog=COMPENSATE
    )
    def compensate_now(self, request: HttpRequest, form: desks.ReasonForm, object_id: str) -> HttpResponse:
        return self._say(request, object_id, form, COMPENSATE, services.compensate_saga)

    @unfold.action(description="Resume", url_path="resume", permissions=["operate"], dialog=RESUME)
    def resume(self, request: HttpRequest, form: desks.ReasonForm, object_id: str) -> HttpResponse:
        return self._say(request, object_id, form, RESUME, services.resume_saga)

    def _say(
        self,
        request: HttpRequest,
        saga_id: str,
        form: desks.ReasonForm,
        dialog: dict[str, Any],
        service: Callable[..., None],
    ) -> HttpResponse:
        """Call the service and show the saga again, or the form with the refusal."""
        reason = form.cleaned_data["reason"]
        try:
            service(saga_id=saga_id, who=str(request.user), reason=reason, now=timezone.now())
        except errors.DomainError as error:
            form.add_error("reason", error.detail)
            return desks.show_again(request, dialog, form)
        self.log_change(request, models.Saga.objects.get(pk=saga_id), f"{dialog['title']}: {reason}")
        messages.success(request, f"{dialog['title']}: done.")
        return HttpResponse(headers={"HX-Redirect": reverse("admin:sagas_saga_change", args=[saga_id])})
