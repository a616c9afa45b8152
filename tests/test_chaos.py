"""What users see while a process dies or hangs, or a store is away: through the gateway, under steady traffic.

Each fault happens to one running stack, one after the other. No fault loses what was acknowledged. A Trial says which faults, how
long each lasts, and under which load: there is one for `make test`, and a longer one for `make chaos`, which writes what users saw
into the file that GAVEL_RELIABILITY names. Times are reported there and not tested.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings

from auction_project.processes import stack
from tests import traffic
from tests.house import House

SLOW_SECONDS = 1.0  # a slower answer counts as part of the fault
UNDER_WAY_SECONDS = 1.0  # a sale that was made so shortly before a fault counts as met by it
ANSWERS = (201, 409, 503)


class Fault(msgspec.Struct, frozen=True):
    """What happened, from when until when (monotonic). A process that died is `healed` at once: it comes back by itself."""

    name: str
    began: float
    healed: float


def test_no_fault_loses_what_was_acknowledged(house: House, tmp_path: Path) -> None:
    trial = CHAOS if traffic.REPORT else SUITE
    house.stack.scale("bids", stack.COPIES_OF_SMALL_HOUSE["bids"])
    plan = traffic.plan(house, tmp_path / "answers.jsonl", **trial.load)
    with traffic.Traffic(plan, house.stack.environment) as running:
        faults = [fault for happen in trial.faults for fault in happen(house, trial)]
        report = running.stop()

    assert {attempt.status for attempt in report.attempts} <= {0, *ANSWERS}
    assert all(attempt.retry_after > 0 for attempt in report.attempts if attempt.status == 503)
    assert (report.gaps, report.behind) == (0, 0)
    traffic.assert_settled(house, report)
    house.assert_verified("--answers", plan.answers)
    house.stack.scale("bids", 1)
    if traffic.REPORT:
        Path(traffic.REPORT).write_text(_document(house, trial, faults, report))


def _kills(house: House, trial: "Trial") -> Iterator[Fault]:
    for name in _one_of_each(house):
        yield _kill(house, name)
        House.let_pass(trial.between_seconds)


def _hangs(house: House, trial: "Trial") -> Iterator[Fault]:
    for name in _one_of_each(house):
        yield _hang(house, name, trial.hang_seconds)
        House.let_pass(trial.between_seconds)


def _one_of_each(house: House) -> list[str]:
    """The first copy of every process."""
    return [name for name in house.stack.processes if "-" not in name]


def _restarts(house: House, trial: "Trial") -> Iterator[Fault]:
    began = time.monotonic()
    for name in house.stack.roll():
        yield Fault(f"rolling restart: {name}", began, time.monotonic())
        House.let_pass(trial.between_seconds)
        began = time.monotonic()


def _outages(house: House, trial: "Trial") -> Iterator[Fault]:
    for store in ("redis", "postgres", "mongodb", *(["kafka"] if settings.KAFKA_BOOTSTRAP_SERVERS else [])):
        yield _outage(house, store, trial.outage_seconds)
        House.let_pass(trial.between_seconds)


class Trial(msgspec.Struct, frozen=True):
    """Which faults happen, under which load, and how long they last."""

    faults: tuple[Callable[[House, "Trial"], Iterator[Fault]], ...]
    load: dict[str, Any]
    hang_seconds: float
    outage_seconds: float
    between_seconds: float


SUITE = Trial(
    faults=(_kills, _hangs, _outages),  # `test_rolling` restarts
    load={"lots": 5, "bids_per_second": 10.0, "sales_per_second": 1.0, "sockets": 20},
    hang_seconds=3.0,
    outage_seconds=6.0,
    between_seconds=0.5,
)
CHAOS = Trial(
    faults=(_kills, _hangs, _restarts, _outages),
    load={"lots": 10, "bids_per_second": 20.0, "sales_per_second": 2.0, "sockets": 50},
    hang_seconds=10.0,
    outage_seconds=20.0,
    between_seconds=4.0,
)


def _kill(house: House, name: str) -> Fault:
    """kill -9. The stack starts the process again, as an init system does."""
    process = house.stack[name]
    restarts = process.restarts
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGKILL)
    house.wait_until(lambda: process.restarts > restarts, f"{name} to be started again")
    house.stack.wait_ready()
    return Fault(f"kill -9 of {name}", began, began)


def _hang(house: House, name: str, seconds: float) -> Fault:
    """The process stands still, and goes on as if nothing had been."""
    pid, began = house.stack[name].pid, time.monotonic()
    os.killpg(pid, signal.SIGSTOP)
    try:
        house.let_pass(seconds)
    finally:
        os.killpg(pid, signal.SIGCONT)
    healed = time.monotonic()
    house.stack.wait_ready()
    return Fault(f"{name} hangs for {seconds:g} s", began, healed)


def _outage(house: House, service: str, seconds: float) -> Fault:
    began = time.monotonic()
    house.control("kill", service)
    try:
        house.let_pass(seconds)
    finally:
        house.control("start", service)
    healed = time.monotonic()
    house.stack.wait_ready()
    return Fault(f"{service} away for {seconds:g} s", began, healed)


def _document(house: House, trial: Trial, faults: list[Fault], report: traffic.Report) -> str:
    """docs/reliability.md: one row for each fault."""
    settled = _settled_at(house, list(report.sales))
    ends = [fault.began for fault in faults[1:]] + [float("inf")]
    rows = [_row(fault, until, report, settled) for fault, until in zip(faults, ends, strict=True)]
    load = (
        f"{trial.load['bids_per_second']:g} bids/s on {trial.load['lots']} lots, {trial.load['sales_per_second']:g} sales/s, "
        f"{trial.load['sockets']} WebSockets"
    )
    transport = "Kafka" if settings.KAFKA_BOOTSTRAP_SERVERS else "Redis Streams"
    lines = [
        "# What users see of a fault",
        "",
        f"Written by `make chaos` on {datetime.now().astimezone():%d %B %Y}; do not edit.",
        "",
        f"All requests go through the gateway, behind which two processes take bids: {load}. Events go over {transport}.",
        "A client repeats a request that got no answer, or 503, under its key after Retry-After.",
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
        max(0.0, settled[sale_id] - max(healed, at))
        for sale_id, at in report.sales.items()
        if began - UNDER_WAY_SECONDS <= at < end - UNDER_WAY_SECONDS
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
