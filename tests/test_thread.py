"""The whole thread: a bid becomes a sale, a saga, an order and a notification, or is undone completely and goes on.

Every process is real. The tests use the API, and read the stores only for what it does not show.
"""

import functools
import uuid
from typing import Any

import pytest

from tests import listening
from tests.house import ACCEPTS, House, Person

pytestmark = pytest.mark.everywhere

DECLINES = "4000000000000002"
SILENT_BUT_CAPTURED = "4000000000004103"
SILENT_AND_NOTHING = "4000000000004202"
SECONDS_TO_BID = 8.0
SECONDS_TO_COUNT = 2.0  # of a new card


@pytest.fixture(scope="module")
def bidders(house: House) -> list[Person]:
    """Bidders whose cards are accepted."""
    return house.new_accounts(6)


@pytest.fixture
def decliner(house: House) -> Person:
    """A bidder with a card that the bank declines, after which bidding refuses it."""
    return house.new_account("bidder", card=DECLINES)


def stock_of(house: House, product_id: str) -> dict[str, int]:
    product = house.operator.get(f"/api/v1/products/{product_id}").json()
    return {name: product[name] for name in ("on_hand", "available", "reserved", "committed")}


def kinds_of(person: Person, auction_id: str) -> list[str]:
    """The kinds of the person's notifications about this auction, oldest first."""
    items = [item for item in person.notifications() if item["data"].get("auction_id") == auction_id]
    return [item["kind"] for item in sorted(items, key=lambda item: int(item["cursor"].partition(":")[2]))]


def entries_of(house: House, auction_id: str) -> list[dict[str, Any]]:
    history = house.http.get(f"/api/v1/auctions/{auction_id}/history", params={"limit": 500}).json()
    return list(history["entries"])


def facts_of(house: House, auction_id: str, kind: str) -> list[dict[str, Any]]:
    return [entry["facts"] for entry in entries_of(house, auction_id) if entry["facts"]["kind"] == kind]


def order_of(person: Person, auction_id: str) -> dict[str, Any] | None:
    return next((order for order in person.orders() if order["auction_id"] == auction_id), None)


def wait_until_ended(house: House, auction_id: str) -> dict[str, Any]:
    house.wait_until(lambda: house.auction(auction_id)["ended"], "the auction to end")
    return house.auction(auction_id)


def wait_for_saga(house: House, sale_id: str, status: str) -> str:
    """Wait until the saga of the sale has this status; its failure reason."""
    statement = "SELECT failure_reason FROM sagas_saga WHERE sale_id = %s AND status = %s"
    house.wait_until(lambda: house.rows("sagas", statement, sale_id, status), f"{sale_id} to be {status}")
    return str(house.value("sagas", statement, sale_id, status))


def wait_for_failed_sale(house: House, auction_id: str, sale_id: str) -> dict[str, Any]:
    """Wait until the log records that the sale failed; the facts of that entry."""

    def matching() -> list[dict[str, Any]]:
        return [facts for facts in facts_of(house, auction_id, "sale_failed") if facts["sale_id"] == sale_id]

    house.wait_until(matching, f"the log to say that {sale_id} failed")
    return matching()[0]


def sale_as_soon_as_the_card_counts(house: House, buyer: Person, auction_id: str) -> str:
    """Buy as soon as bidding knows of the buyer's new card; the sale id."""
    answers: list[dict[str, Any]] = []

    def buys() -> bool:
        answers.append(buyer.buy(auction_id).json())
        return "sale_id" in answers[-1]

    house.wait_until(buys, "the new card to count")
    return str(answers[-1]["sale_id"])


def assert_undone(house: House, sale_id: str) -> None:
    """No order stands, no money is kept, no stock is held for the sale."""
    status = "SELECT state FROM {} WHERE {} = %s"
    assert house.value("inventory", status.format("inventory_reservation", "holder"), sale_id) in (
        None,
        "RELEASED",
    )
    assert house.value("orders", status.format("orders_payment", "sale_id"), sale_id) in (
        *(None, "DECLINED"),
        *("CANCELLED", "REFUNDED"),
    )
    facts = house.rows(
        "orders",
        "SELECT kind FROM orders_orderfact AS fact JOIN orders_order AS o ON o.number = fact.order_id"
        " WHERE o.sale_id = %s ORDER BY fact.id",
        sale_id,
    )
    assert facts in ([], [("PLACED",), ("CANCELLED",)])


# --- sales that end well ---------------------------------------------------------------------------------------------


def test_an_english_auction_becomes_a_confirmed_order_and_both_streams_report_it(
    house: House, bidders: list[Person], request: pytest.FixtureRequest
) -> None:
    first, second = bidders[:2]
    product_id = house.new_product(stock=2)
    auction_id = house.new_auction(product_id, seconds=SECONDS_TO_BID)
    socket = listening.WebSocketClient(house, first, auction_id)
    stream = listening.EventStreamClient(house, second, auction_id)
    request.addfinalizer(socket.close)
    request.addfinalizer(stream.close)

    assert first.bid(auction_id, "12.00").json()["standing"] == "leading"
    assert second.bid(auction_id, "20.00").json()["standing"] == "leading"
    third = first.bid(auction_id, "15.00").json()
    ended = wait_until_ended(house, auction_id)
    order = order_of(second, auction_id)

    assert (third["standing"], third["price"]) == ("outbid", "15.50")
    assert (ended["status"], ended["price"], ended["sold"], ended["leader"]) == (
        "CLOSED",
        "15.50",
        1,
        "Bidder 2",
    )
    assert order is not None
    assert (order["status"], order["amount"], order["payment"]) == ("CONFIRMED", "15.50", "CAPTURED")
    timeline = second.get(f"/api/v1/orders/{order['number']}").json()["timeline"]
    assert [line["kind"] for line in timeline if line["about"] == "order"] == ["PLACED", "CONFIRMED"]
    assert stock_of(house, product_id) == {"on_hand": 2, "available": 1, "reserved": 0, "committed": 1}
    of_first = ["leading", "outbid", "outbid", "next_in_line", "lost"]
    of_second = [
        "leading",
        "order_confirmed",
        "won",
    ]  # sorted: bidding's and orders' topics keep no common order
    house.wait_until(lambda: kinds_of(first, auction_id) == of_first, "the loser's notices")
    house.wait_until(lambda: sorted(kinds_of(second, auction_id)) == of_second, "the buyer's notices")

    for messages, *kinds in ((socket.messages, "lost"), (stream.messages, "won", "order_confirmed")):
        for last in ({"event": "LotSettled"}, *({"type": "notification", "kind": kind} for kind in kinds)):
            house.wait_until(functools.partial(messages.of, **last), f"a client to receive {last}")
    public = [message["seq"] for message in socket.messages.of(type="auction")]
    assert public == list(range(1, ended["seq"] + 1))
    assert [message["data"]["price"] for message in socket.messages.of(event="BidPlaced")] == [
        "10.00",
        "12.50",
        "15.50",
    ]
    to_first = [message["kind"] for message in socket.messages.of(type="notification")]
    assert to_first == of_first
    assert [message["seq"] for message in stream.messages.of(type="auction")] == list(
        range(1, len(public) + 1)
    )
    to_second = [message["kind"] for message in stream.messages.of(type="notification")]
    assert sorted(to_second) == of_second


def test_each_purchase_of_a_buy_now_listing_is_an_order_until_nothing_is_left(
    house: House, bidders: list[Person]
) -> None:
    product_id = house.new_product(stock=3)
    auction_id = house.new_auction(product_id, format="buy_now", quantity=3, start_price="7.50")

    two = bidders[0].buy(auction_id, 2)
    one = bidders[1].buy(auction_id, 1)
    ended = wait_until_ended(house, auction_id)

    assert (two.status_code, two.json()["standing"]) == (201, "bought")
    assert (one.json()["standing"], one.json()["quantity_left"]) == ("bought", 0)
    assert (ended["status"], ended["outcome"], ended["sold"], ended["quantity_left"]) == (
        "SOLD_OUT",
        "sold_out",
        3,
        0,
    )
    for person, amount in ((bidders[0], "15.00"), (bidders[1], "7.50")):
        order = order_of(person, auction_id)
        assert order is not None
        assert (order["status"], order["amount"]) == ("CONFIRMED", amount)
    assert stock_of(house, product_id) == {"on_hand": 3, "available": 0, "reserved": 0, "committed": 3}


def test_a_capture_whose_answer_was_lost_becomes_an_order(house: House) -> None:
    buyer = house.new_account("bidder", card=SILENT_BUT_CAPTURED)
    auction_id = house.new_auction(house.new_product(stock=1), format="buy_now")

    buyer.buy(auction_id)
    ended = wait_until_ended(house, auction_id)

    order = order_of(buyer, auction_id)
    assert order is not None
    assert (order["status"], order["payment"], ended["sold"]) == ("CONFIRMED", "CAPTURED", 1)


def test_a_bidder_who_puts_a_card_in_bids_within_two_seconds(house: House) -> None:
    newcomer = house.new_account("bidder", card=None)
    auction_id = house.new_auction(house.new_product(stock=1))
    assert newcomer.bid(auction_id, "10.00").json()["code"] == "card_missing"

    newcomer.set_card(ACCEPTS)
    house.wait_until(
        lambda: newcomer.bid(auction_id, "10.00").status_code == 201, "the card to count", SECONDS_TO_COUNT
    )

    house.operator.post(f"/api/v1/auctions/{auction_id}/cancel", {"reason": "The test is over."})


# --- sales that are undone -------------------------------------------------------------------------------------------


def test_when_the_winners_payment_is_refused_the_runner_up_pays_the_price_without_the_winners_bids(
    house: House, bidders: list[Person], decliner: Person
) -> None:
    runner_up = bidders[2]
    product_id = house.new_product(stock=1)
    auction_id = house.new_auction(product_id, seconds=SECONDS_TO_BID)
    runner_up.bid(auction_id, "30.00")
    decliner.bid(auction_id, "80.00")

    ended = wait_until_ended(house, auction_id)

    (closed,) = facts_of(house, auction_id, "closed")
    (failed,) = facts_of(house, auction_id, "sale_failed")
    assert (failed["next"], failed["sale"]["price"], closed["price"]) == ("runner_up", 1000, 3100)
    assert wait_for_saga(house, failed["sale_id"], "COMPENSATED") == "payment_refused"
    assert_undone(house, closed["sale"]["sale_id"])
    order = order_of(runner_up, auction_id)
    assert order is not None
    assert (order["status"], order["amount"]) == ("CONFIRMED", "10.00")
    assert (ended["sold"], ended["leader"], ended["price"]) == (1, "Bidder 1", "10.00")
    again = house.new_auction(house.new_product(stock=1))
    house.wait_until(
        lambda: decliner.bid(again, "10.00").json()["code"] == "card_missing",
        "the declined card to stop counting",
    )
    assert house.auction(again)["bids"] == 0
    house.operator.post(f"/api/v1/auctions/{again}/cancel", {"reason": "The test is over."})
    assert stock_of(house, product_id) == {"on_hand": 1, "available": 0, "reserved": 0, "committed": 1}
    of_decliner = ["leading", "order_cancelled", "payment_declined", "won"]
    house.wait_until(
        lambda: sorted(kinds_of(decliner, auction_id)) == of_decliner, "the notices of the refusal"
    )


def test_without_a_runner_up_the_lot_is_listed_again_with_its_units(house: House, decliner: Person) -> None:
    product_id = house.new_product(stock=1)
    auction_id = house.new_auction(product_id, seconds=SECONDS_TO_BID, relistings_left=1)
    decliner.bid(auction_id, "50.00")

    wait_until_ended(house, auction_id)

    (failed,) = facts_of(house, auction_id, "sale_failed")
    assert (failed["next"], failed["ended"]) == ("relist", True)
    assert_undone(house, failed["sale_id"])
    again = failed["relist_as"]
    house.wait_until(
        lambda: house.auction(again)["status"] in ("OPEN", "CLOSED"), "the lot to be listed again"
    )
    assert house.auction(again)["terms"]["relist_of"] == auction_id
    assert house.auction(again)["terms"]["relistings_left"] == 0
    assert (
        house.value(
            "inventory",
            "SELECT count(*) FROM inventory_move WHERE kind = 'RELEASE' AND reference = %s",
            f"lot:{auction_id}",
        )
        == 0
    ), "the units were available between the two listings"
    house.wait_until(lambda: house.auction(again)["ended"], "the second listing to end")
    house.wait_until(
        lambda: stock_of(house, product_id) == {"on_hand": 1, "available": 1, "reserved": 0, "committed": 0},
        "the units to be free again",
    )


def test_a_refused_payment_puts_a_buy_now_unit_back_on_sale(house: House, bidders: list[Person]) -> None:
    buyer = house.new_account("bidder", card=SILENT_AND_NOTHING)
    product_id = house.new_product(stock=1)
    auction_id = house.new_auction(product_id, format="buy_now")

    sale_id = buyer.buy(auction_id).json()["sale_id"]
    failed = wait_for_failed_sale(house, auction_id, sale_id)

    assert (failed["next"], failed["quantity_left"]) == ("back_on_sale", 1)
    assert_undone(house, sale_id)
    assert bidders[3].buy(auction_id).json()["standing"] == "bought"
    assert wait_until_ended(house, auction_id)["sold"] == 1
    assert stock_of(house, product_id) == {"on_hand": 1, "available": 0, "reserved": 0, "committed": 1}


def test_a_buyer_whose_payments_failed_too_often_is_refused_for_risk(house: House) -> None:
    buyer = house.new_account("bidder", card=DECLINES)
    product_id = house.new_product(stock=1)
    auction_id = house.new_auction(product_id, format="buy_now")

    reasons = []
    for _ in range(4):
        buyer.set_card(DECLINES)  # the declined card has stopped counting
        sale_id = sale_as_soon_as_the_card_counts(house, buyer, auction_id)
        failed = wait_for_failed_sale(house, auction_id, sale_id)
        reasons.append(wait_for_saga(house, sale_id, "COMPENSATED"))
        assert failed["next"] == "back_on_sale"
        assert_undone(house, sale_id)

    assert reasons == ["payment_refused"] * 3 + ["risk_refused"]
    assert house.value("orders", "SELECT state FROM orders_payment WHERE sale_id = %s", sale_id) is None
    assert house.auction(auction_id)["quantity_left"] == 1
    house.operator.post(f"/api/v1/auctions/{auction_id}/cancel", {"reason": "The test is over."})


def test_a_unit_that_another_lot_holds_cannot_be_bought(house: House, bidders: list[Person]) -> None:
    product_id = house.new_product(stock=1)
    holder = house.new_auction(product_id)
    auction_id = house.new_auction(product_id, format="buy_now", quantity=2)

    house.wait_until(lambda: house.auction(auction_id)["quantity_left"] == 0, "bidding to know of the stock")

    refused = bidders[4].buy(auction_id)

    assert (refused.status_code, refused.json()["code"], refused.json()["quantity_left"]) == (
        409,
        "sold_out",
        0,
    )
    assert (house.auction(auction_id)["bids"], order_of(bidders[4], auction_id)) == (0, None)
    assert stock_of(house, product_id) == {"on_hand": 1, "available": 0, "reserved": 1, "committed": 0}
    for listing in (holder, auction_id):
        house.operator.post(f"/api/v1/auctions/{listing}/cancel", {"reason": "The test is over."})
        wait_until_ended(house, listing)
    house.wait_until(lambda: stock_of(house, product_id)["available"] == 1, "the units to be free again")


def test_a_step_that_fails_five_times_undoes_the_sale(house: House, bidders: list[Person]) -> None:
    worker = house.stack["worker"]
    worker.end()
    worker.wait(30)
    worker.start(GAVEL_FAILPOINTS="saga.commit_stock.before_call=raise")
    house.stack.wait_ready()
    product_id = house.new_product(stock=1)
    auction_id = house.new_auction(product_id, format="buy_now")

    sale_id = bidders[5].buy(auction_id).json()["sale_id"]
    reason = wait_for_saga(house, sale_id, "COMPENSATED")
    failed = wait_for_failed_sale(house, auction_id, sale_id)
    worker.end()
    worker.wait(30)
    worker.start()
    house.stack.wait_ready()

    assert reason == "step_failed"
    assert failed["next"] == "nothing"
    assert_undone(house, sale_id)
    assert house.value("orders", "SELECT state FROM orders_payment WHERE sale_id = %s", sale_id) == "REFUNDED"
    undone = house.rows(
        "sagas",
        "SELECT step FROM sagas_sagastep WHERE saga_id = %s AND direction = 'BACKWARD' AND event = 'DONE' ORDER BY id",
        sale_id,
    )
    assert [step for (step,) in undone] == ["commit_stock", "place_order", "capture_payment", "reserve_stock"]
    house.wait_until(lambda: stock_of(house, product_id)["available"] == 1, "the unit to be free again")


def test_an_operators_command_undoes_a_sale_that_waits_for_the_bank(
    house: House, bidders: list[Person]
) -> None:
    bank = house.stack["bank"]
    bank.kill()
    product_id = house.new_product(stock=1)
    auction_id = house.new_auction(product_id, format="buy_now")
    sale_id = bidders[0].buy(auction_id).json()["sale_id"]
    waits = "SELECT tries FROM sagas_saga WHERE sale_id = %s AND position = 2 AND tries > 0"
    house.wait_until(lambda: house.value("sagas", waits, sale_id), "the saga to wait for the bank")

    house.call("compensate_saga", saga_id=sale_id)
    bank.start()
    failed = wait_for_failed_sale(house, auction_id, sale_id)

    assert failed["next"] == "nothing"
    assert wait_for_saga(house, sale_id, "COMPENSATED") == "operator"
    assert_undone(house, sale_id)
    house.wait_until(lambda: stock_of(house, product_id)["available"] == 1, "the unit to be free again")


def test_a_cancelled_auction_tells_its_bidders_why_and_frees_its_units(
    house: House, bidders: list[Person]
) -> None:
    product_id = house.new_product(stock=1)
    auction_id = house.new_auction(product_id)
    bidders[0].bid(auction_id, "11.00")

    refused = house.seller.post(f"/api/v1/auctions/{auction_id}/cancel", {"reason": "Not mine."})
    without_reason = house.operator.post(f"/api/v1/auctions/{auction_id}/cancel", {})
    done = house.operator.post(f"/api/v1/auctions/{auction_id}/cancel", {"reason": "Found to be a copy."})

    assert (refused.status_code, without_reason.status_code, done.status_code) == (403, 400, 200)
    assert without_reason.json()["field"] == "reason"
    ended = wait_until_ended(house, auction_id)
    assert (ended["status"], ended["reason"], ended["sold"]) == ("CANCELLED", "Found to be a copy.", 0)
    late = bidders[1].bid(auction_id, "20.00")
    assert (late.status_code, late.json()["code"]) == (409, "auction_cancelled")
    house.wait_until(lambda: "auction_cancelled" in kinds_of(bidders[0], auction_id), "the notification")
    notices = [item["data"] for item in bidders[0].notifications() if item["kind"] == "auction_cancelled"]
    assert [data["reason"] for data in notices if data["auction_id"] == auction_id] == ["Found to be a copy."]
    house.wait_until(lambda: stock_of(house, product_id)["available"] == 1, "the unit to be free again")


# --- keys ------------------------------------------------------------------------------------------------------------


def test_a_repeat_of_a_bid_gets_the_same_answer_and_its_outcome_by_key(
    house: House, bidders: list[Person]
) -> None:
    auction_id = house.new_auction(house.new_product(stock=1))
    key = uuid.uuid4().hex

    answer = bidders[0].bid(auction_id, "25.00", key=key)
    repeat = bidders[0].bid(auction_id, "25.00", key=key)
    other_body = bidders[0].bid(auction_id, "26.00", key=key)

    assert (answer.status_code, repeat.status_code, other_body.status_code) == (201, 201, 422)
    assert repeat.json() == answer.json()
    by_key = bidders[0].get(f"/api/v1/auctions/{auction_id}/bids/by-key/{key}")
    assert by_key.json() == answer.json()
    assert bidders[1].get(f"/api/v1/auctions/{auction_id}/bids/by-key/{key}").status_code == 404
    assert len(facts_of(house, auction_id, "bid")) == 1
    house.operator.post(f"/api/v1/auctions/{auction_id}/cancel", {"reason": "The test is over."})


def test_at_the_end_every_invariant_holds(house: House) -> None:
    house.assert_verified()
