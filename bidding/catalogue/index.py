"""The place of an auction in the catalogue, and where a query looks: pure.

A *scope* is a set of lots for which each order has a sorted set. A titled lot is in three scopes: `listed`, `every`, and
its status. A lot without a title (it waits for stock, or was refused) is in `every` and in `<status>:untitled`. All other
filters are plain sets, with which a sorted set is intersected.
"""

from typing import Any

import msgspec

from auction_project.kernel import money
from bidding import presentation
from bidding.catalogue import words
from bidding.store import auctions, reports

_RANKS = {currency: rank for rank, currency in enumerate(sorted(money.EXPONENTS))}
_PRICES = 10**12  # above money.MAX_MINOR_UNITS: by price, currencies follow one another


class Places(msgspec.Struct, frozen=True):
    """The scopes, filters and words of a lot. They change seldom, its scores often."""

    scopes: list[str]
    sets: list[str]
    words: list[str]


class Lot(msgspec.Struct, frozen=True):
    """What the script `PUT` takes. `row`, `places` and `scores` are JSON texts, which tell by themselves whether they have
    changed. The scores in it are decimal strings, which keep all digits."""

    id: str
    mark: int
    row: str
    places: str
    scores: str
    product: str = ""  # for a listing whose units are set aside at the sale
    version: int = 0  # of the product's stock; 0: not reported
    available: int = 0


class Search(msgspec.Struct, frozen=True):
    """What the script `FIND` takes."""

    order: str
    descending: bool
    scopes: list[str]
    sets: list[str]
    words: list[str]
    skip: int
    limit: int

    @property
    def is_filtered(self) -> bool:
        """Whether Redis has to intersect sets for it."""
        return bool(self.sets or self.words or len(self.scopes) > 1)


def lot_of(document: auctions.AuctionDocument, stock: reports.ReportedStock | None = None) -> Lot:
    """A lot as the catalogue keeps it."""
    rank = _RANKS[document.currency] * _PRICES
    return Lot(
        id=document.id,
        mark=document.mark,
        row=_json(presentation.summary(document)),
        places=_json(_places(document)),
        scores=_json(
            {
                "ends_at": str(document.ends_at),
                "starts_at": str(document.starts_at),
                "price": str(rank + document.ask),
                "-price": str(rank + _PRICES - 1 - document.ask),
                "-bids": str(-document.bids),
            }
        ),
        product=document.product_id if document.allocate == "on_sale" else "",
        version=stock.version if stock else 0,
        available=stock.available if stock else 0,
    )


def search_of(query: auctions.Query) -> Search:
    """Where `query` looks. An order that has no sorted set of its own is walked backwards."""
    descending = query.order in ("-ends_at", "-starts_at")
    if query.status:
        scopes = [query.status, f"{query.status}:untitled"] if query.unlisted else [query.status]
    else:
        scopes = ["every"] if query.unlisted else ["listed"]
    sets = [f"format:{query.format}"] if query.format else []
    if query.seller_id:
        sets.append(f"seller:{query.seller_id}")
    return Search(
        order=query.order.lstrip("-") if descending else query.order,
        descending=descending,
        scopes=scopes,
        sets=sets,
        words=words.of_search(query.search or ""),
        skip=query.skip,
        limit=query.limit,
    )


def _places(document: auctions.AuctionDocument) -> Places:
    if document.title:
        scopes = ["listed", "every", document.status]
    else:
        scopes = ["every", f"{document.status}:untitled"]
    owner = document.seller_id or document.requested_by  # a lot that was never listed has no seller
    return Places(scopes, [f"format:{document.format}", f"seller:{owner}"], words.of_title(document.title))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
