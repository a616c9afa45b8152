"""Risk assessments and overrides in the admin. One act: accept a buyer despite the score, for some hours, or end that."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from unfold import admin as unfold_admin
from unfold import decorators as unfold
from unfold import widgets

from auction_project.kernel import admin as base_admin
from auction_project.kernel import errors
from orders import models, services
from orders.admin import shared

PASSED, REFUSED = "Passed", "Refused"
OUTCOME_COLOURS = {PASSED: "success", REFUSED: "danger"}


class OutcomeFilter(admin.SimpleListFilter):
    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return (("passed", PASSED), ("refused", REFUSED))

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[models.RiskAssessment]
    ) -> QuerySet[models.RiskAssessment]:
        return queryset.filter(refused=self.value() == "refused") if self.value() else queryset


class AcceptForm(base_admin.ReasonForm):
    """Asks how long the buyer is accepted."""

    hours = forms.IntegerField(
        label="For how many hours?", min_value=1, initial=24, widget=widgets.UnfoldAdminIntegerFieldWidget
    )
    field_order = ("hours", "reason")


@admin.register(models.RiskAssessment)
class RiskAssessmentAdmin(base_admin.NamesPeople, base_admin.ReadOnly, unfold_admin.ModelAdmin):
    list_display = ("order_number", "outcome", "points", "explained", shared.total, "buyer", "at")
    list_filter = (OutcomeFilter, ("at", base_admin.Days), "policy")
    search_fields = ("order_number", "user_id")
    search_help_text = "Order number, the buyer's e-mail address or id"
    people = ("user_id",)
    ordering = ("-at", "order_number")
    fields = (
        "order_number",
        "outcome",
        "points",
        "explained",
        shared.total,
        "buyer",
        "accepted",
        "policy",
        "at",
    )
    readonly_fields = fields
    actions_detail: ClassVar[list[str]] = ["accept_buyer", "end_acceptance"]

    @unfold.display(description="outcome", ordering="refused", label=OUTCOME_COLOURS)
    def outcome(self, assessment: models.RiskAssessment) -> str:
        return REFUSED if assessment.refused else PASSED

    buyer = base_admin.person("user_id", "buyer")

    @admin.display(description="score", ordering="score")
    def points(self, assessment: models.RiskAssessment) -> str:
        return shared.score(assessment)

    @admin.display(description="reasons")
    def explained(self, assessment: models.RiskAssessment) -> str:
        return (
            format_html_join(mark_safe("<br>"), "{}", ((line,) for line in shared.reasons(assessment))) or "–"
        )

    @admin.display(description="accepted despite the score")
    def accepted(self, assessment: models.RiskAssessment) -> str:
        override = models.RiskOverride.in_force(assessment.user_id, now=timezone.now())
        if override is None:
            return "no"
        until = f"until {base_admin.shown_at(override.until)}"
        return format_html("{}: {}", until, override.reason)

    # --- actions

    def has_override_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("orders.override_risk"))

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """The one that changes something for this buyer now."""
        assessment = self.get_object(request, object_id)
        if assessment is None:
            return []
        is_accepted = models.RiskOverride.in_force(assessment.user_id, now=timezone.now()) is not None
        possible = "end_acceptance" if is_accepted else "accept_buyer"
        return [
            action
            for action in super().get_actions_detail(request, object_id)
            if action.method.original_function_name == possible
        ]

    @unfold.action(
        description="Accept despite the score",
        url_path="accept",
        permissions=["override"],
        dialog=base_admin.dialog(
            "Accept despite the score",
            "The buyer's next sales pass the risk check for so long. A closed or suspended account stays refused.",
            AcceptForm,
        ),
    )
    def accept_buyer(self, request: HttpRequest, form: AcceptForm, object_id: str) -> HttpResponse:
        return self._override(
            request, object_id, services.accept_buyer, form, hours=form.cleaned_data["hours"]
        )

    @unfold.action(
        description="Let the score decide again",
        url_path="end-acceptance",
        permissions=["override"],
        dialog=base_admin.dialog(
            "Let the score decide again", "From now on, the risk check refuses this buyer by the score."
        ),
    )
    def end_acceptance(
        self, request: HttpRequest, form: base_admin.ReasonForm, object_id: str
    ) -> HttpResponse:
        return self._override(request, object_id, services.end_acceptance, form)

    def _override(
        self,
        request: HttpRequest,
        object_id: str,
        change: Callable[..., models.RiskOverride],
        form: base_admin.ReasonForm,
        **details: int,
    ) -> HttpResponse:
        assessment = self.get_object(request, object_id)
        if assessment is None:
            raise Http404
        try:
            override = change(
                user_id=assessment.user_id,
                reason=form.cleaned_data["reason"],
                actor=request.user.pk,
                now=timezone.now(),
                **details,
            )
            is_over = override.until == override.at
            messages.success(
                request, "The score decides again." if is_over else "The buyer is accepted despite the score."
            )
        except errors.DomainError as error:
            messages.error(request, error.detail)
        # The dialog is part of the page, so htmx must load the page again.
        page = reverse("admin:orders_riskassessment_change", args=[object_id])
        return HttpResponse(headers={"HX-Redirect": page})


@admin.register(models.RiskOverride)
class RiskOverrideAdmin(base_admin.NamesPeople, base_admin.ReadOnly, unfold_admin.ModelAdmin):
    """Who accepted whom, why, and until when. The newest row of a buyer counts."""

    list_display = ("at", "buyer", "until", "reason", "by")
    list_filter = ("at",)
    search_fields = ("=user_id", "=actor")
    search_help_text = "E-mail address or id, of the buyer or of the one who decided"
    people = ("user_id", "actor")
    fields = list_display
    readonly_fields = fields

    buyer = base_admin.person("user_id", "buyer")
    by = base_admin.person("actor", "by")
