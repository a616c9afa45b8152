"""Sagas on the Overview: the sales that failed today, by cause, and all that need an operator."""

from datetime import datetime

from django.urls import reverse

from auction_project.kernel import overview, reasons
from sagas import selectors


def _rows(day: datetime) -> list[overview.Row]:
    page = reverse("admin:sagas_saga_changelist")
    parked = count_parked()
    waiting = overview.Row(
        label="Need attention", value=f"{parked:,}", link=f"{page}?attention=parked", is_warning=True
    )
    return [waiting] * bool(parked) + [
        overview.Row(
            label=reasons.in_words(cause).capitalize(),
            value=f"{failed:,}",
            link=f"{page}?failure_reason={cause}",
        )
        for cause, failed in selectors.count_failures(since=day).items()
    ]


def count_parked() -> int:
    """The badge of the menu: how many sagas wait for an operator."""
    return selectors.list_parked().count()


PANEL = overview.Panel(
    title="Sales that failed today", permission="sagas.view_saga", rows=_rows, none="No sale failed today."
)
