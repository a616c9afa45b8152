"""All of bidding's collections on one MongoDB server."""

import time
from datetime import UTC

import pymongo

from auction_project.kernel import errors
from bidding.store import auctions, bid_log, client, leases, reports, writers

INDEX_SECONDS = 3_600.0  # for all indexes of a log that is long already


class MongoStore:
    """One client and the owners of its collections. Make and use it within one event loop."""

    def __init__(self, url: str, database: str) -> None:
        self._client = client.connect(url)
        self._database = client.database(self._client, database)
        self.bids = bid_log.BidLog(self._database)
        self.auctions = auctions.Auctions(self._database)
        self.writers = writers.Writers(self._database)
        self.leases = leases.Leases(self._database)
        self.reports = reports.Reports(self._database)

    async def prepare(self) -> None:
        """Make the indexes (idempotent), however long it takes. Raises errors.Unavailable."""
        await client.guard(self._create_indexes(), seconds=INDEX_SECONDS)

    async def _create_indexes(self) -> None:
        with pymongo.timeout(INDEX_SECONDS):
            await self.bids.create_indexes()
            await self.auctions.create_indexes()

    async def check_fences(self) -> None:
        """Raises errors.Unavailable when the indexes were never made: then a key could be used twice."""
        if not await self.bids.has_unique_keys():
            raise errors.Unavailable("The bid log has no indexes (run: manage.py migrate_all).")

    async def clock_offset_ms(self) -> float:
        """The server's clock minus ours, as far as it is certain. Raises errors.Unavailable."""
        before = time.time()
        hello = await client.guard(self._database.command("hello"))
        after = time.time()
        local = hello.get("localTime")
        if local is None:
            return 0.0
        return offset_ms(local.replace(tzinfo=UTC).timestamp(), before=before, after=after)

    async def version(self) -> str:
        """The server's version, as it says it. Raises errors.Unavailable."""
        return str((await client.guard(self._database.command("buildInfo"))).get("version", ""))

    async def close(self) -> None:
        await self._client.close()


def offset_ms(there: float, *, before: float, after: float) -> float:
    """How many milliseconds a clock is off at least, if it showed `there` at some time between `before` and `after`
    (seconds)."""
    return (there - min(max(there, before), after)) * 1000
