"""Stores proposals in numbered batches, and finds out which of them are stored.

When the store leaves an outcome open, the identical entries are sent again until an entry is stored at each of their seqs.
Bulks stay small enough that a slow store acknowledges them well before clients give up.
"""

import asyncio
from collections.abc import Callable, Sequence

from auction_project.kernel import errors, failpoints, logs
from bidding import metrics
from bidding.rules import log
from bidding.store import bid_log, protocols
from bidding.writer import fairness, rounds
from bidding.writer.clocks import Clocks

MAX_BATCH = bid_log.MAX_BULK
MIN_BATCH = 32
SLOW_BULK_SECONDS = 0.4
RETRY_SECONDS = (0.05, 0.1, 0.25, 0.5)

logger = logs.get(__name__)


class Appender:
    """One writer's batches. `number` is that of the last batch, `limit` the most entries of the next one, `stalled_since`
    the monotonic time since when the store has left outcomes open (None: it does not).

    `on_stored` is called after each bulk with what it has stored, `on_batch` with the name of a batch that is complete. They
    must not wait, and not raise.
    """

    def __init__(
        self,
        bids: protocols.BidLog,
        incarnation: str,
        competition: fairness.Fairness,
        *,
        clocks: Clocks,
        on_stored: Callable[[Sequence[rounds.Proposal]], None],
        on_batch: Callable[[str], None],
    ) -> None:
        self._bids = bids
        self._fairness = competition
        self._clocks = clocks
        self._on_stored = on_stored
        self._on_batch = on_batch
        self.incarnation = incarnation
        self.number = 0
        self.limit = MAX_BATCH
        self.stalled_since: float | None = None

    async def append(
        self, proposals: list[rounds.Proposal], settle: Callable[[rounds.Proposal], None]
    ) -> int:
        """Store the entries, however long it takes to know; how many from the front are stored as ours. `settle` is called
        with each of these, in order, as soon as it is known to be stored."""
        self.number += 1
        batch = bid_log.batch_name(self.incarnation, self.number)
        done, tries = 0, 0
        while done < len(proposals):
            rest = [proposal.entry for proposal in proposals[done:]]
            began = self._clocks.monotonic()
            try:
                ours, is_beaten = await self._send(rest, batch)
            except errors.Unavailable as error:
                pause = RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)]
                tries += 1
                logger.warning("outcome_unknown", entries=len(rest), tries=tries, error=str(error))
                if self.stalled_since is None:
                    self.stalled_since = self._clocks.monotonic()
                self._measure(len(rest), self._clocks.monotonic() - began)
                await asyncio.sleep(pause)
                continue
            except BaseException:  # nothing is sent any more, so nothing else would end the stall
                self.stalled_since = None
                raise
            self.stalled_since = None
            seconds = self._clocks.monotonic() - began
            self._fairness.took(seconds)
            self._measure(len(rest), seconds)
            metrics.bulks_sent.inc()
            metrics.entries_stored.inc(ours)
            stored = proposals[done : done + ours]
            for proposal in stored:
                settle(proposal)
            self._on_stored(stored)
            done += ours
            if is_beaten:
                metrics.conflicts.inc()
                break
            self._fairness.won()
        if done or tries:
            self._on_batch(batch)
        else:
            self.number -= 1  # no entry has it, and a number that stored nothing would be a hole
        return done

    async def _send(self, entries: list[log.Entry], batch: str) -> tuple[int, bool]:
        """Send one bulk: how many from the front are stored as ours, and whether the next one met another writer's entry.
        Raises errors.Unavailable."""
        failpoints.reach("committer.before_append")
        appended = await self._bids.append(entries, batch=batch)
        failpoints.reach("committer.after_append")
        if not appended.conflict:
            return appended.stored, False
        earlier = await self._count_ours(entries[appended.stored :])
        return appended.stored + earlier, not earlier

    def _measure(self, entries: int, seconds: float) -> None:
        """A bulk of so many entries took that long: the next one is smaller or larger."""
        metrics.append_seconds.observe(seconds)
        if seconds > SLOW_BULK_SECONDS:
            self.limit = max(MIN_BATCH, min(self.limit, entries) // 2)
        elif entries >= self.limit and seconds < SLOW_BULK_SECONDS / 2:
            self.limit = min(MAX_BATCH, self.limit * 2)

    async def _count_ours(self, entries: list[log.Entry]) -> int:
        """How many from the front are in the log with our hash: an attempt of unknown outcome has stored them."""
        count = 0
        while count < len(entries):
            chunk = entries[count : count + bid_log.READ_CHUNK]
            stored = await self._read_each(chunk)
            for entry in chunk:
                at_its_seq = stored.get((entry.auction_id, entry.seq))
                if at_its_seq is None or at_its_seq.hash != entry.hash:
                    return count
                count += 1
        return count

    async def _read_each(self, entries: list[log.Entry]) -> dict[tuple[str, int], log.Entry]:
        """What is stored at the seqs of `entries`. An entry that is unreadable is not ours, and hides no other."""
        try:
            return await self._bids.read((entry.auction_id, entry.seq) for entry in entries)
        except errors.Unavailable:
            raise
        except Exception:
            if len(entries) == 1:
                logger.exception("entry_is_unreadable", auction_id=entries[0].auction_id, seq=entries[0].seq)
                return {}
        stored: dict[tuple[str, int], log.Entry] = {}
        for entry in entries:
            stored |= await self._read_each([entry])
        return stored
