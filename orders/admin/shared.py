"""What several pages of orders show: amounts, sums of them, scores with their reasons, and where parcels go."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join

from auction_project.kernel import money, people
from orders import models, presenting


@admin.display(description="amount", ordering="amount")
def total(row: models.Order | models.Payment | models.RiskAssessment) -> str:
    return amount(row)


def amount(row: models.Order | models.Payment | models.RiskAssessment) -> str:
    return money.shown(row.amount, row.currency)


def sums(rows: QuerySet[Any]) -> list[tuple[str, str]]:
    """How many rows there are, and the sum of their amounts in each currency."""
    sums = rows.values("currency").annotate(rows=Count("pk"), total=Sum("amount")).order_by("currency")
    return [
        (f"{each['rows']:,} in {each['currency']}", money.shown(int(each["total"]), each["currency"]))
        for each in sums
    ]


class ShowsAddress:
    """A page that shows where the parcels of its buyer go: each look at it is recorded. No list shows that."""

    def address_of(self, row: Any) -> dict[str, Any] | None:
        """Where they go."""
        raise NotImplementedError

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = context.get("original")
        if row is not None and self.address_of(row):
            people.directory().record_look(
                actor=str(request.user.pk),
                user_id=row.user_id,
                page=presenting.ADDRESS,
                query=request.META["QUERY_STRING"],
            )
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]
        return response


def address(shown: dict[str, Any] | None) -> str:
    """The address in one line."""
    lines = (
        ((shown[name],) for name in ("name", "line1", "line2", "postal_code", "city", "country"))
        if shown
        else ()
    )
    return format_html_join(", ", "{}", (line for line in lines if line[0])) or "–"


def score(assessment: models.RiskAssessment) -> str:
    return f"{assessment.score} (limit {assessment.limit})"


def reasons(assessment: models.RiskAssessment) -> list[str]:
    return [f"{reason['points']:+} {reason['detail']}" for reason in assessment.reasons]
