"""Reading auctions. The state of one auction is read through the committer, so that it is current; lists are read from
the auctions' documents and cached in Redis for CACHE_SECONDS at most.
"""

import asyncio
import hashlib
from typing import Any

import msgspec
from django.core.cache import cache

from auction_project.kernel import errors
from bidding import presentation, rules, runtime
from bidding.rules import log
from bidding.store import auctions
from bidding.writer import rounds

CACHE_SECONDS = 1
MAX_HISTORY = 500
MAX_OWN_AUCTIONS = 50
_OWN_ENTRIES = 5_000


def get_auction(auction_id: str) -> rules.State:
    """Raises errors.NotFound, errors.Unavailable."""
    state = runtime.look(auction_id)
    if state.status is rules.Status.NEW:  # its document was inserted, and its request never came
        raise errors.NotFound("There is no such auction.")
    return state


def get_presented(auction_id: str) -> dict[str, Any]:
    """The body of one auction as it is now. Raises errors.NotFound, errors.Unavailable."""
    return present([get_auction(auction_id)])[0]


def list_auctions(query: auctions.Query) -> dict[str, Any]:
    """One page: `items` and `total`."""
    key = f"auctions:{hashlib.sha256(msgspec.json.encode(query)).hexdigest()}"
    found = cache.get(key)
    if found is not None:
        return dict(found)
    documents, total = runtime.call(runtime.current().store.auctions.search(query))
    on_sale = [document.product_id for document in documents if document.allocate == "on_sale"]
    stock = runtime.call(runtime.current().stock.of_all(on_sale)) if on_sale else {}
    items = [presentation.summary(document, stock.get(document.product_id)) for document in documents]
    page = {"items": items, "total": total}
    cache.set(key, page, CACHE_SECONDS)
    return page


def present(states: list[rules.State]) -> list[dict[str, Any]]:
    """The bodies of these auctions, with the units that are really left. Raises errors.Unavailable."""
    found = runtime.current()
    on_sale = [s.known_terms.product_id for s in states if s.known_terms.allocate == "on_sale"]
    stock = runtime.call(found.stock.of_all(on_sale)) if on_sale else {}
    return [presentation.auction(state, stock.get(state.known_terms.product_id)) for state in states]


def list_history(auction_id: str, *, after: int, limit: int) -> list[log.Entry]:
    """Entries after seq `after`, in order. Raises errors.NotFound, errors.Unavailable."""
    get_auction(auction_id)
    return runtime.call(runtime.current().store.bids.read_from(auction_id, after, min(limit, MAX_HISTORY)))


def get_outcome(auction_id: str, *, actor: str, key: str) -> log.Entry | None:
    """The entry that `actor` made under `key`, None when there is none. Raises errors.Unavailable while that is open."""
    wanted = log.idempotency(auction_id, actor, key)
    return runtime.call(_outcome(wanted))


async def _outcome(wanted: str) -> log.Entry | None:
    """A command is open before its entry is stored: what is open neither before nor after the look stands or does not."""
    found = runtime.current()
    if not found.committer.is_undecided(wanted):
        entry = (await found.store.bids.find([wanted])).get(wanted)
        if entry is not None or not found.committer.is_undecided(wanted):
            return entry
    raise errors.Unavailable("This bid is still being decided. Send it again under the same key.")


def list_own(user_id: str, *, skip: int, limit: int) -> tuple[list[rules.State], int]:
    """A page of the auctions that `user_id` acted in lately, latest first, at most MAX_OWN_AUCTIONS; how many there are."""
    ids = runtime.call(runtime.current().store.bids.auctions_of_actor(user_id, _OWN_ENTRIES))
    states = runtime.call(_look_at_all(ids[skip : skip + min(limit, MAX_OWN_AUCTIONS)]))
    own = [state for state in states if isinstance(state, rules.State) and user_id in state.bidders]
    return own, len(ids)


async def _look_at_all(auction_ids: list[str]) -> list[rounds.Outcome]:
    found = runtime.current()
    return await asyncio.gather(*(found.committer.look(auction_id) for auction_id in auction_ids))
