"""The collection `leases`: who does what only one may do at a time."""

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
