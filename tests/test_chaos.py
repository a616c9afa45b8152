"""What users see while a process dies or hangs, or a store is away: through the gateway, under steady traffic.

Each fault happens to one running stack, one after the other. No fault loses what was acknowledged.
`make chaos` runs it: it takes ten minutes and both cores, so `make test` has `tests/test_faults.py` in its place.
GAVEL_RELIABILITY names the file in which it writes what users saw. Times are reported there and not tested.
"""

import os
import signal
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
from django.conf import settings

from tests import traffic
from tests.house import House

REPORT = os.environ.get("GAVEL_RELIABILITY", "")
HANG_SECONDS, OUTAGE_SECONDS, BETWEEN_SECONDS = 10.0, 20.0, 4.0
LOAD = {"lots": 10, "bids_per_second": 20.0, "sales_per_second": 2.0, "sockets": 50}
SLOW_SECONDS = 1.0  # a slower answer counts as part of the fault
ANSWERS = (201, 409, 503)


class Fault(msgspec.Struct, frozen=True):
    """What happened, from when until when (monotonic). A process that died is `healed` at once: it comes back by itself."""

    name: str
    began: float
    healed: float


pytestmark = pytest.mark.skipif(not REPORT, reason="make chaos runs it")


def test_no_fault_loses_what_was_acknowledged(house: House, tmp_path: Path) -> None:
    plan = traffic.plan(house, tmp_path / "answers.jsonl", **LOAD)
    running = traffic.Traffic(plan, house.stack.environment)

    faults = list(_faults(house))
    report = running.stop()

    assert {attempt.status for attempt in report.attempts} <= {0, *ANSWERS}
    assert all(attempt.retry_after > 0 for attempt in report.attempts if attempt.status == 503)
    assert (report.gaps, report.behind) == (0, 0)
    traffic.assert_settled(house, report)
    house.assert_verified("--answers", plan.answers)
    Path(REPORT).write_text(_document(house, faults, report))


def _faults(house: House) -> Iterator[Fault]:
    """Let them happen, one after the other."""
    names = list(house.stack.processes)
    for name in names:
        yield from _pause_after(_kill(house, name))
    for name in names:
        yield from _pause_after(_hang(house, name))
    began = time.monotonic()
    for name in house.stack.roll():
        yield Fault(f"rolling restart: {name}", began, time.monotonic())
        began = time.monotonic()
    for service in _stores():
        yield from _pause_after(_outage(house, service))


def _pause_after(fault: Fault) -> Iterator[Fault]:
    House.let_pass(BETWEEN_SECONDS)
    yield fault


def _kill(house: House, name: str) -> Fault:
    """kill -9. The stack starts the process again, as an init system does."""
    process = house.stack[name]
    restarts = process.restarts
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGKILL)
    house.wait_until(lambda: process.restarts > restarts, f"{name} to be started again")
    house.stack.wait_ready()
    return Fault(f"kill -9 of {name}", began, began)


def _hang(house: House, name: str) -> Fault:
    """The process stands still, and goes on as if nothing had been."""
    pid, began = house.stack[name].pid, time.monotonic()
    os.killpg(pid, signal.SIGSTOP)
    try:
        house.let_pass(HANG_SECONDS)
    finally:
        os.killpg(pid, signal.SIGCONT)
    healed = time.monotonic()
    house.stack.wait_ready()
    return Fault(f"{name} hangs for {HANG_SECONDS:g} s", began, healed)


def _outage(house: House, service: str) -> Fault:
    began = time.monotonic()
    house.control("kill", service)
    try:
        house.let_pass(OUTAGE_SECONDS)
    finally:
        house.control("start", service)
    healed = time.monotonic()
    house.stack.wait_ready()
    return Fault(f"{service} away for {OUTAGE_SECONDS:g} s", began, healed)


def _stores() -> tuple[str, ...]:
    return ("redis", "postgres", "mongodb", *(["kafka"] if settings.KAFKA_BOOTSTRAP_SERVERS else []))


def _document(house: House, faults: list[Fault], report: traffic.Report) -> str:
    """docs/reliability.md: one row for each fault."""
    settled = _settled_at(house, list(report.sales))
    ends = [fault.began for fault in faults[1:]] + [float("inf")]
    rows = [_row(fault, until, report, settled) for fault, until in zip(faults, ends, strict=True)]
    load = (
        f"{LOAD['bids_per_second']:g} bids/s on {LOAD['lots']} lots, {LOAD['sales_per_second']:g} sales/s, "
        f"{LOAD['sockets']} WebSockets"
    )
    lines = [
        "# What users see of a fault",
        "",
        f"Written by `make chaos` on {datetime.now().astimezone():%d %B %Y}; do not edit. All requests go through the gateway: {load}. A client",
        "repeats a request that got no answer, or 503, under its key after Retry-After.",
        "",
        "* **bids**: attempts with an answer by the rules / answered 503 / without an answer; the slowest answer.",
        "* **bids again after**: from the end of the fault (of the death, for kill -9) to the end of the last attempt that failed or took",
        f"  over {SLOW_SECONDS:g} s.",
        "* **sales settled after**: the slowest sale of the time, from the end of the fault or from its bid, what is later.",
        "* **sockets**: how many closed. Each resumed after the last entry that it had.",
        "",
        f"Afterwards: {len(report.attempts):,} attempts, {len(report.sales):,} sales, all settled; no gap in any socket; `verify --settled`",
        "holds, and the log confirms every answer.",
        "",
        "| fault | bids | slowest | bids again after | sales settled after | sockets |",
        "|---|---|---|---|---|---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def _row(fault: Fault, until: float, report: traffic.Report, settled: dict[str, float]) -> str:
    attempts = report.of("bid", since=fault.began, until=until)
    counts = [
        sum(attempt.status in answers for attempt in attempts) for answers in ((201, 409), (503,), (0,))
    ]
    bad = [a.sent + a.seconds for a in attempts if a.status in (0, 503) or a.seconds > SLOW_SECONDS]
    again = max(0.0, max(bad, default=0.0) - fault.healed)
    unix = time.time() - time.monotonic()
    began, healed, end = (moment + unix for moment in (fault.began, fault.healed, until))
    waits = [
        settled[sale_id] - max(healed, at) for sale_id, at in report.sales.items() if began - 1 <= at < end
    ]
    closed = sum(fault.began <= at < until for at in report.reconnects)
    slowest = max((attempt.seconds for attempt in attempts), default=0.0)
    return (
        f"| {fault.name} | {' / '.join(map(str, counts))} | {slowest:.2f} s | {again:.1f} s "
        f"| {max(waits, default=0.0):.1f} s | {closed} |"
    )


def _settled_at(house: House, sale_ids: list[str]) -> dict[str, float]:
    """When each sale's saga ended (Unix time)."""
    ended = "SELECT sale_id, extract(epoch FROM finished_at)::float8 FROM sagas_saga WHERE sale_id = ANY(%s)"
    return dict(house.rows("sagas", ended, sale_ids))
