"""What the tests of the notifications share: users, events, and a hub on a real Redis and PostgreSQL."""

import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from rest_framework.test import APIClient

from auction_project.kernel import contracts, tokens
from auction_project.kernel.contracts import events
from notifications import auction_frames, frames, kinds, models, redis_clients, services, wakeup
from notifications.mail import dispatcher
from notifications.push import hub
from notifications.tests import clocks

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def new_id() -> str:
    return uuid.uuid4().hex


def token(user_id: str, *, roles: tuple[str, ...] = ("bidder",), session: str = "") -> str:
    """An access token, signed as accounts signs them."""
    changed = {"session": session} if session else {}
    return tokens.sign(sub=user_id, roles=roles, created_at=0, now=time.time(), seconds=300, changed=changed)


@pytest.fixture
def client_of() -> Callable[..., APIClient]:
    """A REST client that is signed in as the user."""

    def make(user_id: str, *, session: str = "") -> APIClient:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token(user_id, session=session)}")
        return client

    return make


def envelope_of(event: events.Event, *, event_id: str | None = None, version: int = 0) -> contracts.Envelope:
    """The envelope of `event` after a journey through the transport."""
    return contracts.decode(encoded(event, event_id or new_id(), version=version))[0]


def encoded(event: events.Event, event_id: str, *, version: int = 0) -> bytes:
    return contracts.encode(
        event, event_id=event_id, source="tests", time=NOW, version=version, correlation_id="c" * 32
    )


def notify(
    user_id: str,
    *,
    source: str | None = None,
    kind: str = "LOST",
    n: int = 1,
    now: datetime = NOW,
) -> None:
    """Write `n` notifications to the user's feed, as a group."""
    services.notify([request(user_id, source=source, kind=kinds.of(kind)) for _ in range(n)], now=now)


def request(
    user_id: str | None,
    *,
    source: str | None = None,
    kind: kinds.Kind,
    data: dict[str, Any] | None = None,
) -> models.Request:
    figures = {"auction_id": "a" * 32, "title": "Lamp", "price": 1250, "currency": "EUR"}
    return models.Request(
        user_id=user_id,
        kind=kind,
        source=source or new_id(),
        data=figures if data is None else data,
        at=1_700_000_000_000,
        correlation_id="c" * 32,
    )


def bid(auction_id: str, seq: int) -> events.BidPlaced:
    return events.BidPlaced(
        auction_id=auction_id,
        seq=seq,
        at=1_700_000_000_000 + seq,
        hash="00",
        bidder="Bidder 1",
        price=1000 + seq,
        currency="EUR",
        minimum=1050 + seq,
        leader="Bidder 1",
        bids=seq,
        ends_at=1_700_000_100_000,
        reserve_met=True,
        quantity_left=1,
    )


def publish(auction_id: str, *seqs: int) -> None:
    for seq in seqs:
        services.publish_records([(bid(auction_id, seq), "")])


def lose_frames(auction_id: str) -> None:
    """Lose the frames of one auction, as an emptied Redis does."""
    redis_clients.blocking().delete(redis_clients.frames_key(auction_id))
    redis_clients.blocking().script_flush()


def store_silently(auction_id: str, *seqs: int) -> None:
    """Keep frames without publishing them."""
    key = redis_clients.frames_key(auction_id)
    for seq in seqs:
        text = frames.auction_text(bid(auction_id, seq))
        redis_clients.blocking().rpush(key, f"{seq} {text}")
    redis_clients.blocking().expire(key, auction_frames.IDLE_SECONDS)


@pytest.fixture(autouse=True)
def no_dispatch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dispatch no task, unless a test says otherwise, so that no test leaves tasks behind."""
    monkeypatch.setattr(dispatcher, "send", lambda _correlation_ids: None)


@pytest.fixture
def no_wakeup(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every wake-up is lost."""
    monkeypatch.setattr(wakeup, "notify", lambda _user_ids: None)


@pytest.fixture
def auction_id(transactional_db: None) -> Iterator[str]:
    """A fresh auction that exists; its frames go with the test."""
    fresh = new_id()
    services.record_auction(auction_id=fresh)
    yield fresh
    redis_clients.blocking().delete(redis_clients.frames_key(fresh))


@pytest.fixture
def user_id() -> str:
    return new_id()


@pytest_asyncio.fixture
async def running_hub() -> AsyncIterator[hub.Hub]:
    """The hub of this process, as the web role starts it; looks come ten times as often."""
    await hub.start(clocks.FastClock(10))
    yield hub.current()
    await hub.stop()


@pytest_asyncio.fixture
async def lookless_hub() -> AsyncIterator[hub.Hub]:
    """A hub that never looks: wake-ups and publications must bring what they announce."""
    await hub.start(clocks.LooklessClock())
    yield hub.current()
    await hub.stop()
