"""The stream tells pages of the owner's desk of changes: those that show a pass, not too often, and with the truth about itself."""

import time

import pytest
from django.core import signing

from auction_project.kernel import desk_news
from notifications.push import bridge, hub, watched_desk
from notifications.tests import streams

pytestmark = pytest.mark.django_db(databases=["notifications"], transaction=True)

LIVE, SILENT = {"type": "desk", "live": True}, {"type": "desk", "live": False}


async def ring(times: int = 1) -> None:
    for _ in range(times):
        await bridge.call(desk_news.ring)


async def watch(client: streams.Client) -> None:
    await client.say(type="watch_desk", desk_pass=desk_news.new_pass())
    assert await client.hear() == LIVE


async def test_a_ring_reaches_each_page_that_watches(running_hub: hub.Hub) -> None:
    async with streams.websocket() as one, streams.websocket() as two, streams.websocket() as other:
        await watch(one)
        await watch(two)

        await ring()

        assert (await one.hear(), await two.hear()) == (LIVE, LIVE)
        assert await other.hears_nothing()


def old_pass() -> str:
    signer = signing.TimestampSigner(salt="gavel.desk")
    signer.timestamp = lambda: signing.b62_encode(int(time.time()) - desk_news.PASS_SECONDS - 2)  # type: ignore[method-assign]
    return signer.sign("desk")


@pytest.mark.parametrize("shown", ["", "desk", "other salt", "too old"])
async def test_a_bidder_without_a_pass_of_the_page_is_refused_and_hears_nothing(
    running_hub: hub.Hub, user_id: str, shown: str
) -> None:
    forged = {"other salt": signing.TimestampSigner().sign("desk"), "too old": old_pass()}.get(shown, shown)
    async with streams.websocket() as operator, streams.websocket(user_id) as bidder:
        await watch(operator)
        await bidder.say(type="watch_desk", desk_pass=forged)
        refusal = await bidder.hear()

        await ring()

        assert (refusal["type"], refusal["code"], refusal["field"]) == (
            "error",
            "desk_forbidden",
            "desk_pass",
        )
        assert await operator.hear() == LIVE
        assert await bidder.hears_nothing()


async def test_rings_that_come_together_are_told_once(lookless_hub: hub.Hub) -> None:
    async with streams.websocket() as client:
        await watch(client)

        await ring(20)
        told = 0
        while not await client.hears_nothing(2 * watched_desk.PAUSE_SECONDS):
            assert await client.hear() == LIVE
            told += 1

        assert 1 <= told <= 2  # at once, and for those that came meanwhile


async def test_a_watcher_that_shows_no_newer_pass_in_time_hears_that_it_is_told_no_more(
    running_hub: hub.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of the hub runs ten times as fast as that of the passes."""
    async with streams.websocket() as lazy, streams.websocket() as eager:
        monkeypatch.setattr(desk_news, "PASS_SECONDS", 2)
        await watch(lazy)
        await watch(eager)
        monkeypatch.undo()
        await eager.say(type="watch_desk", desk_pass=desk_news.new_pass())
        assert await eager.hears_nothing(0.3)

        await ring()
        assert (await lazy.hear(), await eager.hear()) == (SILENT, LIVE)
        await ring()
        assert await eager.hear() == LIVE
        assert await lazy.hears_nothing()


async def test_a_page_that_has_gone_leaves_no_subscription(running_hub: hub.Hub) -> None:
    async with streams.websocket() as client:
        await watch(client)

    await streams.until(lambda: desk_news.CHANNEL not in running_hub._subscription._open)
    assert running_hub.desk._until == {}
