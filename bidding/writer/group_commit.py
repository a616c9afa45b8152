"""Brings a batch of commands and looks to their outcomes: decide, append, catch up, answer, as often as it takes.

At a duplicate the prefix of the bulk is stored, the auction that lost is caught up, and what is left is decided again;
`decide` is pure, so the entries of other auctions come out unchanged.
"""

from collections.abc import Iterable

from auction_project.kernel import errors, logs
from bidding import metrics, rules
from bidding.rules import commands, log
from bidding.store import bid_log, protocols
from bidding.writer import appender, auction_cache, failures, fairness, rounds

logger = logs.get(__name__)


class GroupCommit:
    """One writer's commits, one at a time."""

    def __init__(
        self,
        bids: protocols.BidLog,
        auctions: auction_cache.AuctionCache,
        batches: appender.Appender,
        competition: fairness.Fairness,
    ) -> None:
        self._bids = bids
        self._auctions = auctions
        self._appender = batches
        self._fairness = competition

    async def commit(self, batch: list[rounds.Pending]) -> None:
        """Bring every command of the batch to its outcome. This ends, because the committer fails what has waited for too
        long. Raises errors.Unavailable."""
        left = [pending for pending in batch if not pending.future.done()]
        await self._auctions.load({pending.command.auction_id for pending in left})
        while left:
            for pending in left:
                if pending.command.auction_id in self._auctions.damaged:
                    pending.fail(failures.StoreUnavailable())
                elif pending.command.auction_id not in self._auctions:
                    pending.fail(errors.NotFound("There is no such auction."))
            left = [pending for pending in left if not pending.future.done()]
            current = self._decide(left)
            stored_all = await self._store(current)
            await self._answer(current, stored_all)
            left = [pending for pending in left if not pending.future.done()]
        self._auctions.evict()

    def _decide(self, left: Iterable[rounds.Pending]) -> rounds.Round:
        current = rounds.Round()
        speculative: dict[str, rules.State] = {}
        for pending in left:
            auction_id = pending.command.auction_id
            state = speculative.get(auction_id) or self._auctions[auction_id].state
            try:
                speculative[auction_id] = state = current.do_what_is_due(state, pending.command.at)
                speculative[auction_id] = current.do(state, pending)
            except Exception:  # a bug of the rules costs its own command, not those that gathered beside it
                logger.exception(
                    "decision_failed", auction_id=auction_id, command=type(pending.command).__name__
                )
                pending.fail(failures.StoreUnavailable())
        return current

    async def _store(self, current: rounds.Round) -> set[str]:
        """Append the proposals; the auctions all of whose proposals are stored. The auction that lost a race is caught up, so
        that what is left can be decided again."""
        stored = 0
        total = len(current.proposals)
        while stored < total:
            chunk = current.proposals[stored : stored + self._appender.limit]
            count = await self._appender.append(chunk, self._settle)
            stored += count
            if count < len(chunk):
                await self._lost_race(current.proposals[stored:])
                break
        return current.auctions_with_proposals() - {p.entry.auction_id for p in current.proposals[stored:]}

    def _settle(self, proposal: rounds.Proposal) -> None:
        fold = self._auctions[proposal.entry.auction_id]
        if fold.state.seq < proposal.after.seq:
            fold.advance(proposal.entry, proposal.after)
        if proposal.pending is not None:
            proposal.pending.resolve(proposal.entry)

    async def _lost_race(self, proposals: list[rounds.Proposal]) -> None:
        """Another entry has the seq of the first proposal, or its key is used: catch up, and answer repeats from the log.

        In one read, if it can be, because a writer that takes longer than a busier writer's next bulk never wins. A used key
        seldom comes alone (all clients repeat what an outage left unanswered), so then the keys of the others are looked up,
        too.
        """
        lost = proposals[0]
        moved = await self._auctions.catch_up(
            [self._auctions[lost.entry.auction_id]], ahead=bid_log.READ_CHUNK
        )
        if lost.entry.auction_id in moved:
            await self._fairness.lost()
            suspects = proposals[:1]
        else:
            suspects = proposals
        await self._answer_repeats(
            [p.pending for p in suspects if p.pending is not None and self._may_be_stored(p.pending.command)]
        )

    async def _answer(self, current: rounds.Round, stored_all: set[str]) -> None:
        """Answer refusals and looks of auctions whose state is known to be current; leave the rest undone."""
        proposed = current.auctions_with_proposals()
        unproved = [
            self._auctions[auction_id]
            for auction_id, answers in current.answers.items()
            if auction_id not in proposed
            and auction_id in self._auctions
            and not all(rounds.is_final(answer) for _, answer in answers)
        ]
        moved = await self._auctions.catch_up(unproved)
        answerable = [
            (pending, answer)
            for auction_id, answers in current.answers.items()
            if auction_id in stored_all or (auction_id not in proposed and auction_id not in moved)
            for pending, answer in answers
        ]
        refused = [pending for pending, answer in answerable if isinstance(answer, rules.Refusal)]
        await self._answer_repeats([pending for pending in refused if self._may_be_stored(pending.command)])
        for pending, answer in answerable:
            if isinstance(answer, rules.Refusal) and not pending.future.done():
                metrics.refusals.labels(answer.rule).inc()
            pending.resolve(answer)

    def _may_be_stored(self, command: commands.Command | rounds.Look) -> bool:
        """Whether the command's key can be in the log, as far as the cached auction knows: for most refused bids it cannot,
        and the store need not be read.

        A damaged auction is not cached any more; its commands fail in the next round.
        """
        if command.auction_id not in self._auctions:
            return False
        return not isinstance(command, commands.PlaceBid) or self._auctions[command.auction_id].may_hold(
            command
        )

    async def _answer_repeats(self, pendings: list[rounds.Pending]) -> None:
        """Resolve those whose key is in the log."""
        by_key = {pending.key: pending for pending in pendings if pending.key is not None}
        for key, entry in (await self._find_each(by_key)).items():
            pending = by_key[key]
            command = pending.command
            if isinstance(command, commands.Command) and entry.request != command.request():
                pending.fail(errors.KeyReused())
            else:
                pending.resolve(entry)

    async def _find_each(self, by_key: dict[str, rounds.Pending]) -> dict[str, log.Entry]:
        """The entries of these keys. If one is unreadable, its command alone fails."""
        try:
            return await self._bids.find(by_key) if by_key else {}
        except errors.Unavailable:
            raise
        except Exception:
            if len(by_key) == 1:
                for pending in by_key.values():
                    logger.exception("entry_is_unreadable", auction_id=pending.command.auction_id)
                    pending.fail(failures.StoreUnavailable())
                return {}
        entries: dict[str, log.Entry] = {}
        for key, pending in by_key.items():
            entries |= await self._find_each({key: pending})
        return entries
