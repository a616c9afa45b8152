"""How long a live frame took is counted once, by its feed; what a client catches up on is not."""

import prometheus_client
import pytest

from auction_project.kernel import instants
from notifications import auction_frames, frames
from notifications.push import hub
from notifications.tests import conftest, streams

pytestmark = pytest.mark.django_db(databases=["notifications"], transaction=True)


def counted(feed: str) -> tuple[float, float]:
    """How many frames, and their seconds together."""
    found = [
        prometheus_client.REGISTRY.get_sample_value(f"gavel_push_frame_seconds_{part}", {"feed": feed})
        for part in ("count", "sum")
    ]
    return found[0] or 0.0, found[1] or 0.0


async def test_a_bid_counts_from_its_arrival_once_for_all_watchers(
    running_hub: hub.Hub, auction_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived_at = conftest.bid(auction_id, 2).at
    await streams.publish(auction_id, 1)
    async with streams.websocket() as one, streams.websocket() as two:
        for client in (one, two):
            await client.say(type="watch", auction_id=auction_id, after=0)
            assert streams.seqs(await client.hear_until("watching")) == [1]
        number, seconds = counted("auction")
        monkeypatch.setattr(instants, "now", lambda: arrived_at + 80)

        await streams.publish(auction_id, 2)
        assert [streams.seqs([await client.hear()]) for client in (one, two)] == [[2], [2]]
        await streams.until(lambda: counted("auction")[0] == number + 1)

    assert counted("auction") == (number + 1, pytest.approx(seconds + 0.08, abs=1e-6))


async def test_a_notification_counts_when_it_is_new_and_not_when_a_client_resumes(
    running_hub: hub.Hub, user_id: str
) -> None:
    async with streams.websocket(user_id) as client:
        await client.say(type="resume", cursor=None)
        (resumed,) = await client.hear_until("resumed")
        number, _ = counted("user")
        await streams.notify(user_id)
        await client.hear()
        await streams.until(lambda: counted("user")[0] == number + 1)
        async with streams.websocket(user_id) as late:
            await late.say(type="resume", cursor=resumed["cursor"])
            assert streams.seqs(await late.hear_until("resumed")) == [1]

    assert counted("user")[0] == number + 1


@pytest.mark.parametrize(
    "element",
    [
        b"",
        b"7",
        b"7 no json",
        b'7 {"event": "BidPlaced"}',
        b'7 {"event": "AuctionClosed", "data": {"at": 5}}',
    ],
)
def test_what_is_no_bid_of_this_release_has_no_arrival(element: bytes) -> None:
    assert auction_frames.arrival(element) is None


def test_the_arrival_is_read_from_the_frame_of_a_bid() -> None:
    bid = conftest.bid("a" * 32, 7)

    assert auction_frames.arrival(f"7 {frames.auction_text(bid)}".encode()) == bid.at
