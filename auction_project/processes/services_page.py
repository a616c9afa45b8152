"""The page "Services" of the admin: the registry as a table, which the page's script fetches again every two seconds.

The table comes as HTML, so that the first sight of the page and each later one are made by one template.
"""

import time
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from auction_project.kernel import errors
from auction_project.processes import registry

PERMISSION = "accounts.view_services"
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


@require_safe
@permission_required(PERMISSION, raise_exception=True)
def page(request: HttpRequest) -> HttpResponse:
    """`/admin/services/`"""
    return render(request, "admin/services.html", {**admin.site.each_context(request), **_content()})


@require_safe
@permission_required(PERMISSION, raise_exception=True)
def table(request: HttpRequest) -> HttpResponse:
    """`/admin/services/table/`: what changes on the page."""
    return render(request, "admin/services_table.html", _content())


urlpatterns: list[URLPattern] = [
    path("admin/services/", admin.site.admin_view(page), name="services"),
    path("admin/services/table/", admin.site.admin_view(table), name="services-table"),
]


def _content() -> dict[str, Any]:
    try:
        processes = registry.processes(settings.REDIS_URL)
    except errors.Unavailable:
        return {"title": "Services", "rows": [], "summary": "Redis does not answer, so the list is unknown."}
    ready = sum(process.ready for process in processes)
    return {
        "title": "Services",
        "rows": [_row(process, now_ms=time.time_ns() // 1_000_000) for process in processes],
        "summary": f"{len(processes)} processes, {ready} ready.",
    }


def _row(process: registry.Process, *, now_ms: int) -> dict[str, Any]:
    return {
        "process": process,
        "cpu": "" if process.cpu is None else f"{process.cpu:.1%}",
        "memory": "" if process.memory_mib is None else f"{process.memory_mib:.0f} MiB",
        "rate": "" if process.rate is None else f"{process.rate}/s",
        "lag": process.lag or "",
        "age": _duration((now_ms - process.started_at) // 1000),
    }


def _duration(seconds: int) -> str:
    """3 min, 5 h: in the largest unit that fits. The clock of another machine may be ahead."""
    seconds = max(0, seconds)
    return next((f"{seconds // size} {unit}" for size, unit in _UNITS if seconds >= size), f"{seconds} s")
