"""The spans of notices and frames: a notice names its own, a frame that of its entry, and no client sees either."""

import asyncio
from typing import Any

import pytest

from auction_project.kernel import tracing
from auction_project.kernel.tests import spans
from notifications import auction_frames, handlers, kinds, models, redis_clients, services
from notifications.push import bridge, hub
from notifications.tests import conftest, streams

pytestmark = pytest.mark.django_db(databases=["notifications"], transaction=True)

CAUSE = "b7ad6b7169203331"
TRACE = "c" * 32


def notify(user_id: str, *, span_id: str = CAUSE) -> None:
    request = conftest.request(user_id, kind=kinds.of("LOST"))
    services.notify([_caused(request, span_id)], now=conftest.NOW)


def _caused(request: models.Request, span_id: str) -> models.Request:
    return models.Request(**{name: getattr(request, name) for name in _FIELDS}, span_id=span_id)


_FIELDS = [name for name in models.Request.__struct_fields__ if name != "span_id"]


def test_a_notice_is_a_span_below_its_cause_and_its_row_names_it(user_id: str) -> None:
    with spans.recorded(ratio=0) as recorded:
        notify(user_id)
        notify(user_id, span_id="")

    (notice,) = recorded.all
    assert (notice.name, notice.parent, notice.trace_id) == ("notice lost", CAUSE, TRACE)
    assert notice.span_id == tracing.span_id("notice", user_id, 1)
    rows = models.Notification.objects.order_by("seq").values_list("traceparent", flat=True)
    assert list(rows) == [f"00-{TRACE}-{notice.span_id}-01", ""]


async def test_a_hub_pushes_a_notice_in_one_span_however_many_streams_follow_or_resume(
    running_hub: hub.Hub, user_id: str
) -> None:
    async with streams.websocket(user_id) as first, streams.websocket(user_id) as second:
        for client in (first, second):
            await client.say(type="resume", cursor=None)
            await client.hear_until("resumed")
        with spans.recorded() as recorded:
            await bridge.call(notify, user_id)
            frames = [await first.hear(), await second.hear()]
            async with streams.websocket(user_id) as third:
                epoch = frames[0]["cursor"].partition(":")[0]
                await third.say(type="resume", cursor=f"{epoch}:0")
                frames += [await third.hear()]

        push = recorded.named("push lost")
        assert (push.parent, push.attributes) == (
            recorded.named("notice lost").span_id,
            {"gavel.subscribers": 2},
        )
        assert [frame["cursor"] for frame in frames] == [f"{epoch}:1"] * 3
        assert "traceparent" not in frames[0]


async def test_a_frame_is_pushed_in_a_span_of_its_entry_and_clients_get_it_as_ever(
    running_hub: hub.Hub, auction_id: str
) -> None:
    traced = "00-" + TRACE + "-" + tracing.span_id("entry", auction_id, 2) + "-01"
    async with streams.websocket() as client:
        await client.say(type="watch", auction_id=auction_id, after=0)
        await client.hear_until("watching")
        with spans.recorded() as recorded:
            for seq, traceparent in ((1, ""), (2, traced)):
                record = (conftest.bid(auction_id, seq), traceparent)
                await bridge.call(services.publish_records, [record])
            heard = [await client.hear(), await client.hear()]
            await asyncio.sleep(0)

        push = recorded.named("push frame")
        assert (push.trace_id, push.parent) == (TRACE, tracing.span_id("entry", auction_id, 2))
        assert [(message["seq"], message["data"]["price"]) for message in heard] == [
            (1, "10.01"),
            (2, "10.02"),
        ]

    kept = await bridge.call(redis_clients.blocking().lrange, redis_clients.frames_key(auction_id), 0, -1)
    read = [auction_frames.parse(auction_id, element) for element in kept]
    assert [(frame.seq, frame.traceparent, frame.text[0]) for frame in read] == [
        (1, "", "{"),
        (2, traced, "{"),
    ]


def test_the_consumer_and_the_hint_name_the_same_span(
    auction_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[Any] = []
    monkeypatch.setattr(services, "publish_records", published.extend)
    record = conftest.bid(auction_id, 2)
    received = handlers.consuming.Received(conftest.envelope_of(record), record, span_id=CAUSE)

    handlers.on_log_records([received, handlers.consuming.Received(received.envelope, record)])

    traced = f"00-{TRACE}-{tracing.span_id('entry', auction_id, 2)}-01"
    assert published == [(record, traced), (record, "")]
