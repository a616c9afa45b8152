"""The page "Desk" of the admin: the figures of a period, its tables as CSV, and what changes on the page, which its script fetches
when it hears of a change (ADR 57).

A fetch costs three short statements; what is the same as before is neither drawn nor sent (ETag). Each answer has a new pass, with
which the page may hear of changes.
"""

from collections.abc import Sequence
from typing import Any
from urllib import parse

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.views.decorators.http import require_safe

from auction_project.kernel import desk_news, ids, money, people
from orders.desk import exports, periods, report, selectors

PERMISSION = "orders.view_desk"


@require_safe
@permission_required(PERMISSION, raise_exception=True)
def page(request: HttpRequest) -> HttpResponse:
    """`/admin/desk/`. A period that does not exist is said so, above the figures of today."""
    try:
        shown, error = _report(request), ""
    except periods.PeriodInvalid as invalid:
        shown, error = _report(request, {}), str(invalid)
    products, sellers = selectors.list_tops(shown.period, currency=shown.currency)
    context = {
        "title": "Desk",
        "error": error,
        "desk_pass": desk_news.new_pass(),
        "tabs": _tabs(shown),
        "zone": timezone.get_default_timezone_name(),
        "products": [(row, money.shown(row.amount, shown.currency)) for row in products],
        "sellers": _named(request, sellers, shown.currency),
        "stock": [
            (row, money.shown(row.amount, row.currency) if row.currency else report.NONE)
            for row in selectors.list_stock_values()
        ],
        "export": _query(shown.period.query | {"currency": shown.currency}),
        **_content(shown),
    }
    return render(request, "admin/desk.html", {**admin.site.each_context(request), **context})


@require_safe
@permission_required(PERMISSION, raise_exception=True)
def figures(request: HttpRequest) -> HttpResponse:
    """`/admin/desk/figures/`: what moves on the page. 304 where the reader has it already."""
    try:
        shown = _report(request)
    except periods.PeriodInvalid as invalid:
        raise Http404(str(invalid)) from invalid
    etag = quote_etag(shown.digest)
    answer = get_conditional_response(request, etag=etag)
    if answer is None:
        html = render_to_string("admin/desk_figures.html", _content(shown), request)
        answer = HttpResponse(html, headers={"ETag": etag})
    answer[desk_news.PASS_HEADER] = desk_news.new_pass()
    return answer


@require_safe
@permission_required(PERMISSION, raise_exception=True)
def export(request: HttpRequest, table: str) -> HttpResponseBase:
    """`/admin/desk/<table>.csv`: one table of the period, whole."""
    today = timezone.localtime(timezone=timezone.get_default_timezone())
    try:
        period = periods.Period.read(request.GET.dict(), today=today.date())
    except periods.PeriodInvalid as invalid:
        raise Http404(str(invalid)) from invalid
    if table not in exports.TABLES:
        raise Http404
    rows = exports.rows(table, period, currency=_currency(request), today=today.date(), hour=today.hour)
    is_asynchronous = hasattr(request, "scope")
    response = StreamingHttpResponse(
        exports.pieces_asynchronously(rows) if is_asynchronous else exports.pieces(rows),
        content_type="text/csv; charset=utf-8",
    )
    name = f"desk-{table}-{period.first}-{period.last}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


urlpatterns: list[URLPattern] = [
    path("admin/desk/", admin.site.admin_view(page), name="desk"),
    path("admin/desk/figures/", admin.site.admin_view(figures), name="desk-figures"),
    path("admin/desk/<slug:table>.csv", admin.site.admin_view(export), name="desk-export"),
]


def _report(request: HttpRequest, query: dict[str, str] | None = None) -> report.Report:
    """Raises PeriodInvalid."""
    now = timezone.localtime(timezone=timezone.get_default_timezone())
    period = periods.Period.read(request.GET.dict() if query is None else query, today=now.date())
    asked = request.GET.get("currency", "")
    currency = asked if asked in money.EXPONENTS else ""
    return report.of(period, currency=currency, today=now.date(), hour=now.hour)


def _content(shown: report.Report) -> dict[str, Any]:
    """What both templates read."""
    today = timezone.localtime(timezone=timezone.get_default_timezone()).date()
    is_live = shown.period.includes(today)
    return {
        "report": shown,
        "is_live": is_live,
        "compared": "the same part of the period before" if is_live else "the period before",
    }


def _currency(request: HttpRequest) -> str:
    """Raises Http404 for one that does not exist."""
    currency = request.GET.get("currency") or "EUR"
    if currency not in money.EXPONENTS:
        raise Http404
    return currency


def _tabs(shown: report.Report) -> list[dict[str, Any]]:
    """The links to other periods: those around the same day, then the one before and the one after."""
    period, today = shown.period, timezone.localtime(timezone=timezone.get_default_timezone()).date()
    day = today if period.includes(today) else period.first
    links: list[tuple[str, dict[str, str], bool]] = [
        (name.title(), {"period": name, "day": day.isoformat()}, period.name == name)
        for name in ("day", "week", "month")
    ]
    links += [("← Before", period.former.query, False), ("After →", period.next.query, False)]
    if not period.includes(today):
        links.append(("Today", {"period": "day"}, False))
    return [
        {"label": label, "query": _query(query | {"currency": shown.currency}), "is_current": is_current}
        for label, query, is_current in links
    ]


def _named(
    request: HttpRequest, sellers: Sequence[selectors.SoldBy], currency: str
) -> list[tuple[str, selectors.SoldBy, str]]:
    """The sellers with their names, where the reader may see them."""
    account_ids = [row.owner_id for row in sellers if ids.is_id(row.owner_id)]
    named = people.directory().look_up(request, account_ids, page="desk", is_list=True) if account_ids else {}
    return [(_name(row.owner_id, named), row, money.shown(row.amount, currency)) for row in sellers]


def _name(owner_id: str, named: Any) -> str:
    if owner_id in named:
        return str(named[owner_id].name)
    return {ids.HOUSE: "The house", "": "Not known yet"}.get(owner_id, f"{owner_id[:8]}…")


def _query(values: dict[str, str]) -> str:
    return parse.urlencode(values)
