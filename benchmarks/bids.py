"""Durable bids per CPU-second of the web process alone, beside the bare echo (R1) and the plain DRF view (R4).

The same crowd over the same connections loads all three in turn.
"""

import asyncio
import contextlib
import time

from auction_project.tools.load import crowd
from benchmarks import figures, market, processes
from benchmarks.figures import Figure

AUCTIONS, BIDDERS = 100, 500
SECONDS = 8.0
ECHO, PLAIN, GAVEL = "bare echo", "plain DRF + ORM", "Gavel"
# Connections -> the least share of the echo's rate, and the longest p99 in ms.
GOALS = {64: (0.4, 25.0), 256: (0.5, None)}


def run() -> list[Figure]:
    with processes.whole() as house:
        targets = asyncio.run(market.open_targets(house.url, AUCTIONS))
        bidders = crowd.make_bidders(BIDDERS, now=time.time())
        measured = []
        with house.only("web"), contextlib.ExitStack() as running:
            names = ",".join(target.auction_id for target in targets)
            argv = {
                ECHO: ("-m", "benchmarks.echo"),
                PLAIN: ("-m", "benchmarks.plain_drf", "--auctions", names),
            }
            servers = {
                name: running.enter_context(processes.serving(*command, path="/livez"))
                for name, command in argv.items()
            }
            servers[GAVEL] = house.web
            for number, connections in enumerate(GOALS):
                start = number * 10**9
                risen = market.raised(targets, start)
                measured += _measure(servers, risen, bidders, connections)
        return house.verified(measured)


def _measure(
    servers: dict[str, processes.Server],
    targets: list[crowd.Target],
    bidders: list[crowd.Bidder],
    connections: int,
) -> list[Figure]:
    """Load each server in turn, and read what it cost. A first second warms it up and does not count."""
    rates, waits = {}, {}
    for name, server in servers.items():
        asyncio.run(_load(server, targets, bidders, connections, 1.0))
        risen = market.raised(targets, 10**8)
        cpu = server.cpu_seconds()
        tally = asyncio.run(_load(server, risen, bidders, connections, SECONDS))
        rates[name] = tally.accepted / (server.cpu_seconds() - cpu)
        waits[name] = 1000 * figures.percentile(tally.latencies, 99)
    share, p99 = GOALS[connections]
    where = f"{connections} connections"
    return [
        Figure(
            name=f"durable bids per CPU-second, {where}",
            value=rates[GAVEL],
            beside=ECHO,
            reference=rates[ECHO],
            goal=figures.at_least_of_reference(share),
        ),
        Figure(
            name=f"durable bids per CPU-second, {where}, beside DRF",
            value=rates[GAVEL],
            beside=PLAIN,
            reference=rates[PLAIN],
            goal=figures.at_least_of_reference(10),
        ),
        Figure(
            name=f"durable bids, p99, {where}",
            value=waits[GAVEL],
            unit="ms",
            beside=ECHO,
            reference=waits[ECHO],
            goal=figures.at_most(p99) if p99 else None,
        ),
    ]


async def _load(
    server: processes.Server,
    targets: list[crowd.Target],
    bidders: list[crowd.Bidder],
    connections: int,
    seconds: float,
) -> crowd.Tally:
    return await crowd.Crowd(server.url, targets, bidders, connections=connections).run(seconds=seconds)
