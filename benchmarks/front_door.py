"""What the gateway costs a bid: the same crowd bids at the web process, directly and through the gateway, in turn."""

import asyncio
import time

from auction_project.processes import roles
from auction_project.tools.load import crowd
from benchmarks import figures, market, processes
from benchmarks.figures import Figure

AUCTIONS, BIDDERS, CONNECTIONS = 100, 500, 64
SECONDS = 8.0
_RISE = 10**8  # minor units between the phases, so that an earlier phase refuses no bid


def run() -> list[Figure]:
    with processes.whole(pools={"web": tuple(roles.POOLS)}) as house:
        targets = asyncio.run(market.open_targets(house.url, AUCTIONS))
        bidders = crowd.make_bidders(BIDDERS, now=time.time())
        with house.only("web", "gateway"):
            direct, through = house.web, processes.Server(house.gateway.pid, house.url)
            rates, waits, gateway_seconds = {}, {}, 0.0
            for number, server in enumerate((direct, through)):
                for seconds in (1.0, SECONDS):  # the first second warms up, and does not count
                    rise = (2 * number + (seconds == SECONDS)) * _RISE
                    risen = market.raised(targets, rise)
                    web_cpu, gateway_cpu = direct.cpu_seconds(), through.cpu_seconds()
                    load = crowd.Crowd(server.url, risen, bidders, connections=CONNECTIONS)
                    tally = asyncio.run(load.run(seconds=seconds))
                rates[server.url] = tally.accepted / (direct.cpu_seconds() - web_cpu)
                waits[server.url] = 1000 * figures.percentile(tally.latencies, 99)
                gateway_seconds = (through.cpu_seconds() - gateway_cpu) / tally.accepted
        return house.verified(
            [
                Figure(
                    name="durable bids per CPU-second of web, through the gateway",
                    value=rates[through.url],
                    beside="without it",
                    reference=rates[direct.url],
                ),
                Figure(
                    name="durable bids through the gateway, p99",
                    value=waits[through.url],
                    unit="ms",
                    beside="without it",
                    reference=waits[direct.url],
                ),
                Figure(name="CPU of the gateway for a bid", value=1000 * gateway_seconds, unit="ms"),
            ]
        )
