"""Reads auctions. The state of one auction comes from the committer, so that it is current; lists come from the catalogue,
and never from the bid store while Redis answers.
"""

import asyncio
import contextlib
import threading
from typing import Any

from auction_project.kernel import errors, suggestions, words
from bidding import presentation, rules, runtime
from bidding.catalogue import catalogue
from bidding.rules import commands, log
from bidding.store import auctions
from bidding.writer import rounds

STORE_WAIT_SECONDS = 1.0
MAX_HISTORY = 500
MAX_OWN_AUCTIONS = 50
SUGGESTION_WAIT_SECONDS = 0.1  # for its turn among the searches; a list may wait longer
ENDING_SOON_MS = 24 * 3600 * 1000
_OWN_ENTRIES = 5_000
_store_lists = threading.BoundedSemaphore(1)  # lists that ask the bid store at once


def get_auction(auction_id: str) -> rules.State:
    """Raises errors.NotFound, errors.Unavailable."""
    state = runtime.look(auction_id)
    if state.status is rules.Status.NEW:  # it has a document, but no entry
        raise errors.NotFound("There is no such auction.")
    return state


def get_presented(auction_id: str) -> dict[str, Any]:
    """The body of one auction as it is now. Raises errors.NotFound, errors.Unavailable."""
    return present([get_auction(auction_id)])[0]


def list_auctions(query: auctions.Query) -> catalogue.Page:
    """One page of what matches. Raises errors.Unavailable."""
    try:
        return runtime.call(runtime.current().catalogue.find(query))
    except catalogue.TooManySearches:
        raise
    except errors.Unavailable:
        if query.after is not None:
            raise
        return _list_from_store(query)


def count_auctions(query: auctions.Query, *, now: int) -> catalogue.Facets | None:
    """The counts beside a list; None while Redis is unavailable. Raises TooManySearches."""
    soon = (now, now + ENDING_SOON_MS)
    counting = runtime.current().catalogue.count(query, formats=list(rules.formats.FORMATS), soon=soon)
    try:
        return runtime.call(counting)
    except catalogue.TooManySearches:
        raise
    except errors.Unavailable:
        return None


def suggest(text: str) -> list[str]:
    """What completes a search of the open lots. The lots that end next are looked at, in the order of the list, which shares what is
    found with it. In an outage of Redis the bid store is not asked. Raises errors.Unavailable."""
    typed = suggestions.read(text)
    if typed is None:
        return []
    query = auctions.Query(
        status=rules.Status.OPEN.value,
        search=_search_for(typed),
        order="ends_at",
        limit=suggestions.MAX_TITLES,
    )
    found = runtime.call(runtime.current().catalogue.find(query, wait_seconds=SUGGESTION_WAIT_SECONDS))
    return suggestions.complete(typed, [item["title"] for item in found.items])


def _search_for(typed: suggestions.Typed) -> str:
    """What finds the lots with all that is typed. A last word that is too short to be searched for as a beginning is left out."""
    if len(typed.last.encode()) >= words.MIN_PREFIX_BYTES or not typed.before:
        return " ".join([*typed.before, typed.last])
    *others, whole = typed.before
    return " ".join([*others, f'"{whole}"'])  # in quotes it is no beginning


def _list_from_store(query: auctions.Query) -> catalogue.Page:
    """The page while Redis is unavailable. One list at a time asks the bid store, so that lists leave it to the bids."""
    if not _store_lists.acquire(timeout=STORE_WAIT_SECONDS):
        raise errors.Unavailable("Too many lists wait while Redis is unavailable.")
    try:
        documents, total = runtime.call(runtime.current().store.auctions.search(query))
        on_sale = [document.product_id for document in documents if document.allocate == "on_sale"]
        stock = runtime.call(runtime.current().stock.of_all(on_sale)) if on_sale else {}
    finally:
        _store_lists.release()
    items = [
        presentation.summary(d, stock.get(d.product_id) if d.allocate == "on_sale" else None)
        for d in documents
    ]
    return catalogue.Page(items, total)


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
    ids, total = runtime.call(_find_own(user_id, skip=skip, limit=min(limit, MAX_OWN_AUCTIONS)))
    states = runtime.call(_look_at_all(ids))
    own = [state for state in states if isinstance(state, rules.State) and user_id in state.bidders]
    return own, total


async def _find_own(user_id: str, *, skip: int, limit: int) -> tuple[list[str], int]:
    """The ids of a page, and how many there are in all. The bid store is read at the first look, and in an outage of
    Redis."""
    lists = runtime.current().catalogue
    try:
        page = await lists.find_own(user_id, skip=skip, limit=limit)
    except errors.Unavailable:
        page = catalogue.OwnPage()
    if page.ids is not None:
        return page.ids, page.total
    last_acts = await runtime.current().store.bids.last_acts_of(user_id, _OWN_ENTRIES)
    if page.epoch:
        with contextlib.suppress(errors.Unavailable):
            await lists.fill_own(page.epoch, user_id, last_acts)
    ids = sorted(last_acts, key=lambda auction_id: -last_acts[auction_id])
    return ids[skip : skip + limit], len(ids)


async def _look_at_all(auction_ids: list[str]) -> list[rounds.Outcome]:
    committer = runtime.current().committer
    return await asyncio.gather(*(committer.look(auction_id) for auction_id in auction_ids))
