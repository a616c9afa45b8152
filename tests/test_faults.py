"""Faults: processes die at a given line, stores stop, the transport loses everything or delivers it twice.

All faults meet one running stack that bidders and buyers keep busy. After each fault the sales catch up by themselves. At
the end every invariant holds, and the log confirms every answer.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from auction_project.kernel import contracts
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import transport as transports
from auction_project.processes import roles
from auction_project.processes.stack import Process
from tests import house as houses
from tests.house import House
from tests.market import AnswersFile, Attempt, Crowd, Market

OUTAGE_SECONDS = 20.0
ANSWERED_WITHIN_SECONDS = 2.0
STEPS = ("reserve_stock", "assess_risk", "capture_payment", "place_order", "commit_stock", "confirm_order")
UNDONE_STEPS = ("commit_stock", "place_order", "capture_payment", "reserve_stock")


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> AnswersFile:
    return AnswersFile(Path(tmp_path_factory.mktemp("answers")) / "answers.jsonl")


@pytest.fixture(scope="module")
def market(house: House, answers: AnswersFile) -> Market:
    return Market(house, answers)


@pytest.fixture(scope="module")
def crowd(house: House, answers: AnswersFile) -> Iterator[Crowd]:
    bidding = Crowd(house, answers)
    yield bidding
    bidding.stop()


@pytest.fixture(autouse=True)
def all_roles_work(house: House, crowd: Crowd) -> Iterator[None]:
    """Before and after each fault all roles are ready, and bids are accepted."""
    house.stack.wait_ready()
    yield
    house.stack.wait_ready()
    healed = time.monotonic()
    house.wait_until(lambda: crowd.is_stopped or crowd.accepted_since(healed), "bids to be accepted again")


def start_armed(process: Process, failpoints: str) -> int:
    """Kill a process and start it with `failpoints`; how often it had restarted by then."""
    process.kill()
    restarts = process.restarts
    process.start(GAVEL_FAILPOINTS=failpoints)
    return restarts


def wait_until_it_died(house: House, process: Process, restarts: int) -> None:
    house.wait_until(
        lambda: process.restarts > restarts, f"{process.name} to die at its failpoint", seconds=90
    )


def die_at_each(
    house: House, market: Market, process: Process, failpoints: list[str], always: str = ""
) -> list[str]:
    """Sell once for each of `failpoints`, at which the process dies; the sale ids. Each start arms the next failpoint
    beside `always`; the last start arms `always` alone."""
    armed = [*(",".join(filter(None, (always, failpoint))) for failpoint in failpoints), always]
    process.kill()
    process.start(GAVEL_FAILPOINTS=armed[0])
    sales = []
    for armed_next in armed[1:]:
        restarts = process.restarts
        process.environment["GAVEL_FAILPOINTS"] = armed_next
        sales += market.sell(1)
        wait_until_it_died(house, process, restarts)
    del process.environment["GAVEL_FAILPOINTS"]
    return sales


# --- a role is missing -----------------------------------------------------------------------------------------------


def test_an_auction_that_ended_without_a_clock_closes_when_the_clock_is_back(
    house: House, market: Market
) -> None:
    buyer = house.new_accounts(1)[0]
    auction_id = house.new_auction(house.new_product(stock=1), seconds=6)
    buyer.bid(auction_id, "15.00")
    house.stack["clock"].kill()
    ends_at = house.auction(auction_id)["ends_at"]
    house.wait_until(lambda: time.time() * 1000 > ends_at + 500, "the end of the auction")
    house.stack["clock"].start()

    house.wait_until(lambda: house.auction(auction_id)["ended"], "the lot to be sold")

    (order,) = buyer.orders()
    assert (order["status"], order["amount"], house.auction(auction_id)["sold"]) == ("CONFIRMED", "10.00", 1)


# --- deaths between any two lines that matter ------------------------------------------------------------------------


def test_a_saga_outlives_a_death_between_any_two_of_its_steps(house: House, market: Market) -> None:
    deaths = [f"saga.{step}.{place}=kill" for step in STEPS for place in ("after_effect", "after_record")]

    market.assert_sold(die_at_each(house, market, house.stack["worker"], deaths))


def test_an_undoing_outlives_a_death_between_any_two_of_its_steps(house: House, market: Market) -> None:
    places = ("after_effect", "after_record") * 2  # every step is undone by the same code
    deaths = [
        f"saga.{step}.compensation.{place}=kill" for step, place in zip(UNDONE_STEPS, places, strict=True)
    ]
    failing = "saga.commit_stock.before_call=raise"  # every sale of this test is undone
    sales = die_at_each(house, market, house.stack["worker"], deaths, always=failing)

    market.assert_undone(sales)
    house.stack["worker"].kill()
    house.stack["worker"].start()


def test_a_payment_outlives_a_death_beside_its_call(house: House, market: Market) -> None:
    deaths = ["capture_payment.before_call=kill", "capture_payment.after_effect=kill"]

    market.assert_sold(die_at_each(house, market, house.stack["worker"], deaths))


@pytest.mark.parametrize("place", ["relay.before_mark", "log_relay.before_mark"])
def test_what_was_published_and_not_marked_is_published_again_and_happens_once(
    house: House, market: Market, place: str
) -> None:
    restarts = start_armed(house.stack["relay"], f"{place}=kill")
    sales = market.sell(1)
    wait_until_it_died(house, house.stack["relay"], restarts)

    market.assert_sold(sales)


@pytest.mark.parametrize(
    "group", ["sagas", "bidding", "inventory", "orders", "notifications", "auction-frames", "desk"]
)
def test_what_was_handled_and_not_acknowledged_comes_again_and_happens_once(
    house: House, market: Market, group: str
) -> None:
    consume = house.stack["consume"]
    restarts = start_armed(consume, f"consume:{group}.before_acknowledge=kill")
    sales = market.sell(1)
    if group == "orders":
        house.new_accounts(1)
    elif group == "inventory":
        auction_id = house.new_auction(house.new_product(stock=1))
        house.operator.post(f"/api/v1/auctions/{auction_id}/cancel", {"reason": "The test is over."})
    wait_until_it_died(house, consume, restarts)

    market.assert_sold(sales)


@pytest.mark.parametrize("role", ["bids", "consume"])
@pytest.mark.parametrize("place", ["committer.before_append", "committer.after_append"])
def test_an_entry_outlives_the_death_of_its_writer(
    house: House, market: Market, role: str, place: str
) -> None:
    sales = market.sell(1) if role == "consume" else []
    restarts = start_armed(house.stack[role], f"{place}=kill")
    wait_until_it_died(house, house.stack[role], restarts)
    sales += market.sell(1)

    market.assert_sold(sales)


# --- the transport loses everything, or delivers it twice ------------------------------------------------------------


def test_redis_emptied_in_mid_saga_loses_no_saga(house: House, market: Market) -> None:
    start_armed(house.stack["worker"], "saga.place_order.before_call=sleep:1")
    house.stack.wait_ready()
    sales = market.sell(3)
    market.wait_until_started(sales, position=STEPS.index("capture_payment"))

    houses.empty_redis()

    market.assert_sold(sales)
    house.stack["worker"].kill()
    house.stack["worker"].start()


def test_redis_emptied_between_publication_and_consumption_loses_no_sale(
    house: House, market: Market
) -> None:
    transport = transports.from_settings()
    house.stack["consume"].kill()
    before = transport.lag("sagas", ["sale-confirmed"])
    sales = market.sell(3)
    house.wait_until(
        lambda: transport.lag("sagas", ["sale-confirmed"]) >= before + 3, "the sales to be published"
    )

    houses.empty_redis()
    assert transport.lag("sagas", ["sale-confirmed"]) == 0
    transport.close()
    house.stack["consume"].start()

    market.assert_sold(sales)


def test_redis_emptied_after_the_sagas_answer_settles_the_sales_all_the_same(
    house: House, market: Market
) -> None:
    transport = transports.from_settings()
    house.wait_until(
        lambda: transport.lag("bidding", ["sale-settled"]) == 0, "earlier answers to be consumed"
    )
    sales = market.sell(2)
    market.wait_until_started(sales)
    house.stack["consume"].kill()
    market.assert_sold(sales)
    house.wait_until(lambda: transport.lag("bidding", ["sale-settled"]) > 0, "the answers to be published")

    houses.empty_redis()
    transport.close()
    house.stack["consume"].start()

    house.wait_until(
        lambda: house.auction(market.listing)["undecided_sales"] == 0,
        "the log to record the end of every sale",
    )


def is_quiet(house: House, transport: brokers.Broker) -> bool:
    """Nothing is under way except the events of the crowd, which keeps bidding."""
    crowded = {"auction.log", "auction.private"}
    topics = [(group, topic) for group in roles.GROUPS for topic in roles.subscription(group).topics]
    unfinished = house.value("sagas", "SELECT count(*) FROM sagas_saga WHERE finished_at IS NULL")
    return not unfinished and all(
        transport.lag(group, [topic]) <= (20 if topic in crowded else 0) for group, topic in topics
    )


def test_every_event_delivered_twice_happens_once(house: House, market: Market) -> None:
    market.assert_sold(market.sell(2))
    counts = {
        "sagas": "SELECT count(*) FROM sagas_saga",
        "orders": "SELECT count(*) FROM orders_order",
        "inventory": "SELECT count(*) FROM inventory_move",
        # without those of the crowd, which keeps bidding
        "notifications": "SELECT count(*) FROM notifications_notification WHERE kind NOT IN ('OUTBID', 'LEADING')",
    }
    transport = transports.from_settings()
    house.wait_until(lambda: is_quiet(house, transport), "all sagas to end, and all events to be consumed")
    before = {alias: house.value(alias, statement) for alias, statement in counts.items()}

    for topic in contracts.events.TOPICS:
        records = list(transport.read(topic))
        transport.append([brokers.Message(topic, record.key, record.value) for record in records])

    house.wait_until(lambda: is_quiet(house, transport), "everything to be consumed", seconds=120)
    transport.close()
    after = {alias: house.value(alias, statement) for alias, statement in counts.items()}
    assert after == before


def test_poison_blocks_nothing_and_is_kept(house: House, market: Market) -> None:
    transport = transports.from_settings()
    transport.append([brokers.Message("sale-confirmed", f"poison-{i}", b"{not json") for i in range(16)])
    transport.close()

    market.assert_sold(market.sell(4))

    dead_letters = (
        "SELECT count(*) FROM messaging_deadletter WHERE topic = 'sale-confirmed' AND \"group\" = 'sagas'"
    )
    house.wait_until(lambda: house.value("default", dead_letters) == 16, "the dead letters to be listed")


# --- outages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "path", "answer"),
    [("postgres", "/api/v1/orders", (503, "1")), ("redis", "/api/v1/auctions", (200, None))],
)
def test_bids_go_on_without_it_and_the_sales_catch_up(
    house: House, market: Market, crowd: Crowd, service: str, path: str, answer: tuple[int, str | None]
) -> None:
    before = market.sell(2)
    house.control("kill", service)
    began = time.monotonic()
    during = market.sell(2)
    house.let_pass(OUTAGE_SECONDS)
    attempts = crowd.since(began, until=time.monotonic())
    read = house.operator.get(path)
    house.control("start", service)

    assert (read.status_code, read.headers.get("Retry-After")) == answer
    assert read.elapsed.total_seconds() <= ANSWERED_WITHIN_SECONDS
    assert {attempt.status for attempt in attempts} == {201, 409}
    assert max(attempt.seconds for attempt in attempts) <= ANSWERED_WITHIN_SECONDS
    market.assert_sold(before + during)


@pytest.mark.parametrize(("stop", "start"), [("kill", "start"), ("pause", "resume")])
def test_without_the_bid_log_bids_get_503_in_time_and_bidding_resumes_by_itself(
    house: House, market: Market, crowd: Crowd, stop: str, start: str
) -> None:
    before = market.sell(2)
    house.control(stop, "mongodb")
    began = time.monotonic()
    house.let_pass(OUTAGE_SECONDS)
    attempts = crowd.since(began, until=time.monotonic())
    read = house.http.get(f"/api/v1/auctions/{market.listing}")
    house.control(start, "mongodb")
    healed = time.monotonic()

    assert_refused_in_time(attempts)
    assert (read.status_code, read.headers["Retry-After"]) == (503, "1")
    house.wait_until(lambda: crowd.accepted_since(healed), "bids to be accepted again", seconds=30)
    market.assert_sold(before + market.sell(2))


def assert_refused_in_time(attempts: list[Attempt]) -> None:
    refused = [attempt for attempt in attempts if attempt.status == 503]
    assert len(refused) >= 3
    assert {attempt.retry_after for attempt in refused} == {"1"}
    assert max(attempt.seconds for attempt in attempts) <= ANSWERED_WITHIN_SECONDS
    assert {attempt.status for attempt in attempts} <= {201, 409, 503}


# --- afterwards ------------------------------------------------------------------------------------------------------


def test_afterwards_nothing_acknowledged_is_lost_and_everything_holds(
    house: House, market: Market, crowd: Crowd, answers: AnswersFile
) -> None:
    crowd.stop()

    house.assert_verified("--answers", str(answers.path))

    assert house.value("sagas", "SELECT count(*) FROM sagas_saga WHERE status = 'PARKED'") == 0
