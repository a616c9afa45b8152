"""How far each auction is published, and the auctions' documents, which are saved from that.

The relay folds every entry anyhow, so it replaces the document of an auction by the fold at its mark, at most once a second
and at once when the status changes. It puts each fold into the catalogue, from which lists are answered, before it saves it.
Of the snapshot only the pieces that have changed are stored. Where a stored snapshot is lost, the log is folded again from its
beginning, and published from the mark on.
"""

import asyncio

import msgspec

from auction_project.kernel import errors, logs
from bidding import rules, runtime
from bidding.publishing import catalogue_keeper, unreadable
from bidding.publishing.pace import Pace
from bidding.rules import log
from bidding.store import auctions
from bidding.writer.clocks import Clocks

MAX_AUCTIONS = 100_000  # 4 KB each, without bidders

logger = logs.get(__name__)


class _Progress:
    """One auction as far as it is published: `mark`, and the fold there, unless the log is still folded up to it.
    `old_pieces`: how many pieces may be stored that its document does not name."""

    __slots__ = ("created_at", "dumper", "mark", "old_pieces", "put_at", "saved_at", "state")

    def __init__(self, document: auctions.AuctionDocument, snapshot: rules.Snapshot | None) -> None:
        self.state = rules.load(snapshot) if snapshot else rules.State(document.id)
        self.dumper = rules.Dumper(self.state, document.pieces if snapshot else ())
        self.mark = document.mark
        self.created_at = document.created_at
        self.put_at = self.saved_at = 0.0
        self.old_pieces = len(document.pieces)  # a relay that died may have left some

    def move(self, state: rules.State, entries: list[log.Entry]) -> None:
        self.dumper.note(self.state, entries, state)
        self.state = state
        self.mark = max(self.mark, state.seq)

    @property
    def is_folded(self) -> bool:
        return self.state.seq >= self.mark


class Documents:
    """By auction id. What was not saved when a relay dies, the next one publishes again."""

    def __init__(
        self,
        set_aside: unreadable.Unreadable,
        catalogue: catalogue_keeper.Keeper,
        *,
        clocks: Clocks,
        pace: Pace,
    ) -> None:
        self._set_aside = set_aside
        self._catalogue = catalogue
        self._clocks = clocks
        self._pace = pace
        self._progress: dict[str, _Progress] = {}
        self._unsaved: dict[str, None] = {}
        self._to_put: dict[str, None] = {}  # a part of these
        # By (user, auction): the time of the last entry since the last put.
        self._acts: dict[tuple[str, str], int] = {}

    @property
    def are_saved(self) -> bool:
        """Whether all that is published is saved."""
        return not self._unsaved

    def seq(self, auction_id: str) -> int | None:
        """The seq up to which the auction is published; None where that is not in memory."""
        progress = self._progress.get(auction_id)
        return None if progress is None else progress.state.seq

    def state(self, auction_id: str) -> rules.State:
        """The fold of an auction that was loaded. Its seq is the mark, or less while the log is folded again."""
        return self._progress[auction_id].state

    def mark(self, auction_id: str) -> int:
        """The mark of an auction that was loaded."""
        return self._progress[auction_id].mark

    async def load(self, auction_id: str) -> rules.State:
        """As `state`; the auction is read from the store unless it is in memory. Raises errors.NotFound,
        errors.Unavailable; the rules may raise anything on an edited snapshot."""
        progress = self._progress.get(auction_id)
        if progress is None:
            progress = _Progress(*await runtime.current().store.auctions.get_with_snapshot(auction_id))
            self._progress[auction_id] = progress
        return progress.state

    async def evict(self, *, before_loading: int) -> None:
        """Keep at most MAX_AUCTIONS when so many more are loaded. Raises errors.Unavailable."""
        if len(self._progress) + before_loading > MAX_AUCTIONS:
            await self.save_all()
            self._progress = {auction_id: self._progress[auction_id] for auction_id in self._unsaved}

    def move(self, auction_id: str, state: rules.State, entries: list[log.Entry]) -> None:
        """These entries are published: the mark moves. A change of the auction's status is saved at once."""
        progress = self._progress[auction_id]
        before = progress.state
        progress.move(state, entries)
        self._acts.update({(entry.actor, auction_id): entry.at for entry in entries})
        if progress.is_folded:
            self._unsaved[auction_id] = self._to_put[auction_id] = None
        if (state.status, state.ended) != (before.status, before.ended):
            progress.put_at = progress.saved_at = 0.0

    async def save_due(self) -> None:
        """Put into the catalogue what was put `put_seconds` ago or earlier. Then save the documents whose last save is
        `save_seconds` ago, up to `saves_at_once`. One that cannot be saved is due again after `save_seconds`."""
        now = self._clocks.monotonic()
        progress = self._progress
        to_put = [each for each in self._to_put if progress[each].put_at <= now - self._pace.put_seconds]
        await self._put(to_put[: self._pace.puts_at_once])
        due = [each for each in self._unsaved if progress[each].saved_at <= now - self._pace.save_seconds]
        await self._save(due[: self._pace.saves_at_once])

    async def save_all(self) -> None:
        """Save each document that is behind; one that cannot be saved stays unsaved."""
        await self._put([])
        await self._save(list(self._unsaved))

    async def _put(self, auction_ids: list[str]) -> None:
        """Put these auctions into the catalogue, and note the acts of users. What Redis does not take is put again, or filled
        in from the documents later."""
        acts, self._acts = self._acts, {}
        states = {auction_id: self._progress[auction_id].state for auction_id in auction_ids}
        documents: list[auctions.AuctionDocument] = []
        for auction_id, state in states.items():
            progress = self._progress[auction_id]
            progress.put_at = self._clocks.monotonic()
            try:
                documents.append(_document(state, progress.created_at))
            except Exception as error:
                self._set_aside.set_aside(auction_id, error)
        if (documents or acts) and not await self._catalogue.put(documents, acts):
            return
        for auction_id, state in states.items():
            if self._progress[auction_id].state is state:
                self._to_put.pop(auction_id, None)

    async def _save(self, auction_ids: list[str]) -> None:
        at_once = self._pace.saves_at_once
        for start in range(0, len(auction_ids), at_once):
            some = auction_ids[start : start + at_once]
            await self._put([auction_id for auction_id in some if auction_id in self._to_put])
            await asyncio.gather(*map(self._save_one, some))

    async def _save_one(self, auction_id: str) -> None:
        """While this waits for the store, the auction may move on: then it stays unsaved."""
        progress = self._progress[auction_id]
        state = progress.state
        progress.saved_at = self._clocks.monotonic()
        try:
            await self._store(progress)
        except errors.Unavailable as error:
            logger.warning("auction_not_saved", auction_id=auction_id, error=str(error))
            return
        except Exception as error:
            self._set_aside.set_aside(auction_id, error)
        if self._progress.get(auction_id) is progress and progress.state is state:
            self._unsaved.pop(auction_id, None)
            self._to_put.pop(auction_id, None)
            if state.ended:
                self._progress.pop(auction_id, None)

    async def _store(self, progress: _Progress) -> None:
        """Save the document with its snapshot. The pieces that it does not name any more are deleted seldom: when they may be as
        many as those that it names, and at the end."""
        store = runtime.current().store.auctions
        dump = progress.dumper.dump(progress.state)
        document = msgspec.structs.replace(
            _document(progress.state, progress.created_at), snapshot=dump.head, pieces=dump.saved_at
        )
        progress.old_pieces += len(dump.pieces)
        if not await store.save_progress(document, dump.pieces):
            return  # another relay leads
        progress.dumper.saved_at = dump.saved_at
        if progress.old_pieces > len(dump.saved_at) or (progress.old_pieces and document.ended):
            await store.delete_old_pieces(document)
            progress.old_pieces = 0


def _document(state: rules.State, created_at: int) -> auctions.AuctionDocument:
    """The document at the mark, without its snapshot."""
    terms = state.known_terms
    return auctions.AuctionDocument(
        id=state.auction_id,
        product_id=terms.product_id,
        requested_by=state.requested_by,
        format=terms.format,
        currency=terms.currency,
        starts_at=terms.starts_at,
        ends_at=state.ends_at,
        created_at=created_at,
        due_at=rules.due_at(state),
        status=state.status.value,
        ended=state.ended,
        seller_id=state.seller_id,
        title=state.title,
        text=state.text,
        thumbnail=state.thumbnail,
        price=state.price,
        minimum=rules.formats.of(state).minimum(state),
        start_price=terms.start_price,
        ask=state.price or terms.start_price,
        bids=state.bids,
        quantity_left=state.quantity_left,
        allocate=terms.allocate,
        outcome=state.outcome,
        mark=state.seq,
        hash=state.hash,
    )
