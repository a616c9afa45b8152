"""Fills the catalogue from the auctions' documents, in bounded pieces, while the relay goes on to keep it: what it puts is
dropped where the catalogue has a later mark. Point reads only, so that the bid store goes on to take bids.
"""

from collections import deque

from bidding.catalogue import catalogue, index
from bidding.store import mongo

IDS_PER_PAGE = 2_000
LOTS_PER_STEP = 100


class Filling:
    """Call `step()` until it returns False. `lots`: how many it has put, the others included that were there already."""

    def __init__(self, log_store: mongo.MongoStore, target: catalogue.Catalogue) -> None:
        self._store = log_store
        self._catalogue = target
        self._read = 0
        self._waiting: deque[str] = deque()
        self.lots = self.new = 0

    async def step(self) -> bool:
        """Put the next lots; whether there are more. A step can be repeated. Raises errors.Unavailable."""
        if not self._waiting:
            ids = list(await self._store.auctions.marks(skip=self._read, limit=IDS_PER_PAGE))
            if not ids:
                return False
            self._waiting.extend(ids)
            self._read += len(ids)
        ids = [self._waiting[i] for i in range(min(LOTS_PER_STEP, len(self._waiting)))]
        documents = [
            document for document in await self._store.auctions.get_all(ids) if document.status != "NEW"
        ]
        on_sale = {document.product_id for document in documents if document.allocate == "on_sale"}
        stock = await self._store.reports.stock_of(sorted(on_sale))
        lots = [index.lot_of(document, stock.get(document.product_id)) for document in documents]
        self.new += await self._catalogue.put(lots)
        self.lots += len(lots)
        for _ in ids:
            self._waiting.popleft()
        return True
