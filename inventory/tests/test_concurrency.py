"""Many at once, with real threads and real commits: the last unit has one buyer, and every interleaving stays sound."""

import random

import pytest

from auction_project.kernel import errors, ids
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging.tests import sessions
from inventory import models, refusals, services
from inventory.tests import lots, sales
from inventory.tests.conftest import (
    NOW,
    assert_sound,
    commit,
    figures,
    list_lot,
    published,
    published_names,
    receive,
    reserve,
)

pytestmark = pytest.mark.django_db(databases=["inventory"], transaction=True)
BUYERS = 50


def at_once(*calls):
    return sessions.at_once("inventory", *calls)


def buy(product, number, auction="a"):
    return reserve(product, f"{auction}-{number}")


def group_of(products, numbers):
    return [
        services.ReserveRequest(
            key=f"saga:a-{number}:reserve_stock",
            correlation_id="test-correlation",
            sale_id=f"a-{number}",
            auction_id="a",
            units=(events.Units(product_id=products[number % len(products)].id, quantity=1),),
        )
        for number in numbers
    ]


def units_of(moves):
    return sum(moves.values_list("quantity", flat=True))


def winners(outcomes):
    return [outcome for outcome in outcomes if not isinstance(outcome, errors.DomainError)]


@pytest.mark.parametrize("is_lot", [False, True])
def test_the_last_unit_has_one_of_fifty_buyers(make_product, is_lot):
    product = make_product(CENTRAL=1)
    if is_lot:
        list_lot(product)

    outcomes = at_once(*(lambda n=n: buy(product, n) for n in range(BUYERS)))

    assert len(winners(outcomes)) == 1
    assert [outcome.code for outcome in outcomes if isinstance(outcome, errors.DomainError)] == [
        "sold_out"
    ] * (BUYERS - 1)
    assert figures(product) == {"reserved": 1}
    assert models.Reservation.objects.filter(kind="SALE", state="HELD").count() == 1
    assert_sound()


def test_three_units_in_two_warehouses_have_three_of_fifty_buyers(make_product):
    product = make_product(CENTRAL=1, HARBOUR=2)

    outcomes = at_once(*(lambda n=n: buy(product, n) for n in range(BUYERS)))

    assert (len(winners(outcomes)), figures(product)) == (3, {"reserved": 3})
    assert_sound()


def test_one_step_that_arrives_twenty_times_at_once_happens_once(make_product):
    product = make_product(CENTRAL=5)

    outcomes = at_once(*(lambda: buy(product, 1) for _ in range(20)))

    assert outcomes == [services.Reserved(quantity=1, from_lot=0, warehouses=("CENTRAL",))] * 20
    assert figures(product) == {"available": 4, "reserved": 1}
    assert published_names() == ["StockChanged"]


def test_a_step_and_its_undoing_at_once_leave_nothing_reserved(make_product):
    product = make_product(CENTRAL=10)

    def undo(number):
        return sales.release(key=f"saga:a-{number}:reserve_stock", sale_id=f"a-{number}", now=NOW)

    at_once(*(lambda n=n: buy(product, n) for n in range(10)), *(lambda n=n: undo(n) for n in range(10)))

    assert figures(product) == {"available": 10}
    assert_sound()


def test_a_listing_and_the_end_of_its_auction_at_once_leave_nothing_reserved(make_product):
    product = make_product(CENTRAL=10)
    auctions = [f"auction-{number}" for number in range(10)]

    calls = [lambda a=a: list_lot(product, a) for a in auctions]
    calls += [lambda a=a: lots.release_lot(auction_id=a, product_id=product.id, now=NOW) for a in auctions]
    at_once(*calls)

    assert figures(product) == {"available": 10}
    assert set(models.Reservation.objects.values_list("state", flat=True)) == {"RELEASED"}
    assert_sound()


def test_of_two_adjustments_from_one_figure_one_is_stale(make_product):
    product = make_product(CENTRAL=5)

    def adjust(counted):
        return services.adjust_stock(
            key=ids.new_id(),
            product_id=product.id,
            warehouse="CENTRAL",
            expected=5,
            counted=counted,
            reason="counted",
            actor="clerk",
            now=NOW,
        )

    outcomes = at_once(lambda: adjust(3), lambda: adjust(9))

    assert sorted(getattr(outcome, "code", "done") for outcome in outcomes) == ["done", "stale_figure"]
    assert_sound()


def test_versions_and_events_of_a_product_come_in_the_order_of_its_changes(make_product):
    product = make_product(CENTRAL=40)

    at_once(*(lambda n=n: buy(product, n) for n in range(40)))

    first = product.stock_version + 1
    assert [(event.version, event.available) for event in published()] == [
        (first + n, 39 - n) for n in range(40)
    ]


def test_the_end_and_the_listing_of_relisted_lots_at_once_leave_no_unit_to_a_rival(make_product):
    product = make_product(CENTRAL=10)
    for number in range(10):
        list_lot(product, f"old{number}")

    def end(number):
        lots.release_lot(auction_id=f"old{number}", product_id=product.id, relist_as=f"next{number}", now=NOW)

    def relist(number):
        list_lot(product, f"next{number}", relists=f"old{number}")

    calls = [lambda n=n, act=act: act(n) for n in range(10) for act in (end, relist)]
    calls += [lambda n=n: buy(product, n, "rival") for n in range(10)]
    outcomes = at_once(*calls)

    assert [getattr(outcome, "code", "") for outcome in outcomes[20:]] == ["sold_out"] * 10
    assert figures(product) == {"reserved": 10}
    heirs = models.Reservation.objects.filter(state="HELD", holder__startswith="next")
    assert [sum(lot.holdings.values_list("quantity", flat=True)) for lot in heirs] == [1] * 10
    answers = [event for event in published() if isinstance(event, events.LotAccepted | events.LotRefused)]
    assert sorted(event.auction_id for event in answers if isinstance(event, events.LotAccepted)) == sorted(
        [*(f"old{n}" for n in range(10)), *(f"next{n}" for n in range(10))]
    )
    assert len(answers) == 20
    assert_sound()


def count(product, warehouse, units, key):
    """Count `units` less than there are, and confirm the loss."""
    figure = {
        "key": key,
        "product_id": product.id,
        "warehouse": warehouse,
        "reason": "broken",
        "actor": "clerk",
        "now": NOW,
    }
    balance = models.Balance.objects.get(product=product, warehouse=warehouse)
    figure |= {"expected": balance.on_hand, "counted": max(0, balance.on_hand - units)}
    try:
        return services.adjust_stock(**figure)
    except refusals.LotsConcerned as concerned:
        return services.adjust_stock(**figure, confirmation=concerned.figures["confirmation"])


def test_a_count_and_the_commits_that_it_concerns_at_once_sell_no_broken_unit(make_product):
    product = make_product(CENTRAL=20)
    for number in range(20):
        buy(product, number)

    calls = [lambda n=n: commit(f"a-{n}") for n in range(20)]
    calls += [lambda n=n: count(product, "CENTRAL", 1, f"count {n}") for n in range(20)]
    at_once(*calls)

    states = list(models.Reservation.objects.values_list("state", flat=True))
    lost = units_of(models.Move.objects.filter(product=product, destination="LOSS"))
    assert states.count("LOST") == lost
    assert states.count("COMMITTED") == 20 - lost
    assert figures(product) == {"committed": 20 - lost}
    assert_sound()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_mixture_of_services_on_two_products_stays_sound(make_product, seed):
    products = [make_product(CENTRAL=3, HARBOUR=2), make_product(CENTRAL=1, HARBOUR=1)]

    def clerk_or_buyer(number):
        dice = random.Random(seed * 1000 + number)
        for _ in range(25):
            product = dice.choice(products)
            auction = f"{product.sku}:{dice.randrange(4)}"
            seller = f"{auction}{dice.choice(['', 'r'])}"
            sale = f"{seller}-{dice.randrange(6)}"
            quantity, warehouse = dice.randint(1, 2), dice.choice(["CENTRAL", "HARBOUR"])
            reserving, committing = f"saga:{sale}:reserve_stock", f"saga:{sale}:commit_stock"
            act = dice.choice(
                [
                    lambda p=product, a=auction, q=quantity: list_lot(p, a, q),
                    lambda p=product, a=auction: lots.release_lot(auction_id=a, product_id=p.id, now=NOW),
                    lambda p=product, s=sale, a=seller, q=quantity, k=reserving: sales.reserve(
                        key=k, sale_id=s, auction_id=a, product_id=p.id, quantity=q, now=NOW
                    ),
                    lambda s=sale, k=reserving: sales.release(key=k, sale_id=s, now=NOW),
                    lambda s=sale, k=committing: sales.commit(key=k, sale_id=s, now=NOW),
                    lambda s=sale, k=committing: sales.restock(key=k, sale_id=s, now=NOW),
                    lambda p=product: services.transfer_stock(
                        key=ids.new_id(),
                        product_id=p.id,
                        source="HARBOUR",
                        destination="CENTRAL",
                        quantity=1,
                        actor="clerk",
                        now=NOW,
                    ),
                    lambda p=product, a=auction: lots.release_lot(
                        auction_id=a, product_id=p.id, relist_as=f"{a}r", now=NOW
                    ),
                    lambda p=product, a=auction, q=quantity: list_lot(p, f"{a}r", q, relists=a),
                    lambda p=product, w=warehouse: count(p, w, 1, ids.new_id()),
                    lambda p=product, w=warehouse: receive(p, 1, w),
                    lambda: services.release_expired_lots(now=NOW + services.LISTING_WAIT),
                ]
            )
            try:
                act()
            except errors.Refused:
                continue

    at_once(*(lambda n=n: clerk_or_buyer(n) for n in range(12)))

    for product in products:
        moves = models.Move.objects.filter(product=product)
        came, lost = moves.filter(source="SUPPLIER"), moves.filter(destination="LOSS")
        assert sum(figures(product).values()) == units_of(came) - units_of(lost)
    assert_sound()


def test_overlapping_groups_in_opposite_orders_end_without_a_deadlock_and_act_once(make_product):
    products = [make_product(CENTRAL=100), make_product(CENTRAL=100)]
    orders = [range(40), range(59, 19, -1), range(60, 80), range(99, 79, -1)]

    def undo(request):
        return services.SaleRequest(
            key=request.key, correlation_id=request.correlation_id, sale_id=request.sale_id
        )

    def commit(request):
        return services.SaleRequest(
            key=f"saga:{request.sale_id}:commit_stock", correlation_id="c", sale_id=request.sale_id
        )

    wanted = [group_of(products, numbers) for numbers in orders]
    reserved = at_once(*(lambda g=group: services.reserve(g, now=NOW) for group in wanted))
    committed = at_once(
        *(lambda g=group: services.commit([commit(request) for request in g], now=NOW) for group in wanted)
    )
    restocked = at_once(
        *(lambda g=group: services.restock([commit(request) for request in g], now=NOW) for group in wanted)
    )
    released = at_once(
        *(lambda g=group: services.release([undo(request) for request in g], now=NOW) for group in wanted)
    )

    for outcomes, kind in (
        (reserved, services.Reserved),
        (committed, services.Committed),
        (restocked, services.Restocked),
        (released, services.Released),
    ):
        assert {type(outcome) for group in outcomes for outcome in group} == {kind}
    assert sorted(event.sale_id for event in published() if event.sale_id) == sorted(
        f"a-{n}" for n in range(100)
    )
    for product in products:
        versions = [event.version for event in published() if event.product_id == product.id]
        assert versions == [product.stock_version + n for n in range(1, 201)]
        assert figures(product) == {"available": 100}
    assert_sound()


def test_runs_of_listings_and_endings_in_opposite_orders_end_without_a_deadlock(make_product):
    products = [make_product(CENTRAL=40), make_product(CENTRAL=40)]

    def listings(numbers):
        return [
            services.Listing(
                auction_id=f"lot{n}",
                product_id=products[n % 2].id,
                quantity=1,
                requested_by="",
                as_operator=True,
                allocate="on_listing",
                correlation_id="c",
            )
            for n in numbers
        ]

    def endings(numbers):
        return [
            services.Ending(auction_id=f"lot{n}", product_id=products[n % 2].id, correlation_id="c")
            for n in numbers
        ]

    at_once(
        lambda: services.reserve_for_lots(listings(range(40)), now=NOW),
        lambda: services.reserve_for_lots(listings(range(39, -1, -1)), now=NOW),
        lambda: services.release_lots(endings(range(10, 40)), now=NOW),
        lambda: services.release_lots(endings(range(39, 4, -1)), now=NOW),
    )

    states = dict(models.Reservation.objects.values_list("holder", "state"))
    assert states == {f"lot{n}": "HELD" if n < 5 else "RELEASED" for n in range(40)}
    assert [figures(product) for product in products] == [
        {"available": 37, "reserved": 3},
        {"available": 38, "reserved": 2},
    ]
    assert_sound()


def test_a_product_that_is_created_many_times_at_once_under_one_key_is_one():
    def create():
        return services.create_product(
            product_id="c" * 32,
            sku="CLOCK-1",
            title="Clock",
            description="",
            condition="GOOD",
            owner_id="house",
            actor="operator",
            now=NOW,
        )

    outcomes = at_once(*(create for _ in range(10)))

    assert {product.id for product in outcomes} == {"c" * 32}
    assert models.Product.objects.count() == 1
