"""Keeps the catalogue: the relay's part in it. Everything that the relay publishes is put here before it is saved in the
auction's document. So a relay that dies leaves no document that is ahead of the catalogue, unless Redis failed it.

An *epoch* is a time in which the catalogue has all that was published. The marker in Redis names it. A new epoch begins,
and the catalogue is filled again from the documents, whenever the keeper cannot be sure of that:
- the marker is gone: Redis was emptied. Until the filling ends, the marker does not say `complete`.
- Redis did not answer, or is another run of the server, which may lack the last writes.
- another relay kept it before, and has not handed it over: it may have died between two writes.
The sets of "my bids" belong to their epoch, so that those of another one are not read any more.
"""

import uuid
from collections.abc import Mapping, Sequence

from auction_project.kernel import errors, logs
from bidding import runtime
from bidding.catalogue import filling, index
from bidding.publishing.pace import Pace
from bidding.store import auctions
from bidding.writer.clocks import Clocks

logger = logs.get(__name__)


class Keeper:
    """For the relay that leads. Failures of Redis are logged and mended here; the relay goes on."""

    def __init__(self, *, clocks: Clocks, pace: Pace) -> None:
        self._clocks = clocks
        self._pace = pace
        self._epoch = ""
        self._server = ""
        self._is_sure = False
        self._filling: filling.Filling | None = None
        self._next_check = 0.0

    @property
    def is_due(self) -> bool:
        """Whether `step` has something to do."""
        return self._filling is not None or self._clocks.monotonic() >= self._next_check

    async def put(
        self, documents: Sequence[auctions.AuctionDocument], acts: Mapping[tuple[str, str], int]
    ) -> bool:
        """Put these states of auctions, and note by (user, auction) the time of the last act; whether all are there."""
        catalogue = runtime.current().catalogue
        try:
            await catalogue.put([index.lot_of(document) for document in documents])
            await catalogue.note(
                self._epoch, ((user_id, at, auction_id) for (user_id, auction_id), at in acts.items())
            )
        except errors.Unavailable:
            self._is_sure = False
            return False
        return True

    async def step(self) -> bool:
        """Look from time to time whether the catalogue is there, and put a piece of it if it is not; whether there is more to
        put at once."""
        try:
            if self._clocks.monotonic() >= self._next_check:
                self._next_check = self._clocks.monotonic() + self._pace.catalogue_check_seconds
                await self._check()
        except errors.Unavailable:
            self._is_sure = False
            return False
        try:
            if self._filling is not None and not await self._filling.step():
                await self._finish(self._filling)
        except errors.Unavailable as error:
            logger.warning("catalogue_filling_waits", error=str(error))
            return False
        return self._filling is not None

    async def hand_over(self) -> None:
        """Let the next relay go on with this epoch. The relay has put all that it has published."""
        try:
            if self._is_sure and self._filling is None:
                await runtime.current().catalogue.mark(self._epoch, "handed_over")
        except errors.Unavailable:
            pass  # the next relay fills it again

    async def _check(self) -> None:
        catalogue = runtime.current().catalogue
        marker = await catalogue.marker()
        is_whole = marker.handed_over and marker.complete and marker.filled_on == marker.server
        if not self._epoch and is_whole and await catalogue.take_over():
            self._epoch, self._server, self._is_sure = marker.epoch, marker.server, True
            return
        if self._is_sure and (marker.epoch, marker.server) == (self._epoch, self._server):
            return
        epoch = uuid.uuid4().hex
        await catalogue.begin_epoch(epoch, server=marker.server)
        self._epoch, self._server, self._is_sure = epoch, marker.server, True
        self._filling = filling.Filling(runtime.current().store, catalogue)
        level = logger.info if marker.complete else logger.warning
        level("catalogue_filling", was_complete=marker.complete)

    async def _finish(self, done: filling.Filling) -> None:
        # If not, the next check begins again.
        if self._is_sure and await runtime.current().catalogue.mark(self._epoch, "complete"):
            logger.info("catalogue_filled", lots=done.lots, new=done.new)
        self._filling = None
