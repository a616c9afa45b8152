"""`manage.py metrics`: writes docs/metrics.md from the declarations of all metrics, or checks that it is current."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

# Each of these declares metrics by being imported.
from auction_project.accounts import metrics as accounts
from auction_project.kernel import metrics
from auction_project.kernel.messaging import metrics as messaging
from auction_project.processes import metrics as processes
from auction_project.web import metrics as web
from bidding import metrics as bidding
from inventory import metrics as inventory
from notifications import metrics as notifications
from orders import metrics as orders
from sagas import metrics as sagas

DOCUMENT = "docs/metrics.md"
MODULES = (web, bidding, sagas, inventory, orders, notifications, accounts, messaging, processes)
# What rules and dashboards read beside our own.
FOREIGN = {
    "up": ("gauge", "1: Prometheus reached the process.", "Prometheus"),
    "ALERTS": ("gauge", "1 for each alert, by `alertname` and `alertstate`.", "Prometheus"),
    "process_cpu_seconds_total": ("counter", "CPU time of a process.", "every process"),
    "process_resident_memory_bytes": ("gauge", "Memory of a process.", "every process"),
    "process_open_fds": ("gauge", "Open files and connections of a process.", "every process"),
    "process_max_fds": ("gauge", "The limit of `process_open_fds`.", "every process"),
    "haproxy_frontend_requests_denied_total": (
        "counter",
        "Requests that the gateway refused itself: tokens, floods, heads.",
        "gateway",
    ),
    "haproxy_backend_active_servers": ("gauge", "Ready web processes of a pool (`proxy`).", "gateway"),
    "haproxy_backend_http_responses_total": ("counter", "Answers of a pool (`proxy`), by `code`.", "gateway"),
    "node_filesystem_avail_bytes": ("gauge", "Free space of a file system.", "node-exporter"),
    "node_filesystem_size_bytes": ("gauge", "Size of a file system.", "node-exporter"),
}
_HEAD = """\
# Metrics

`manage.py metrics` writes this page from the code, and `make check` fails when it is not current.

Every process answers `/metrics` on its private port. Names have one prefix, and the base unit at their end: `_seconds`,
`_bytes`; counters end in `_total`. What has no unit in its name is counted. A counter and a histogram are of one process, so add
them up: `sum(rate(...))`. A gauge about the whole (a queue, a backlog) is the same in each process that gives it, so take
the greatest: `max(...)`. Prometheus adds the labels `job`, `instance` and `role`.

`docker/observability/` has the rules and dashboards that read them; docs/operations.md says what to do about each alert.
"""


class Command(BaseCommand):
    help = f"Write {DOCUMENT}: every metric with its type, labels, unit, roles and meaning."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--check",
            action="store_true",
            help="write nothing; fail if the file is not current, or if a metric breaks the conventions",
        )

    def handle(self, *_args: object, **options: object) -> None:
        output = Path(settings.BASE_DIR) / DOCUMENT
        if options["check"]:
            wrong = [
                breach for declared in metrics.DECLARED.values() for breach in metrics.breaches(declared)
            ]
            if output.read_text(encoding="utf-8") != render():
                wrong.append(f"{DOCUMENT} is not current: run manage.py metrics")
            if wrong:
                raise CommandError("\n".join(wrong))
            return
        output.write_text(render(), encoding="utf-8")
        self.stdout.write(f"wrote {output}")


def render() -> str:
    """The document."""
    return "\n".join((_HEAD, *_own(), *_foreign(), ""))


def known_series() -> set[str]:
    """The names of all samples that rules and dashboards may read."""
    return {series for declared in metrics.DECLARED.values() for series in declared.series} | FOREIGN.keys()


def _own() -> Iterator[str]:
    for module in MODULES:
        yield f"## {module.__name__.removeprefix('auction_project.').removesuffix('.metrics').replace('.', ': ')}\n"
        yield "| metric | type | unit | labels | roles | meaning |\n|---|---|---|---|---|---|"
        for declared in metrics.declared_in(module.__name__):
            labels = ", ".join(f"`{label}`" for label in declared.labels)
            cells = (
                f"`{declared.name}`",
                declared.kind,
                declared.unit,
                labels,
                _roles(declared),
                declared.meaning,
            )
            yield f"| {' | '.join(cells)} |"
        yield ""


def _roles(declared: metrics.Declared) -> str:
    return ", ".join(declared.roles) or "all but the gateway"


def _foreign() -> Iterator[str]:
    yield "## from others\n"
    yield "What the rules and dashboards read beside these. Each process of Python also gives what its library adds.\n"
    yield "| metric | type | of | meaning |\n|---|---|---|---|"
    for name, (kind, meaning, source) in FOREIGN.items():
        yield f"| `{name}` | {kind} | {source} | {meaning} |"
