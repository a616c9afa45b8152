"""The collection `incarnations`: the writers of the bid log, one document for each run of a committer."""

from bidding.store import client


class Writers:
    """All writers. Instants are milliseconds since the epoch. Each method raises errors.Unavailable."""

    def __init__(self, database: client.Database) -> None:
        self._incarnations = database["incarnations"]

    async def register(self, incarnation: str, *, batch_number: int, now: int) -> None:
        """This writer is alive at `now`, and its last batch had that number."""
        fields = {"at": now, "batch": batch_number}
        await client.guard(self._incarnations.update_one({"_id": incarnation}, {"$set": fields}, upsert=True))

    async def request_back_off(self, incarnation: str, *, now: int) -> None:
        """This writer keeps losing races for an auction at `now`."""
        await client.guard(self._incarnations.update_one({"_id": incarnation}, {"$set": {"crowded_at": now}}))

    async def is_back_off_requested(self, *, since: int, besides: str) -> bool:
        """Whether a writer other than `besides` has requested it since."""
        crowded = {"_id": {"$ne": besides}, "crowded_at": {"$gte": since}}
        return await client.guard(self._incarnations.find_one(crowded, {"_id": 1})) is not None

    async def living(self, *, since: int) -> dict[str, int]:
        """The incarnations that were registered since, each with the number of its last batch or of an earlier one."""
        rows = await client.guard(self._incarnations.find({}).to_list())
        return {row["_id"]: row["batch"] for row in rows if row["at"] >= since}

    async def forget(self, *, before: int) -> int:
        """Delete the incarnations that were last registered before; how many they were."""
        return (await client.guard(self._incarnations.delete_many({"at": {"$lt": before}}))).deleted_count
