"""Writes the dashboards of Grafana from a table of panels: `python docker/observability/dashboards.py`.

A panel is a line here and some forty lines of JSON there, which are alike but for the title, the unit and the queries. A
test compares the files with this table.
"""

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

DIRECTORY = Path(__file__).parent / "grafana" / "dashboards"
COLUMNS, HEIGHT = 24, 8
SECONDS, PER_SECOND, COUNT, SHARE, BYTES = "s", "ops", "short", "percentunit", "bytes"
WINDOW = "$__rate_interval"  # Grafana puts one there that fits the time range

Query = tuple[str, str]


class Panel(NamedTuple):
    """One panel. `queries`: of each the expression and its legend. `objective`: a line across a graph."""

    title: str
    unit: str
    queries: tuple[Query, ...]
    says: str = ""
    kind: str = "timeseries"
    width: int = 8
    objective: float | None = None


def number(title: str, expression: str) -> Panel:
    """The figure of this moment."""
    return Panel(title, COUNT, ((expression, ""),), kind="stat", width=4)


def graph(title: str, unit: str, *queries: Query, **options: Any) -> Panel:
    return Panel(title, unit, queries, **options)


def rates(title: str, metric: str, by: str, where: str = "") -> Panel:
    """How often in a second, by some labels."""
    legend = " ".join(f"{{{{{label}}}}}" for label in by.split(", "))
    return graph(title, PER_SECOND, (f"sum by ({by}) (rate({metric}{{{where}}}[{WINDOW}]))", legend))


def times(title: str, metric: str, where: str = "", objective: float | None = None) -> Panel:
    """The median, the 95th and the 99th percentile of a histogram."""
    buckets = f"sum by (le) (rate({metric}_bucket{{{where}}}[{WINDOW}]))"
    queries = [(f"histogram_quantile({q}, {buckets})", f"{q:.0%}") for q in (0.5, 0.95, 0.99)]
    return graph(title, SECONDS, *queries, objective=objective)


def times_by(title: str, metric: str, by: str, where: str = "") -> Panel:
    """The 95th percentile of a histogram by a label."""
    buckets = f"sum by (le, {by}) (rate({metric}_bucket{{{where}}}[{WINDOW}]))"
    return graph(title, SECONDS, (f"histogram_quantile(0.95, {buckets})", f"{{{{{by}}}}}"))


def gauges(title: str, metric: str, by: str, unit: str = "short", add_up: bool = False) -> Panel:
    """A gauge by a label. The greatest of the processes that give it, because it is about the whole, or their sum."""
    legend = " ".join(f"{{{{{label}}}}}" for label in by.split(", "))
    return graph(title, unit, (f"{'sum' if add_up else 'max'} by ({by}) ({metric})", legend))


def objective(title: str, slo: str) -> Panel:
    """The share that keeps an objective, over three windows."""
    windows = ("5m", "1h", "1d")
    queries = [(f'1 - gavel:slo_errors:ratio{window}{{slo="{slo}"}}', window) for window in windows]
    return graph(
        title, SHARE, *queries, says="The share that keeps the objective, and the objective.", objective=0.99
    )


REQUESTS = "gavel_http_request_seconds"
POOLS = 'proxy=~"bids|push|site|stock|orders"'
STOCK_STEPS = 'step=~".*stock.*"'
FREE_DISK = graph(
    "Free disk", SHARE, ("node_filesystem_avail_bytes / node_filesystem_size_bytes", "{{mountpoint}}")
)

HOUSE = (
    number("Bids a second", f'sum(rate({REQUESTS}_count{{route="bid"}}[{WINDOW}]))'),
    number("Sales a minute", f"60 * sum(rate(gavel_sagas_ended_total[{WINDOW}]))"),
    number("Open streams", "sum(gavel_push_sockets)"),
    number("Sales that wait for an operator", "max(gavel_sagas_parked)"),
    number("Dead letters", "max(gavel_dead_letters_waiting)"),
    number("Stores that do not answer", "count(max by (store) (gavel_store_up) == 0) or vector(0)"),
    objective("Bids answered within 50 ms", "bids"),
    objective("Sales settled within 5 s", "sales"),
    objective("Frames pushed within 100 ms", "frames"),
    gauges("Alerts", 'ALERTS{alertstate="firing"}', "alertname, severity", add_up=True),
    gauges("Processes that are ready", "gavel_process_ready", "role", add_up=True),
    gauges("Ready processes of a pool", f"haproxy_backend_active_servers{{{POOLS}}}", "proxy"),
    rates("Requests", f"{REQUESTS}_count", "route"),
    graph(
        "Answers of the gateway",
        PER_SECOND,
        (f"sum by (code) (rate(haproxy_backend_http_responses_total{{{POOLS}}}[{WINDOW}]))", "{{code}}"),
        (
            f'sum(rate(haproxy_frontend_requests_denied_total{{proxy="public"}}[{WINDOW}]))',
            "refused by the gateway",
        ),
    ),
    graph("CPU, in cores", COUNT, (f"sum by (role) (rate(process_cpu_seconds_total[{WINDOW}]))", "{{role}}")),
    gauges("Memory", "process_resident_memory_bytes", "role", BYTES, add_up=True),
    FREE_DISK,
)

BIDS = (
    rates("Bids by status", f"{REQUESTS}_count", "status", 'route="bid"'),
    times("Time to the answer", REQUESTS, 'route="bid"', objective=0.05),
    rates("Refusals by rule", "gavel_bid_refusals_total", "rule"),
    rates("Entries stored", "gavel_bid_log_entries_total", "role"),
    graph(
        "Entries of a bulk insert",
        COUNT,
        (
            f"sum(rate(gavel_bid_log_entries_total[{WINDOW}])) / sum(rate(gavel_bid_log_bulks_total[{WINDOW}]))",
            "entries",
        ),
        says="What gathers while the last insert is on its way goes together.",
    ),
    times("Time of a bulk insert", "gavel_bid_log_append_seconds"),
    rates("Races lost to another writer", "gavel_bid_log_conflicts_total", "instance"),
    gauges("Commands that wait", "gavel_bid_writer_waiting_commands", "instance"),
    gauges("Event loop's delay", "gavel_event_loop_answer_seconds", "instance", SECONDS),
    times("From a bid to its events", "gavel_bid_log_publish_seconds"),
    gauges("Auctions with unpublished entries", "gavel_bid_log_waiting_auctions", "instance"),
    gauges("Entries that a relay has yet to publish", "gavel_bid_log_unpublished_entries", "instance"),
    gauges("Writers that take no bids", "gavel_bid_writer_stalled", "instance"),
)

SALES = (
    rates("Sagas that ended", "gavel_sagas_ended_total", "state"),
    times("Time of a saga", "gavel_saga_seconds", objective=5.0),
    graph("Sagas", COUNT, ("max(gavel_sagas_under_way)", "under way"), ("max(gavel_sagas_parked)", "parked")),
    graph("Age of the oldest saga under way", SECONDS, ("max(gavel_sagas_oldest_seconds)", "oldest")),
    rates("Attempts that were not done", "gavel_saga_attempts_total", "step, outcome", 'outcome!="DONE"'),
    times_by("Time of a participant's call, 95 %", "gavel_saga_call_seconds", "step"),
    rates("Refunds", "gavel_refunds_total", "outcome"),
    gauges("Tasks that wait", "gavel_tasks_waiting", "queue"),
    rates("Tasks run", "gavel_tasks_total", "role"),
    rates("Chains sent again", "gavel_sagas_resent_total", "role"),
    rates("Payments", "gavel_payments_total", "state"),
    rates("Calls of the payment provider", "gavel_provider_call_seconds_count", "outcome"),
    times("Time of a provider's call", "gavel_provider_call_seconds"),
    rates("E-mails", "gavel_emails_total", "state"),
)

STOCK = (
    rates("Requests", f"{REQUESTS}_count", "status", 'route="stock"'),
    times("Time to the answer", REQUESTS, 'route="stock"'),
    rates("Steps of sales", "gavel_saga_attempts_total", "step, outcome", STOCK_STEPS),
    times_by("Time of a step, 95 %", "gavel_saga_call_seconds", "step", STOCK_STEPS),
    rates("Read cache of the shop", "gavel_shop_cache_reads_total", "outcome"),
    rates("Events published", "gavel_messages_published_total", "topic", 'topic=~"inventory.*"'),
    gauges("Messages that wait", 'gavel_consumer_lag{group=~"inventory|bidding"}', "group"),
    rates("Messages handled", "gavel_messages_consumed_total", "topic", 'group="inventory"'),
    rates("Refused by a rule", "gavel_messages_refused_total", "topic", 'group="inventory"'),
    gauges(
        "Age of the oldest unpublished event",
        'gavel_outbox_oldest_seconds{database="inventory"}',
        "database",
        SECONDS,
    ),
)

PUSH = (
    gauges("Open streams", "gavel_push_sockets", "transport", add_up=True),
    rates("Frames", "gavel_push_frames_total", "transport"),
    times("From a bid to its watchers", "gavel_push_frame_seconds", 'feed="auction"', objective=0.1),
    times("From a notification to its user", "gavel_push_frame_seconds", 'feed="user"'),
    gauges("Watched auctions", "gavel_push_watched_auctions", "instance"),
    rates("Streams ended by this side", "gavel_push_closed_total", "code"),
    rates("Streams refused", "gavel_push_handshakes_refused_total", "code"),
    rates("Clients that must load anew", "gavel_push_snapshots_required_total", "scope"),
    gauges("Subscriptions to Redis", "gavel_push_subscribed", "instance"),
    rates("Subscriptions lost", "gavel_push_subscription_losses_total", "instance"),
    rates("Notifications", "gavel_notifications_total", "kind"),
)

STORES = (
    gauges("Stores that answer", "gavel_store_up", "store"),
    gauges("Time of an answer", "gavel_store_answer_seconds", "store", SECONDS),
    FREE_DISK,
    gauges("Connections to PostgreSQL", "gavel_database_pool_connections", "database, state", add_up=True),
    gauges("Threads that wait for one", "gavel_database_pool_waiting_requests", "database", add_up=True),
    gauges("Requests that wait for Django", "gavel_http_waiting_requests", "limit", add_up=True),
    graph(
        "Requests that Django works on",
        SHARE,
        ("sum by (limit) (gavel_http_slots_taken) / sum by (limit) (gavel_http_slots)", "{{limit}}"),
    ),
    gauges("Messages that wait", "gavel_consumer_lag", "group"),
    times_by("Time of a group of messages, 95 %", "gavel_consumer_handling_seconds", "group"),
    rates("Messages handled", "gavel_messages_consumed_total", "group"),
    rates("Messages held", "gavel_messages_held_total", "group, fate"),
    rates("Dead letters", "gavel_messages_dead_lettered_total", "group"),
    gauges("Groups that have stopped", "gavel_consumer_halted", "group"),
    gauges("Messages of outboxes that wait", "gavel_outbox_waiting_messages", "database"),
    rates("Spans lost", "gavel_spans_lost_total", "role"),
    gauges("Age of the oldest of them", "gavel_outbox_oldest_seconds", "database", SECONDS),
    rates("Entries of the bid log published", "gavel_bid_log_published_total", "instance"),
)

DASHBOARDS = {
    "house": ("The house at a glance", HOUSE),
    "bids": ("Bids", BIDS),
    "sales": ("Sales and sagas", SALES),
    "stock": ("Stock", STOCK),
    "push": ("Push", PUSH),
    "stores": ("Stores and messages", STORES),
}


def render(uid: str) -> str:
    """The dashboard as Grafana reads it."""
    title, panels = DASHBOARDS[uid]
    dashboard = {
        "uid": f"gavel-{uid}",
        "title": title,
        "tags": ["gavel"],
        "editable": False,
        "graphTooltip": 1,
        "refresh": "15s",
        "schemaVersion": 39,
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "links": [
            {"type": "dashboards", "title": "Gavel", "tags": ["gavel"], "asDropdown": True, "keepTime": True}
        ],
        "panels": _laid_out(panels),
    }
    return json.dumps(dashboard, indent=1) + "\n"


def _laid_out(panels: tuple[Panel, ...]) -> list[dict[str, Any]]:
    """The panels from left to right, row by row."""
    x = y = 0
    placed = []
    for number_, panel in enumerate(panels, start=1):
        if x + panel.width > COLUMNS:
            x, y = 0, y + HEIGHT
        placed.append(_panel(panel, number_, {"x": x, "y": y, "w": panel.width, "h": HEIGHT}))
        x += panel.width
    return placed


def _panel(panel: Panel, number_: int, place: dict[str, int]) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0}
    if panel.unit == SHARE:
        defaults["max"] = 1
    if panel.objective is not None:
        steps = [{"color": "green", "value": None}, {"color": "red", "value": panel.objective}]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
        defaults["custom"] = {"thresholdsStyle": {"mode": "line"}}
    source = {"type": "prometheus", "uid": "prometheus"}
    return {
        "id": number_,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": source,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {} if panel.kind == "stat" else {"legend": {"displayMode": "list", "placement": "bottom"}},
        "targets": [
            {"refId": chr(ord("A") + i), "datasource": source, "expr": expression, "legendFormat": legend}
            for i, (expression, legend) in enumerate(panel.queries)
        ],
    }


def main() -> int:
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    for uid in DASHBOARDS:
        (DIRECTORY / f"{uid}.json").write_text(render(uid), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
