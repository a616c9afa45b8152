"""The place of an auction in the catalogue, and where a query looks: pure.

A *scope* is a set of lots for which each order has a sorted set. A titled lot is in three scopes: `listed`, `every`, and
its status. A lot without a title (it waits for stock, or was refused) is in `every` and in `<status>:untitled`. All other
filters are plain sets, with which a sorted set is intersected.
"""

from typing import Any

import msgspec

from auction_project.kernel import money, words
from bidding import presentation
from bidding.store import auctions, reports

_RANKS = {currency: rank for rank, currency in enumerate(sorted(money.EXPONENTS))}
_PRICES = 10**12  # above money.MAX_MINOR_UNITS: by price, currencies follow one another
_INSTANTS = 10**13  # above each instant: by relevance, the newer of two titles with so many words comes first
_NO_WORD = ""  # which no title has


class Places(msgspec.Struct, frozen=True):
    """The scopes, filters and words of a lot, in the order of its title. They change seldom, its scores often. `words` is the
    last field, because the script `FIND` looks for phrases in what follows its name."""

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
    """What the script `FIND` takes. `ranges` are (order, least, greatest) by the scores of an order; a phrase is its words as they
    stand in the JSON of a lot's places. `after`: the score and the id of the last lot of the page before, in place of `skip`."""

    order: str
    descending: bool
    scopes: list[str]
    sets: list[str]
    words: list[str]
    prefix: str
    phrases: list[str]
    ranges: list[tuple[str, str, str]]
    skip: int
    limit: int
    after: tuple[str, ...] = ()

    @property
    def is_filtered(self) -> bool:
        """Whether Redis has to intersect sets for it."""
        return bool(self.sets or self.words or self.prefix or self.ranges or len(self.scopes) > 1)


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
                "relevance": str(
                    (len(_title_words(document)) + 1) * _INSTANTS - 1 - min(document.starts_at, _INSTANTS - 1)
                ),
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
    terms = words.parse(query.search or "") or words.Query()
    is_hopeless = bool((query.search or "").strip()) and terms.is_hopeless
    in_phrases = [word for phrase in terms.phrases for word in phrase]
    return Search(
        order=query.order.lstrip("-") if descending else query.order,
        descending=descending,
        scopes=scopes,
        sets=sets,
        words=[_NO_WORD] if is_hopeless else [*terms.words, *in_phrases],
        prefix=terms.prefix,
        phrases=[_json(phrase)[1:-1] for phrase in terms.phrases],
        ranges=_ranges(query),
        skip=query.skip,
        limit=query.limit,
        after=query.after or (),
    )


def ask_of(item: dict[str, Any]) -> int:
    """What a list orders this item of its by, in minor units: the price, or the start price while there is no bid."""
    return money.parse(item["price"] or item["start_price"], item["currency"])


def _ranges(query: auctions.Query) -> list[tuple[str, str, str]]:
    ranges = []
    if query.currency:
        rank = _RANKS[query.currency] * _PRICES
        most = _PRICES - 1 if query.max_price is None else query.max_price
        ranges.append(("price", str(rank + (query.min_price or 0)), str(rank + most)))
    if query.ends_within is not None:
        first, last = query.ends_within
        ranges.append(("ends_at", str(first), str(last)))
    return ranges


def _places(document: auctions.AuctionDocument) -> Places:
    if document.title:
        scopes = ["listed", "every", document.status]
    else:
        scopes = ["every", f"{document.status}:untitled"]
    owner = document.seller_id or document.requested_by  # a lot that was never listed has no seller
    return Places(scopes, [f"format:{document.format}", f"seller:{owner}"], _title_words(document))


def _title_words(document: auctions.AuctionDocument) -> list[str]:
    return words.of_title(document.title)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
