"""10,000 idle sockets on one process that pushes: its memory with and without them, and the CPU that they cost while nothing happens."""

import asyncio
import os
import time

from auction_project.kernel import ids
from benchmarks import processes, push
from benchmarks.figures import Figure
from notifications import services

SOCKETS = 10_000  # as many as a process takes
QUIET_SECONDS = 20.0
_PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20


def run() -> list[Figure]:
    with processes.whole() as house:
        with house.only("web"):
            figures = push.run_clients(_hold(house.web))
        return house.verified(figures)


async def _hold(server: processes.Server) -> list[Figure]:
    auction_id = ids.new_id()
    await asyncio.to_thread(services.record_auction, auction_id=auction_id)
    before = server.memory_pages() * _PAGE_MIB
    watchers = await push.connect(server.url, "/ws/v1/stream", push.watch(auction_id, 0), sockets=SOCKETS)
    cpu, began = server.cpu_seconds(), time.monotonic()
    await asyncio.sleep(QUIET_SECONDS)
    busy = (server.cpu_seconds() - cpu) / (time.monotonic() - began)
    after = server.memory_pages() * _PAGE_MIB
    for watcher in watchers:
        watcher.close()
    return [
        Figure(
            name=f"memory with {SOCKETS:,} idle sockets",
            value=after,
            unit="MiB",
            beside="without",
            reference=before,
        ),
        Figure(name="memory of an idle socket", value=1024 * (after - before) / SOCKETS, unit="KiB"),
        Figure(name=f"CPU with {SOCKETS:,} idle sockets, of one core", value=100 * busy, unit="%"),
    ]
