"""Pages while the server is unavailable: they say so and reconnect by themselves, and a bid counts once."""

import time
from collections.abc import Callable

import pytest
from playwright import sync_api
from websockets.sync import client as websockets

from tests import house as houses
from tests.browser import visitor

Bidders = tuple[houses.Person, houses.Person]
Open = Callable[..., visitor.Window]

LATE_SECONDS = 1.5  # enough for a frame to overtake an answer; a slower frame fails no test


def test_a_page_reconnects_by_itself_says_so_and_misses_nothing(
    house: houses.House, open_window: Open, bidders: Bidders, product: str
) -> None:
    auction_id = house.new_auction(product)
    window = open_window(bidders[0])
    window.see_auction(auction_id)
    push = house.stack["push"]

    push.kill()
    window.expect_text("#connection", "Connection lost. Reconnecting")
    push.start()
    house.stack.wait_ready()
    assert bidders[1].bid(auction_id, "30").status_code == 201

    window.expect_text("#connection", "Back online")
    window.expect_text("#price", "€10.00")
    window.expect_text("#log", "Bidder 1 leads")


def test_a_page_whose_stream_is_refused_opens_it_again_after_growing_pauses_and_misses_nothing(
    house: houses.House, open_window: Open, bidders: Bidders, product: str
) -> None:
    """The address may open one stream in ten seconds, and another client has just opened it."""
    auction_id = house.new_auction(product)
    window = open_window(bidders[0])
    attempts: list[sync_api.WebSocket] = []
    window.page.on("websocket", lambda socket: attempts.append(socket))
    push = house.stack["push"]
    window.page.goto("about:blank")  # else its own stream comes back first and the other client is refused

    try:
        push.kill()
        push.start(STREAMS_PER_SECOND="0.1", STREAMS_PER_ADDRESS="1")
        house.stack.wait_ready()
        with websockets.connect(f"{house.url.replace('http', 'ws', 1)}/ws/v1/stream") as other:
            other.recv()
        window.see_auction(auction_id)
        window.expect_text("#connection", "Connection lost. Reconnecting")
        assert bidders[1].bid(auction_id, "30").status_code == 201
        window.expect_text("#connection", "Back online")
    finally:
        push.kill()
        push.start()
        house.stack.wait_ready()

    window.expect_text("#price", "€10.00")
    window.expect_text("#log", "Bidder 1 leads")
    assert 2 <= len(attempts) <= 12  # equal pauses of 400 ms would be 25


@pytest.mark.parametrize(
    ("address", "place", "text"),
    [("/auctions/{}", "#meta", "1 bid by 1 bidder"), ("/sell/auctions/{}", "#figures", "Bidder 1")],
)
def test_a_bid_between_the_figures_and_the_record_is_not_missed(
    house: houses.House,
    open_window: Open,
    bidders: Bidders,
    product: str,
    address: str,
    place: str,
    text: str,
) -> None:
    """A page requests one after the other; its stream begins at the end of the older one."""
    auction_id = house.new_auction(product)
    window = open_window(house.operator)

    def bid_before_the_answer(route: sync_api.Route) -> None:
        assert bidders[0].bid(auction_id, "47").status_code == 201
        route.continue_()

    window.page.route("**/history?*", bid_before_the_answer, times=1)
    window.page.goto(address.format(auction_id))

    window.expect_text(place, text)
    window.expect_text("#log", "Bidder 1 leads")


def test_a_standing_that_is_older_than_the_frames_does_not_replace_them(
    house: houses.House, open_window: Open, bidders: Bidders, product: str
) -> None:
    auction_id = house.new_auction(product)
    window = open_window(bidders[0])
    window.see_auction(auction_id)

    window.page.route("**/mine", overtaken_by(bidders[1], auction_id), times=1)
    window.bid("20")

    window.expect_text("#log", "Bidder 2 leads")
    window.page.wait_for_load_state("networkidle")
    window.expect_text("#standing", "You were outbid")


def test_a_list_of_notifications_that_is_older_than_the_stream_hides_none(
    house: houses.House, open_window: Open, product: str
) -> None:
    auction_id = house.new_auction(product)
    reader, rival = house.new_account("bidder"), house.new_account("bidder")
    assert reader.bid(auction_id, "20").status_code == 201
    window = open_window(reader)
    window.expect_text("#unread", "1")

    window.page.route("**/api/v1/notifications?limit=100", overtaken_by(rival, auction_id), times=1)
    window.page.goto("/notifications")

    window.expect_text("#notices", "outbid")
    window.expect_text("#notices", "lead")
    sync_api.expect(window.page.locator("#notices li")).to_have_count(2)
    window.expect_text("#unread", "1")  # the other is out of date


def test_a_later_notification_marks_the_one_that_it_replaces(
    house: houses.House, open_window: Open, product: str
) -> None:
    auction_id = house.new_auction(product)
    reader, rival = house.new_account("bidder"), house.new_account("bidder")
    assert reader.bid(auction_id, "20").status_code == 201
    window = open_window(reader)
    window.page.goto("/notifications")
    window.expect_text("#notices", "lead")
    sync_api.expect(window.page.locator("#notices .withdrawn")).to_have_count(0)

    assert rival.bid(auction_id, "30").status_code == 201

    window.expect_text("#notices .withdrawn", "Out of date")
    window.expect_text("#notices .withdrawn", "lead")
    sync_api.expect(window.page.locator("#notices li")).to_have_count(2)
    window.expect_text("#notices .withdrawn .chip", "Leading")
    window.expect_text("#notices .chip.bad", "Outbid")
    sync_api.expect(window.page.locator("#notices li a").first).to_have_attribute(
        "href", f"/auctions/{auction_id}"
    )


def test_a_bid_that_meets_a_dead_server_is_sent_again_and_counts_once(
    house: houses.House, open_window: Open, bidders: Bidders, product: str
) -> None:
    auction_id = house.new_auction(product)
    window = open_window(bidders[0])
    window.see_auction(auction_id)
    keys: list[str] = []
    window.page.on(
        "request", lambda sent: keys.append(sent.headers["idempotency-key"]) if visitor.is_bid(sent) else None
    )
    bids = house.stack["bids"]

    bids.kill()
    window.bid("33")
    window.expect_text("#bid-error", "Sending the same bid again")
    bids.start()
    window.expect_text("#standing", "You're the highest bidder")

    assert len(keys) > 1
    assert len(set(keys)) == 1
    assert house.auction(auction_id)["bids"] == 1


def test_a_bid_whose_answer_is_lost_is_sent_again_under_its_key_after_a_reload(
    house: houses.House, open_window: Open, bidders: Bidders, product: str
) -> None:
    auction_id = house.new_auction(product)
    window = open_window(bidders[0])
    window.see_auction(auction_id)

    def lose_the_answer(route: sync_api.Route) -> None:
        route.fetch()
        route.abort()

    window.page.route("**/bids", lose_the_answer)
    window.bid("44")
    window.expect_text("#bid-error", "No answer yet")
    window.page.unroute("**/bids")
    window.page.reload()

    window.expect_text("#standing", "You're the highest bidder")
    window.expect_text("#receipt", "entry 4")
    assert house.auction(auction_id)["bids"] == 1


def test_a_503_is_tried_again_under_the_same_key(
    house: houses.House, open_window: Open, bidders: Bidders, product: str
) -> None:
    auction_id = house.new_auction(product)
    window = open_window(bidders[0])
    window.see_auction(auction_id)
    keys: list[str] = []

    def refuse_twice(route: sync_api.Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 2:
            route.continue_()
        else:
            route.fulfill(
                status=503,
                headers={"Retry-After": "1"},
                json={"code": "unavailable", "detail": "Unavailable."},
            )

    window.page.route("**/bids", refuse_twice)
    window.bid("45")

    window.expect_text("#standing", "You're the highest bidder")
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert house.auction(auction_id)["bids"] == 1


def test_a_bid_that_stays_unanswered_is_never_called_lost_and_keeps_its_key(
    house: houses.House, open_window: Open, bidders: Bidders, product: str
) -> None:
    """A 503 leaves open whether the writer stores the bid, so the page must offer to send the same bid again."""
    auction_id = house.new_auction(product, format="buy_now", start_price="40.00", quantity=5)
    window = open_window(bidders[0])
    window.page.clock.install()
    window.see_auction(auction_id)
    keys: list[str] = []

    def refuse(route: sync_api.Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        route.fulfill(status=503, json={"code": "unavailable", "detail": "Unavailable."})

    window.page.route("**/bids", refuse)
    window.page.get_by_role("button", name="Buy now for €40.00").click()
    for _ in range(40):
        window.page.clock.run_for(1_000)
    window.expect_text("#bid-error", "We don't know yet whether your purchase of 1 unit was recorded")
    assert len(set(keys)) == 1
    window.page.get_by_label("How many").fill("2")
    window.page.get_by_role("button", name="Buy now for €80.00").click()
    window.expect_text("#bid-error", "We don't know yet whether your purchase of 1 unit was recorded")
    window.page.unroute("**/bids")
    window.page.get_by_role("button", name="Send it again", exact=True).click()

    window.expect_text("#standing", "You bought this")
    assert house.auction(auction_id)["quantity_left"] == 4


def overtaken_by(rival: houses.Person, auction_id: str) -> Callable[[sync_api.Route], None]:
    """Hold an answer until the frames of a later bid by `rival` have had time to arrive."""

    def answer_late(route: sync_api.Route) -> None:
        answer = route.fetch()
        assert rival.bid(auction_id, "48").status_code == 201
        time.sleep(LATE_SECONDS)
        route.fulfill(response=answer)

    return answer_late
