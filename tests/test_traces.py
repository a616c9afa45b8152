"""One sale is one trace: from the request over entry, events, saga, provider, order and notices to the frames and mails."""

import contextlib
import uuid
from collections.abc import Iterable

import pytest

from auction_project.kernel import tracing
from auction_project.kernel.tests import spans
from tests import listening
from tests.house import House

pytestmark = pytest.mark.everywhere

CALLER = "b7ad6b7169203331"

Node = tuple[str, list["Node"]]  # a name, and what it caused, by name


def tree(trace: Iterable[spans.Span], root: str) -> list[Node]:
    """What hangs below the span `root`."""
    children = [span for span in trace if span.parent == root]
    return sorted((span.name, tree(trace, span.span_id)) for span in children)


def event(name: str, handlers: dict[str, list[Node]], *, relayed: bool = True) -> Node:
    """An event, and what the groups that handle it cause. The bid log is its own outbox, and has no relay beside it."""
    handled = [(f"handle {name} ({group})", caused) for group, caused in handlers.items()]
    return (f"event {name}", sorted(handled + [(f"relay {name}", [])] * relayed))


def notice(kind: str, *, mailed: bool = True) -> list[Node]:
    return [(f"notice {kind}", [(f"mail {kind}", [])] * mailed + [(f"push {kind}", [])])]


def whole(node: Node) -> int:
    """How many spans there are in the tree below and with `node`."""
    return 1 + sum(map(whole, node[1]))


def step(call: str, *caused: Node) -> Node:
    return (f"step {call}", sorted(caused))


SETTLED = (
    "entry settled",
    [event("LotSettled", {"auction-frames": []}, relayed=False), ("push frame", [])],
)
STOCK_CHANGED = event("StockChanged", {"bidding": [], "desk": []})
SAGA = (
    "saga SETTLE_SALE",
    sorted(
        [
            step("reserve_stock", STOCK_CHANGED),
            step("assess_risk"),
            step("capture_payment", ("provider capture", []), event("PaymentCaptured", {})),
            step("place_order", ("order placed", [])),
            step("commit_stock", STOCK_CHANGED),
            step(
                "confirm_order",
                event("OrderConfirmed", {"desk": [], "notifications": notice("order_confirmed")}),
            ),
            event("SaleSettled", {"bidding": [SETTLED]}),
        ]
    ),
)
SALE = (
    "POST /api/v1/auctions/{id}/bids",
    [
        (
            "entry bid",
            [
                event("BidPlaced", {"auction-frames": []}, relayed=False),
                event("SaleConfirmed", {"desk": [], "sagas": [SAGA]}, relayed=False),
                event("Won", {"notifications": notice("won", mailed=False)}, relayed=False),
                ("push frame", []),
            ],
        )
    ],
)


def test_a_sale_is_one_trace_from_the_request_to_the_frame(
    house: House, collector: spans.Receiver, request: pytest.FixtureRequest
) -> None:
    trace_id = uuid.uuid4().hex
    buyer, other = house.new_accounts(2)
    listing = house.new_auction(
        house.new_product(stock=3), format="buy_now", quantity=2, start_price="5.00", allocate="on_listing"
    )
    socket = listening.WebSocketClient(house, buyer, listing)
    request.addfinalizer(socket.close)

    answer = buyer.buy(listing, traceparent=f"00-{trace_id}-{CALLER}-00")
    sale_id = answer.json()["sale_id"]
    other.bid(listing, "1.00")  # refused, so it is no sale
    house.wait_until(lambda: socket.messages.of(type="notification", kind="order_confirmed"), "the frame")
    with contextlib.suppress(AssertionError):  # the next line says what is missing
        house.wait_until(lambda: len(collector.trace(trace_id)) >= whole(SALE), "the spans", seconds=20)
    assert tree(collector.trace(trace_id), CALLER) == [SALE]

    (saga,) = [span for span in collector.trace(trace_id) if span.name == "saga SETTLE_SALE"]
    (bid,) = [span for span in collector.trace(trace_id) if span.parent == CALLER]
    assert saga.attributes["gavel.saga_id"] == sale_id
    assert saga.span_id == tracing.span_id("saga", sale_id)
    assert (bid.kind, bid.attributes["http.response.status_code"]) == ("server", 201)
    assert {span.service for span in collector.trace(trace_id)} == {
        "gavel-web", "gavel-relay", "gavel-consume", "gavel-worker", "gavel-mail",
    }  # fmt: skip
    assert len({span.span_id for span in collector.trace(trace_id)}) == len(collector.trace(trace_id))
