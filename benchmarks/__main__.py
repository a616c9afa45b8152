"""Measures Gavel beside reference points in the same run, prints the ratios, and writes var/benchmarks.json.

`make bench ARGS=writer` runs one benchmark on embedded servers. docs/speed.md has the figures of one machine.
"""

import argparse
import json
import os
import platform
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auction_project.settings.base")
os.environ.setdefault("GAVEL_LOG_LEVEL", "WARNING")

import django

django.setup()

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks import attacks, bids, lists, push, rush, sales, writer

RESULTS = Path("var/benchmarks.json")


# Connections -> the least share of the echo's rate, the longest p99 in ms.
_BID_GOALS = {64: (0.4, 25), 256: (0.5, None)}


def _bids(table: Table) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for connections in bids.CONNECTIONS:
        figures = bids.run(connections)
        echo, plain, gavel = figures["R1 bare echo"], figures["R4 plain DRF + ORM"], figures["Gavel"]
        share, p99 = _BID_GOALS[connections]
        for name, figure in figures.items():
            goal = f"p99 <= {p99} ms" if p99 and figure is gavel else ""
            rate = f"{figure.per_cpu_second:,.0f} per CPU-second"
            table.add_row(f"{name}, {connections}", rate, f"p99 {figure.p99_ms:.0f} ms", goal)
        ratio = gavel.per_cpu_second / echo.per_cpu_second
        table.add_row(f"durable bids / R1, {connections}", f"{ratio:.2f}", "per CPU-second", f">= {share}")
        ratio = gavel.per_cpu_second / plain.per_cpu_second
        table.add_row(f"durable bids / R4, {connections}", f"{ratio:.1f}", "per CPU-second", ">= 10")
        results[str(connections)] = {
            name: [f.per_cpu_second, f.per_second, f.p99_ms] for name, f in figures.items()
        }
    return results


def _writer(table: Table) -> dict[str, Any]:
    figures = writer.run()
    path, alone, raw = (figures[name] for name in ("writer path", "one bid a commit", "R7 raw insert_many"))
    table.add_row("writer path", f"{path:,.0f} bids/s", f"raw {raw:,.0f} documents/s", "")
    table.add_row("writer path / R7", f"{path / raw:.2f}", "", ">= 0.6")
    table.add_row("group commit / commit per bid", f"{path / alone:.1f}", "", ">= 10")
    return figures


def _sales(table: Table) -> dict[str, Any]:
    figures = sales.run()
    for (name, value), goal in zip(figures.items(), ("", "<= 1", ">= 100"), strict=True):
        table.add_row(name, f"{value:.2f}", "", goal)
    return figures


def _push(table: Table) -> dict[str, Any]:
    figures = push.run()
    goals = ("", "", "p50 <= 10, p99 <= 25, worst <= 50 ms", "p99 <= 50 ms", "worst <= 1000 ms")
    for (name, figure), goal in zip(figures.items(), goals, strict=True):
        spread = f"p50 {figure.p50_ms:.0f}, p99 {figure.p99_ms:.0f}, worst {figure.worst_ms:.0f} ms"
        table.add_row(
            f"{name}, {push.SOCKETS}", spread, f"{figure.cpu_microseconds:.1f} us of CPU each", goal
        )
    return {name: msgspec.structs.asdict(figure) for name, figure in figures.items()}


def _rush(table: Table) -> dict[str, Any]:
    return _waits(table, rush.run_sales())


def _loss(table: Table) -> dict[str, Any]:
    return _waits(table, rush.run_loss())


def _waits(table: Table, figures: dict[str, float]) -> dict[str, Any]:
    for name, value in figures.items():
        table.add_row(name, f"{value:,.0f}" if name.startswith("entries") else f"{value:.2f} s", "", "")
    return figures


def _lists(table: Table) -> dict[str, Any]:
    listed, beside = lists.run()
    for lots, figure in listed.items():
        spread = f"p50 {figure.p50_ms:.1f}, p99 {figure.p99_ms:.1f} ms"
        table.add_row(
            f"a list of {lots:,} open lots", spread, f"{figure.cpu_ms:.1f} ms of CPU each", "p50 <= 20 ms"
        )
    for name, bid in beside.items():
        figures = f"p50 {bid.p50_ms:.0f}, p99 {bid.p99_ms:.0f} ms, {bid.failed} failed"
        table.add_row(name, figures, f"{bid.lists_per_second:.0f} lists/s", "as without")
    return {
        "lists": {lots: msgspec.structs.asdict(figure) for lots, figure in listed.items()},
        **{name: msgspec.structs.asdict(bid) for name, bid in beside.items()},
    }


def _attacks(table: Table) -> dict[str, Any]:
    figures = attacks.run()
    for name, bid in figures.items():
        row = f"p50 {bid.p50_ms:.0f}, p99 {bid.p99_ms:.0f} ms"
        table.add_row(f"bids beside {name}", row, f"{bid.failed} of {bid.sent} failed", "0 failed")
    return {name: msgspec.structs.asdict(bid) for name, bid in figures.items()}


SCENARIOS = {
    "bids": _bids,
    "writer": _writer,
    "sales": _sales,
    "push": _push,
    "rush": _rush,
    "loss": _loss,
    "lists": _lists,
    "attacks": _attacks,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of {', '.join(SCENARIOS)} (default: all)"
    )
    chosen = parser.parse_args().names or list(SCENARIOS)
    unknown = sorted(set(chosen) - set(SCENARIOS))
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(SCENARIOS)}")
    console = Console()
    table = Table("what", "figure", "", "goal")
    results: dict[str, Any] = {"python": platform.python_version(), "cores": os.cpu_count()}
    for name in chosen:
        console.print(f"measuring {name} ...")
        results[name] = SCENARIOS[name](table)
    console.print(table)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2, default=str))


if __name__ == "__main__":
    main()
