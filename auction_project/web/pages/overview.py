"""The Overview, the first page of the admin: the panels of all apps that the reader may see, each made by its app.

A panel whose database is unavailable says so, and the others are shown. See `UNFOLD` in the settings.
"""

from datetime import datetime
from typing import Any

import django.db
from django.http import HttpRequest
from django.utils import timezone

from auction_project.kernel import logs, overview
from auction_project.kernel.messaging import overview as messages
from inventory import overview as stock
from orders import overview as orders
from sagas import overview as sagas

PANELS = (orders.PANEL, sagas.PANEL, stock.PANEL, messages.PANEL)

log = logs.get(__name__)


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The page's `context` with the panels."""
    day = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    panels = [_shown(panel, day) for panel in PANELS if request.user.has_perm(panel.permission)]
    return context | {"panels": panels}


def _shown(panel: overview.Panel, day: datetime) -> dict[str, Any]:
    try:
        return {"title": panel.title, "rows": panel.rows(day), "none": panel.none}
    except django.db.OperationalError as error:
        log.warning("panel_unavailable", panel=panel.title, error=str(error))
        return {"title": panel.title, "rows": [], "none": "Not available at the moment."}
