"""The collection `leases`: who does what only one may do at a time, and a number that each owner leaves to the next."""

import pymongo.errors

from bidding.store import client


class Leases:
    """By name, the owner of each lease and how long it lasts."""

    def __init__(self, database: client.Database) -> None:
        self._leases = database["leases"]

    async def hold(self, name: str, owner: str, *, now: int, until: int) -> bool:
        """Whether `owner` now has the lease `name` until `until` (milliseconds since the epoch). It gets one that is free,
        has ended, or is its own already. Raises errors.Unavailable."""
        free = {"_id": name, "$or": [{"owner": owner}, {"until": {"$lt": now}}]}
        result = await client.guard(self._leases.update_one(free, {"$set": {"owner": owner, "until": until}}))
        if result.matched_count:
            return True
        try:
            await client.guard(self._leases.insert_one({"_id": name, "owner": owner, "until": until}))
        except pymongo.errors.DuplicateKeyError:
            return False
        return True

    async def renew(self, name: str, owner: str, *, until: int) -> bool:
        """Let `owner` keep the lease `name` until `until` (milliseconds since the epoch); False if another one has had it since.
        Raises errors.Unavailable."""
        own = {"_id": name, "owner": owner}
        result = await client.guard(self._leases.update_one(own, {"$set": {"until": until}}))
        return bool(result.matched_count)

    async def note(self, name: str, owner: str, number: int) -> bool:
        """Keep `number` with the lease `name`, which `owner` has; False if another one has it. Raises errors.Unavailable."""
        own = {"_id": name, "owner": owner}
        result = await client.guard(self._leases.update_one(own, {"$set": {"noted": number}}))
        return bool(result.matched_count)

    async def noted(self, name: str) -> int:
        """The number that was kept last with the lease `name`; 0 if none was. Raises errors.Unavailable."""
        lease = await client.guard(self._leases.find_one({"_id": name}))
        return int(lease.get("noted", 0)) if lease else 0
