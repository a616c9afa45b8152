"""Reads auctions. The state of one auction comes from the committer, so that it is current; lists come from the auctions'
documents, and are cached in Redis for CACHE_SECONDS at most.
"""

import asyncio
import hashlib
from typing import Any

import msgspec
from django.core.cache import cache

from auction_project.kernel import errors
from bidding import presentation, rules, runtime
from bidding.rules import commands, log
from bidding.store import auctions
from bidding.writer import rounds

CACHE_SECONDS = 1
MAX_HISTORY = 500
MAX_OWN_AUCTIONS = 50
_OWN_ENTRIES = 5_000


def get_auction(auction_id: str) -> rules.State:
    """Raises errors.NotFound, errors.Unavailable."""
    state = runtime.look(auction_id)
    if state.status is rules.Status.NEW:  # it has a document, but no entry
        raise errors.NotFound("There is no such auction.")
    return state


def get_presented(auction_id: str) -> dict[str, Any]:
    """The body of one auction as it is now. Raises errors.NotFound, errors.Unavailable."""
    return present([get_auction(auction_id)])[0]


def list_auctions(query: auctions.Query) -> dict[str, Any]:
    """One page: `items`, and in `total` how many match in all. Raises errors.Unavailable."""
    key = f"auctions:{hashlib.sha256(msgspec.json.encode(query)).hexdigest()}"
    cached = cache.get(key)
    if cached is not None:
        return dict(cached)
    documents, total = runtime.call(runtime.current().store.auctions.search(query))
    on_sale = [document.product_id for document in documents if document.allocate == "on_sale"]
    stock = runtime.call(runtime.current().stock.of_all(on_sale)) if on_sale else {}
    items = [presentation.summary(document, stock.get(document.product_id)) for document in documents]
    page = {"items": items, "total": total}
    cache.set(key, page, CACHE_SECONDS)
    return page


def present(states: list[rules.State]) -> list[dict[str, Any]]:
    """The bodies of these auctions, with the units that inventory says are left. Raises errors.Unavailable."""
    on_sale = [s.known_terms.product_id for s in states if s.known_terms.allocate == "on_sale"]
    stock = runtime.call(runtime.current().stock.of_all(on_sale)) if on_sale else {}
    return [presentation.auction(state, stock.get(state.known_terms.product_id)) for state in states]


def list_history(auction_id: str, *, after: int, limit: int) -> list[log.Entry]:
    """Entries after seq `after`, in order. Raises errors.NotFound, errors.Unavailable."""
    get_auction(auction_id)
    return runtime.call(runtime.current().store.bids.read_from(auction_id, after, min(limit, MAX_HISTORY)))


def get_outcome(auction_id: str, *, actor: str, key: str) -> log.Entry | None:
    """The entry that `actor` made under `key`; None where there is none. Raises errors.Unavailable, also while the command is
    undecided."""
    return runtime.call(_outcome(commands.idempotency(auction_id, actor, key)))


async def _outcome(idempotency: str) -> log.Entry | None:
    """A command is undecided before its entry is stored. So what is undecided neither before nor after the look into the store
    is final: the entry is there, or there is none."""
    committer, store = runtime.current().committer, runtime.current().store
    if not committer.is_undecided(idempotency):
        entry = (await store.bids.find([idempotency])).get(idempotency)
        if entry is not None or not committer.is_undecided(idempotency):
            return entry
    raise errors.Unavailable("This bid is still being decided. Send it again under the same key.")


def list_own(user_id: str, *, skip: int, limit: int) -> tuple[list[rules.State], int]:
    """A page of up to MAX_OWN_AUCTIONS auctions that `user_id` acted in lately, the latest first, and how many there are in all.
    Raises errors.Unavailable."""
    ids = runtime.call(runtime.current().store.bids.auctions_of_actor(user_id, _OWN_ENTRIES))
    states = runtime.call(_look_at_all(ids[skip : skip + min(limit, MAX_OWN_AUCTIONS)]))
    own = [state for state in states if isinstance(state, rules.State) and user_id in state.bidders]
    return own, len(ids)


async def _look_at_all(auction_ids: list[str]) -> list[rounds.Outcome]:
    committer = runtime.current().committer
    return await asyncio.gather(*(committer.look(auction_id) for auction_id in auction_ids))
