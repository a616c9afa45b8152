"""The spans of bids: by the ratio, always for a sale, and never with what a bid hides."""

import pytest

from auction_project.kernel import tracing
from auction_project.kernel.tests import spans
from bidding import runtime, traces
from bidding.tests import web
from bidding.tests.lots import ANN
from bidding.tests.running import open_auction

BID = {"amount": "45.50", "currency": "EUR"}
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
POST = "POST /api/v1/auctions/{id}/bids"


@pytest.fixture
def auction(bid_log):
    return open_auction("1" * 32)


@pytest.fixture
def listing(bid_log):
    return open_auction("2" * 32, format="buy_now", quantity=2)


def test_a_bid_is_a_span_of_its_callers_trace_and_its_entry_hangs_below(auction):
    with spans.recorded() as recorded:
        answer = web.bid(auction, BID, traceparent=f"00-{TRACE}-{CALLER}-00", **web.bearer(ANN))

    request, entry = recorded.named(POST), recorded.named("entry bid")
    assert answer.status_code == 201
    assert (request.trace_id, request.parent, request.kind) == (TRACE, CALLER, "server")
    assert request.attributes["http.response.status_code"] == 201
    assert (entry.trace_id, entry.parent) == (TRACE, request.span_id)
    assert entry.span_id == tracing.span_id("entry", auction, 4)
    assert request.start <= entry.start <= entry.end <= request.end
    assert recorded.names == ["entry bid", POST]


def test_a_correlation_id_goes_before_a_trace_and_the_trace_of_another_one_is_no_parent(auction):
    with spans.recorded() as recorded:
        sent = {"traceparent": f"00-{TRACE}-{CALLER}-01", "x_correlation_id": "checkout-7"}
        web.bid(auction, BID, **sent, **web.bearer(ANN))

    request = recorded.named(POST)
    assert (request.trace_id, request.parent) == (tracing.trace_id("checkout-7"), "")


def test_no_span_holds_a_maximum_or_names_the_bidder(auction):
    with spans.recorded() as recorded:
        web.bid(auction, BID, **web.bearer(ANN))

    shown = repr(recorded.all)
    assert len(recorded.all) == 2
    assert [secret for secret in ("4550", "45.50", ANN) if secret in shown] == []


def test_a_refused_bid_is_a_span_and_one_without_a_token_is_none(auction):
    with spans.recorded() as recorded:
        refused = web.bid(auction, {"amount": "1.00", "currency": "EUR"}, **web.bearer(ANN))
        web.bid(auction, BID)

    assert refused.status_code == 409
    assert recorded.names == [POST]
    assert (recorded.all[0].attributes["http.response.status_code"], recorded.all[0].error) == (409, "")


def test_at_a_ratio_of_nothing_a_sale_is_kept_and_a_bid_is_not(auction, listing):
    with spans.recorded(ratio=0) as recorded:
        web.bid(auction, BID, **web.bearer(ANN))
        assert recorded.all == []
        bought = web.bid(listing, {"quantity": 1}, **web.bearer(ANN))

    assert bought.json()["sale_id"] == f"{listing}-4"
    assert recorded.names == ["entry bid", POST]


def test_the_relay_and_the_push_name_the_span_that_the_writer_recorded(listing):
    with spans.recorded(ratio=0) as recorded:
        web.bid(listing, {"quantity": 1}, **web.bearer(ANN))
        entries = runtime.call(runtime.current().store.bids.read([(listing, 3), (listing, 4)]))
        opened, sale = entries[listing, 3], entries[listing, 4]

        assert (traces.of_entry(opened), traces.traceparent(opened)) == (None, "")
        span = tracing.parse(traces.traceparent(sale))
        event = traces.of_event(sale, f"{listing}:4:SaleConfirmed")
    entry = recorded.named("entry bid")
    assert span == (entry.trace_id, entry.span_id, True)
    assert event == (entry.trace_id, tracing.span_id("event", f"{listing}:4:SaleConfirmed"), True)


def test_nothing_is_recorded_while_traces_are_off(auction, monkeypatch):
    asked = []
    monkeypatch.setattr(tracing, "trace_id", asked.append)

    assert web.bid(auction, BID, **web.bearer(ANN)).status_code == 201
    assert asked == []
