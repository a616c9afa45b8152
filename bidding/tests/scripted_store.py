"""A store that misbehaves by script: LogStore over a dict, with the fences of a real one.

`script` holds one step for each append to come; without a step the append is an honest ordered bulk. A step says what
another writer did meanwhile, how much of the bulk is stored, when, and what the caller gets. `arrest()` makes every
operation hang as a paused server does, up to OPERATION_SECONDS.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import msgspec

from bidding import rules
from bidding.rules import commands, kinds, log
from bidding.store import bid_log, client
from bidding.tests import lots
from bidding.writer import committer, fairness
from bidding.writer.clocks import Clocks

NOW = lots.T0 + lots.MINUTE  # the writer's clock


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One append: `foreign` is called with (store, entry) before the entry at index `foreign_at` goes in. `stored`
    entries from the front are tried at once (None: all), the rest when `rest_lands` says. `unknown`: the caller gets
    OutcomeUnknown in any case."""

    foreign: Callable[["ScriptedStore", log.Entry], None] | None = None
    foreign_at: int = 0
    stored: int | None = None
    rest_lands: str = "never"  # "before the retry", "after the retry"
    unknown: bool = False


def another_bid(actor: str, amount: int) -> Callable[["ScriptedStore", log.Entry], None]:
    """Another writer's bid takes the seq of the entry."""

    def place(scripted: "ScriptedStore", entry: log.Entry) -> None:
        other = lots.bid(
            actor, amount, auction=entry.auction_id, key=f"elsewhere-{entry.seq}", at=entry.at, salt="other"
        )
        scripted.commit_elsewhere(other)

    return place


def same_key_elsewhere(scripted: "ScriptedStore", entry: log.Entry) -> None:
    """Another writer committed the same request (its client asked both)."""
    assert isinstance(entry.facts, kinds.Bid)
    same = lots.bid(
        entry.actor,
        entry.hidden.maximum,
        auction=entry.auction_id,
        key=entry.key,
        at=entry.at,
        salt="other",
    )
    scripted.commit_elsewhere(same)


class ScriptedStore:
    """See the module."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, int], log.Entry] = {}
        self.keys: dict[str, log.Entry] = {}
        self.batches: dict[str, list[log.Entry]] = {}
        self.auction_ids: set[str] = set()
        self.script: deque[Step] = deque()
        self.misbehaviour: Callable[[], Step] = Step  # for appends that the script says nothing about
        self.appends: list[tuple[str, list[log.Entry]]] = []
        self.finds: list[list[str]] = []
        self.loads: list[list[str]] = []
        self.registered: list[tuple[str, int]] = []
        self.crowded: dict[str, int] = {}
        self.offset_ms = 0.0
        self.seconds_per_entry = 0.0
        self.pause: Callable[[], asyncio.Future[None] | None] = lambda: None
        self._late: list[tuple[int, list[log.Entry], str]] = []
        self._arrested: asyncio.Event | None = None

    # --- for tests -----------------------------------------------------------------------------------------------

    def holds(self, *lots_entries: Sequence[log.Entry]) -> None:
        """These logs are stored already."""
        for entries in lots_entries:
            for entry in entries:
                self.auction_ids.add(entry.auction_id)
                assert self._insert(entry, "before:1")

    def log_of(self, auction_id: str) -> list[log.Entry]:
        entries = [entry for (auction, _), entry in self.entries.items() if auction == auction_id]
        return sorted(entries, key=lambda entry: entry.seq)

    def head(self, auction_id: str) -> int:
        seq = 0
        while (auction_id, seq + 1) in self.entries:
            seq += 1
        return seq

    def state_of(self, auction_id: str, seq: int | None = None) -> rules.State:
        return rules.fold(auction_id, self.log_of(auction_id)[:seq])

    def commit_elsewhere(self, command: commands.Command) -> log.Entry | rules.Refusal:
        """What another writer makes of `command` now: it stores an entry, or finds the key, or gets a refusal."""
        decided = rules.decide(self.state_of(command.auction_id), command)
        if isinstance(decided, log.Entry):
            self._insert(decided, "elsewhere:1")
        return decided

    def arrest(self) -> None:
        """From now on nothing answers."""
        self._arrested = asyncio.Event()

    def release(self) -> None:
        assert self._arrested is not None
        self._arrested.set()
        self._arrested = None

    # --- protocols.LogStore --------------------------------------------------------------------------------------------------

    @property
    def bids(self) -> "ScriptedStore":
        return self

    auctions = writers = bids

    async def check_fences(self) -> None:
        await self._answering()

    async def append(self, entries: Sequence[log.Entry], *, batch: str) -> bid_log.Appended:
        await self._answering()
        self._land("before the retry")
        step = self.script.popleft() if self.script else self.misbehaviour()
        self.appends.append((batch, list(entries)))
        now = len(entries) if step.stored is None else min(step.stored, len(entries))
        stored = 0
        for index, entry in enumerate(entries[:now]):
            if step.foreign is not None and index == step.foreign_at:
                step.foreign(self, entry)
            if not self._insert(entry, batch):
                break
            stored += 1
        await asyncio.sleep(self.seconds_per_entry * stored)
        conflict = stored < now
        if not conflict and now < len(entries) and step.rest_lands != "never":
            self._late.append((len(self.appends), list(entries[now:]), step.rest_lands))
        await self._yield()
        self._land("after the retry")
        if step.unknown:
            raise bid_log.OutcomeUnknown("scripted")
        assert conflict or now == len(entries), "a step that stores a part only must be unknown"
        return bid_log.Appended(stored, conflict)

    async def read(self, ids: Iterable[tuple[str, int]]) -> dict[tuple[str, int], log.Entry]:
        entry_ids = list(ids)
        await self._answering()
        entries = {entry_id: self.entries[entry_id] for entry_id in entry_ids if entry_id in self.entries}
        await self._yield()
        return entries

    async def find(self, idempotency: Iterable[str]) -> dict[str, log.Entry]:
        keys = list(idempotency)
        self.finds.append(keys)
        await self._answering()
        entries = {key: self.keys[key] for key in keys if key in self.keys}
        await self._yield()
        return entries

    async def load_snapshots(self, auction_ids: Sequence[str]) -> dict[str, rules.Snapshot | None]:
        self.loads.append(list(auction_ids))
        await self._answering()
        return {auction_id: None for auction_id in auction_ids if auction_id in self.auction_ids}

    async def register(self, incarnation: str, *, batch_number: int, now: int) -> None:
        await self._answering()
        self.registered.append((incarnation, batch_number))

    async def request_back_off(self, incarnation: str, *, now: int) -> None:
        await self._answering()
        self.crowded[incarnation] = now

    async def is_back_off_requested(self, *, since: int, besides: str) -> bool:
        await self._answering()
        return any(at >= since for incarnation, at in self.crowded.items() if incarnation != besides)

    async def clock_offset_ms(self) -> float:
        await self._answering()
        return self.offset_ms

    # --- inside ----------------------------------------------------------------------------------------------------

    def _insert(self, entry: log.Entry, batch: str) -> bool:
        entry_id = (entry.auction_id, entry.seq)
        if entry_id in self.entries or entry.idempotency in self.keys:
            return False
        self.entries[entry_id] = entry
        self.keys[entry.idempotency] = entry
        self.batches.setdefault(batch, []).append(entry)
        return True

    def _land(self, when: str) -> None:
        """Let timed-out bulks land: each goes on where it was, and stops at its first duplicate."""
        due = [
            late
            for late in self._late
            if late[2] == when and (when == "before the retry" or late[0] < len(self.appends))
        ]
        for late in due:
            self._late.remove(late)
            for entry in late[1]:
                if not self._insert(entry, "late:1"):
                    break

    async def _answering(self) -> None:
        await self._yield()
        if self._arrested is not None:
            try:
                async with asyncio.timeout(client.OPERATION_SECONDS):
                    await self._arrested.wait()
            except TimeoutError as error:
                raise bid_log.OutcomeUnknown("the store hangs") from error

    async def _yield(self) -> None:
        waiting = self.pause()
        if waiting is not None:
            await waiting
        else:
            await asyncio.sleep(0)


def writer_on(
    scripted: ScriptedStore,
    *,
    now: Callable[[], int] = lambda: NOW,
    pauses: fairness.Pauses = fairness.PAUSES,
) -> committer.Committer:
    """A committer that goes by the time of the running loop. The caller starts and stops it."""
    clocks = Clocks(now=now, monotonic=asyncio.get_running_loop().time)
    return committer.Committer(scripted, clocks=clocks, pauses=pauses)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for `condition`, in the time of the running loop."""
    while not condition():  # noqa: ASYNC110 - any condition
        await asyncio.sleep(0.001)


def flaw(scripted: ScriptedStore) -> str | None:
    """The first thing that is wrong with the logs: gaps, broken chains, keys used twice, a fold that fails."""
    for auction_id in {auction for auction, _ in scripted.entries}:
        entries = scripted.log_of(auction_id)
        if [entry.seq for entry in entries] != list(range(1, len(entries) + 1)):
            return f"{auction_id}: {[entry.seq for entry in entries]}"
        if (broken := rules.verify_chain(entries)) is not None:
            return f"{auction_id}: {broken}"
        if len({entry.idempotency for entry in entries}) != len(entries):
            return f"{auction_id}: a key twice"
        rules.fold(auction_id, entries)
    return None
