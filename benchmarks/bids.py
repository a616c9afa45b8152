"""Durable bids per CPU-second of the web process, against the bare echo (R1) and the plain DRF view (R4).

The same crowd over the same connections loads all three in turn, round after round, so that a slow moment of the
machine meets them all.
"""

import asyncio
import contextlib
import secrets
import statistics
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from auction_project.kernel import ids, instants
from auction_project.tools.load import crowd
from benchmarks import processes
from bidding import rules, runtime
from bidding.rules import commands, kinds
from bidding.store import auctions

AUCTIONS, BIDDERS = 100, 500
CONNECTIONS = (64, 256)
SECONDS, ROUNDS = 6.0, 3


class Figure(msgspec.Struct, frozen=True):
    """Per CPU-second of the server process, and per second of the clock; medians over the rounds."""

    per_cpu_second: float
    per_second: float
    p99_ms: float


def open_auctions(count: int) -> list[crowd.Target]:
    """Auctions brought to OPEN by commands, without the other services."""
    runtime.call(runtime.current().store.prepare())
    now = instants.now()
    targets = []
    for _ in range(count):
        auction_id = ids.new_id()
        terms = rules.Terms(
            format="english",
            product_id=ids.new_id(),
            as_operator=True,
            currency="EUR",
            start_price=10_00,
            card_required=False,
            starts_at=now,
            ends_at=now + 3_600_000,
            soft_close=rules.SoftClose(window_ms=0),
        )
        document = auctions.AuctionDocument(
            id=auction_id,
            product_id=terms.product_id,
            requested_by="bench",
            format="english",
            currency="EUR",
            starts_at=now,
            ends_at=terms.ends_at,
            created_at=now,
            due_at=now,
        )
        runtime.call(runtime.current().store.auctions.insert(document))
        common: dict[str, Any] = {"auction_id": auction_id, "at": now, "salt": secrets.token_hex(16)}
        runtime.submit(kinds.Request(actor="bench", key="request", terms=terms, **common))
        runtime.submit(
            kinds.Schedule(
                actor=commands.EVENT, key="schedule", title="Bench", text="", thumbnail="", seller_id="bench",
                stock_version=1, **common,
            )
        )  # fmt: skip
        runtime.submit(kinds.Open(actor="bench", key="open", early=True, by_operator=True, **common))
        targets.append(crowd.Target(auction_id, "EUR", 10_00))
    return targets


def measure(
    servers: Mapping[str, processes.Server],
    targets: list[crowd.Target],
    bidders: list[crowd.Bidder],
    connections: int,
) -> dict[str, Figure]:
    """Load each server in turn, ROUNDS times, and read what it cost. A first second warms each up and does not count."""
    for server in servers.values():
        asyncio.run(_load(server, targets, bidders, connections, 1.0))
    rounds: dict[str, list[tuple[float, float, float]]] = {name: [] for name in servers}
    for number in range(ROUNDS):
        risen = [crowd.Target(t.auction_id, t.currency, t.start + (number + 1) * 10**8) for t in targets]
        for name, server in servers.items():
            cpu, clock = server.cpu_seconds(), time.monotonic()
            tally = asyncio.run(_load(server, risen, bidders, connections, SECONDS))
            cpu, clock = server.cpu_seconds() - cpu, time.monotonic() - clock
            waits = sorted(tally.latencies)
            p99 = waits[int(len(waits) * 0.99)] * 1000
            rounds[name].append((tally.accepted / cpu, tally.accepted / clock, p99))
    return {
        name: Figure(*(statistics.median(column) for column in zip(*figures, strict=True)))
        for name, figures in rounds.items()
    }


async def _load(
    server: processes.Server,
    targets: list[crowd.Target],
    bidders: list[crowd.Bidder],
    connections: int,
    seconds: float,
) -> crowd.Tally:
    return await crowd.Crowd(server.url, targets, bidders, connections=connections).run(seconds=seconds)


def run(connections: int) -> dict[str, Figure]:
    """The three figures at so many connections."""
    targets = open_auctions(AUCTIONS)
    bidders = crowd.make_bidders(BIDDERS, now=time.time())
    auction_ids = ",".join(target.auction_id for target in targets)
    argv = {
        "R1 bare echo": ("-m", "benchmarks.echo"),
        "R4 plain DRF + ORM": ("-m", "benchmarks.plain_drf", "--auctions", auction_ids),
        "Gavel": ("manage.py", "web"),
    }
    with contextlib.ExitStack() as running:
        servers = {
            name: running.enter_context(processes.serving(*command, path="/livez"))
            for name, command in argv.items()
        }
        return measure(servers, targets, bidders, connections)
