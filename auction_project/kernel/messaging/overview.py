"""Messages on the Overview: the dead letters that wait for an operator, by the topic that they come from."""

from datetime import datetime

from django.urls import reverse

from auction_project.kernel import overview
from auction_project.kernel.messaging import selectors


def _rows(_day: datetime) -> list[overview.Row]:
    page = reverse("admin:messaging_deadletter_changelist")
    return [
        overview.Row(
            label=topic, value=f"{count:,}", link=f"{page}?status=WAITING&topic={topic}", is_warning=True
        )
        for topic, count in selectors.count_waiting_by_topic().items()
    ]


def count_waiting() -> int:
    """The badge of the menu."""
    return selectors.list_waiting().count()


PANEL = overview.Panel(
    title="Dead letters",
    permission="messaging.view_deadletter",
    rows=_rows,
    none="No dead letters. Every message was handled.",
)
