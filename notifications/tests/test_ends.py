"""Streams end with the session and the account that opened them, at once and on every process."""

from datetime import timedelta
from typing import Any

import django.db
import pytest

from auction_project.kernel.contracts import events
from notifications import models, redis_clients, selectors, services, wakeup
from notifications.push import bridge, hub, tickets
from notifications.tests import conftest, streams

pytestmark = pytest.mark.django_db(databases=["notifications"], transaction=True)


async def settled(running: hub.Hub, user_id: str) -> None:
    """Wait until the hub is subscribed to the user's channel and has ended its own first reads."""
    users = running.users
    channel = redis_clients.user_channel(user_id)
    await streams.until(lambda: channel in running._subscription._open)
    await streams.until(lambda: not users._ends_due._keys and not bridge._running)


async def a_look(running: hub.Hub) -> None:
    """Wait until the hub has looked at all users from now on."""
    await running.users.look()


async def end_session(user_id: str, session_id: str) -> None:
    await bridge.call(services.end_session, user_id=user_id, session_id=session_id, now=conftest.NOW)


async def close_account(user_id: str, *, closed: bool = True, version: int = 1) -> None:
    account = events.AccountChanged(
        user_id=user_id, version=version, email="", email_verified=True, created_at=0, roles=(), closed=closed
    )
    await bridge.call(services.follow_account, account=account)


async def test_an_ended_session_ends_its_streams_and_no_others(lookless_hub: hub.Hub, user_id: str) -> None:
    async with (
        streams.websocket(user_id, session="gone") as gone,
        streams.websocket(user_id, session="kept") as kept,
        streams.websocket(user_id) as without,
    ):
        await gone.say(type="resume")
        await gone.hear_until("resumed")
        await settled(lookless_hub, user_id)

        await end_session(user_id, "gone")

        assert await gone.closed() == 4410
        for client in (kept, without):
            await client.say(type="ping")
            assert await client.hear() == {"type": "pong"}


async def test_a_stream_that_follows_no_feed_ends_with_its_session(
    lookless_hub: hub.Hub, user_id: str, auction_id: str
) -> None:
    async with streams.websocket(user_id, session="gone") as client:
        await client.say(type="watch", auction_id=auction_id)
        await client.hear_until("watching")
        await settled(lookless_hub, user_id)

        await end_session(user_id, "gone")

        assert await client.closed() == 4410


async def test_a_barred_account_ends_its_streams_also_those_that_follow_no_feed(
    lookless_hub: hub.Hub, user_id: str
) -> None:
    async with streams.websocket(user_id) as one, streams.websocket(conftest.new_id()) as stranger:
        await settled(lookless_hub, user_id)

        await close_account(user_id)

        assert await one.closed() == 4411
        await stranger.say(type="ping")
        assert await stranger.hear() == {"type": "pong"}


async def test_a_look_makes_up_for_a_lost_wakeup(running_hub: hub.Hub, user_id: str, no_wakeup: None) -> None:
    other = conftest.new_id()
    async with streams.websocket(user_id, session="gone") as one, streams.websocket(other) as two:
        await end_session(user_id, "gone")
        await close_account(other)

        assert (await one.closed(), await two.closed()) == (4410, 4411)


async def test_a_ticket_of_an_ended_session_opens_nothing_that_stays(
    lookless_hub: hub.Hub, user_id: str
) -> None:
    await end_session(user_id, "gone")

    async with streams.websocket(user_id, session="kept"):
        await settled(lookless_hub, user_id)
        async with streams.websocket(user_id, session="gone") as client:
            assert await client.closed() == 4410


async def test_a_token_of_an_ended_session_opens_no_events_that_stay(
    running_hub: hub.Hub, user_id: str
) -> None:
    await end_session(user_id, "gone")
    headers = {"Authorization": f"Bearer {conftest.token(user_id, session='gone')}"}

    async with streams.server_sent_events(headers=headers) as stream:
        body: dict[str, Any] = {}
        while body.get("type") != "closing":
            body = (await stream.hear())[1]
        await stream.ended()

    assert body["code"] == 4410


async def test_a_ticket_remembers_the_session_of_its_token(user_id: str, client_of: Any) -> None:
    answers = [
        await bridge.call(client_of(user_id, session=session).post, "/api/v1/notifications/ticket")
        for session in ("s1", "")
    ]
    await hub.start()
    try:
        held = [
            await tickets.redeem(hub.current().redis_client, answer.json()["ticket"]) for answer in answers
        ]
    finally:
        await hub.stop()

    assert held == [tickets.Holder(user_id, "s1"), tickets.Holder(user_id, "")]


async def test_a_reinstated_account_may_come_again(running_hub: hub.Hub, user_id: str) -> None:
    await close_account(user_id)
    await close_account(user_id, closed=False, version=2)

    async with streams.websocket(user_id) as client:
        await client.say(type="resume")
        await client.hear_until("resumed")
        await a_look(running_hub)
        await client.say(type="ping")
        assert await client.hear() == {"type": "pong"}


async def test_without_postgresql_a_stream_goes_on_and_ends_when_it_is_back(
    running_hub: hub.Hub, user_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(_users: Any) -> Any:
        raise django.db.OperationalError("the database is unavailable")

    with monkeypatch.context() as outage:
        outage.setattr(selectors, "list_ends", unavailable)
        async with streams.websocket(user_id, session="gone") as client:
            await end_session(user_id, "gone")
            nothing = await client.hears_nothing()
            outage.undo()

            assert await client.closed() == 4410
    assert nothing


def test_a_session_ends_once_and_is_forgotten_after_a_day(user_id: str) -> None:
    for _ in range(2):
        services.end_session(user_id=user_id, session_id="one", now=conftest.NOW)
    assert models.EndedSession.objects.count() == 1

    later = conftest.NOW + services.ENDED_SESSION_KEPT + timedelta(seconds=1)
    services.end_session(user_id=user_id, session_id="two", now=later)

    assert selectors.list_ends([user_id]) == {user_id: selectors.Ends(False, frozenset({"two"}))}


def test_a_user_without_an_end_is_not_named(user_id: str) -> None:
    other = conftest.new_id()
    services.end_session(user_id=other, session_id="x", now=conftest.NOW)

    assert selectors.list_ends([user_id]) == {}


def test_a_wakeup_says_which_of_the_two_it_is(user_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(
        wakeup, "notify", lambda users, reason=wakeup.NEWS: sent.append((list(users), reason))
    )

    conftest.notify(user_id)
    services.end_session(user_id=user_id, session_id="one", now=conftest.NOW)

    assert sent == [([user_id], wakeup.NEWS), ([user_id], wakeup.ENDED)]
