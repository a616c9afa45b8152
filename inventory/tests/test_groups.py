"""Groups: the same as one by one, in a number of statements that does not depend on the size of the group."""

import msgspec
import pytest
from django.db import connections, transaction
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auction_project.kernel import contracts, errors, ids
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import groups, steps
from inventory import books, invariants, models, refusals, services
from inventory.services import lots as lots_services
from inventory.services import sales as sales_services
from inventory.tests import sales
from inventory.tests.conftest import NOW, figures, published

pytestmark = pytest.mark.django_db(databases=["inventory"])
SIZES = (1, 50)


def to_reserve(product, number, quantity=1, auction="a"):
    sale_id = f"{auction}-{number}"
    return services.ReserveRequest(
        key=f"saga:{sale_id}:reserve_stock",
        correlation_id=f"correlation {number}",
        sale_id=sale_id,
        auction_id=auction,
        units=(events.Units(product_id=product.id, quantity=quantity),),
    )


def of_sale(request, step="commit_stock"):
    return services.SaleRequest(
        key=f"saga:{request.sale_id}:{step}",
        correlation_id=request.correlation_id,
        sale_id=request.sale_id,
    )


def to_list(product, auction="a", quantity=1, **changes):
    wanted = {"requested_by": "", "as_operator": True, "allocate": "on_listing", "correlation_id": auction}
    wanted |= {"format": "english", "currency": "EUR", "start_price": 1000}
    return services.Listing(auction_id=auction, product_id=product.id, quantity=quantity, **wanted | changes)


def to_end(product, auction="a", relist_as=None):
    return services.Ending(
        auction_id=auction, product_id=product.id, relist_as=relist_as, correlation_id=auction
    )


def assert_sound():
    assert [finding.violations for finding in invariants.check()] == [(), (), (), ()]


def statements_of(call):
    """How many statements the call sends, without those that open and close the test's savepoints."""
    with CaptureQueriesContext(connections["inventory"]) as sent:
        call()
    return [query["sql"] for query in sent.captured_queries if "SAVEPOINT" not in query["sql"]]


# --- the number of statements ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("products", [1, 2])
def test_a_group_of_sales_takes_as_many_statements_as_one_sale(make_product, size, products):
    stocks = [make_product(CENTRAL=size, HARBOUR=size) for _ in range(min(products, size))]
    sales = [to_reserve(stocks[number % len(stocks)], number) for number in range(size)]
    to_undo = [of_sale(sale, "reserve_stock") for sale in sales]

    counts = {
        "reserve": len(statements_of(lambda: services.reserve(sales, now=NOW))),
        "commit": len(statements_of(lambda: services.commit([of_sale(s) for s in sales], now=NOW))),
        "restock": len(statements_of(lambda: services.restock([of_sale(s) for s in sales], now=NOW))),
        "release": len(statements_of(lambda: services.release(to_undo, now=NOW))),
    }

    assert counts == {"reserve": 6, "commit": 6, "restock": 8, "release": 9}
    assert sum(stock.stock_version for stock in models.Product.objects.all()) == 4 * size + 2 * len(stocks)
    assert_sound()


@pytest.mark.parametrize("size", SIZES)
def test_a_group_of_sales_of_a_lot_takes_as_many_statements_as_one_sale(make_product, size):
    product = make_product(CENTRAL=size)
    services.reserve_for_lots([to_list(product, quantity=size)], now=NOW)
    sales = [to_reserve(product, number) for number in range(size)]

    statements = statements_of(lambda: services.reserve(sales, now=NOW))

    assert len(statements) == 7
    assert models.Holding.objects.filter(from_lot=1).count() == size
    assert_sound()


@pytest.mark.parametrize("size", SIZES)
def test_a_run_of_listings_and_one_of_endings_take_as_many_statements_as_one_lot(make_product, size):
    product = make_product(CENTRAL=size)
    numbers = range(size)

    listed = statements_of(
        lambda: services.reserve_for_lots([to_list(product, f"a{n}") for n in numbers], now=NOW)
    )
    passed_on = statements_of(
        lambda: services.release_lots([to_end(product, f"a{n}", f"b{n}") for n in numbers], now=NOW)
    )
    relisted = statements_of(
        lambda: services.reserve_for_lots(
            [to_list(product, f"b{n}", relists=f"a{n}") for n in numbers], now=NOW
        )
    )
    ended = statements_of(lambda: services.release_lots([to_end(product, f"b{n}") for n in numbers], now=NOW))

    assert [len(sent) for sent in (listed, passed_on, relisted, ended)] == [10, 9, 7, 11]
    assert figures(product) == {"available": size}
    assert_sound()


def test_every_lock_of_several_rows_takes_them_in_primary_key_order(make_product):
    product = make_product(CENTRAL=2)
    services.reserve_for_lots([to_list(product)], now=NOW)
    sales = [to_reserve(product, number) for number in range(2)]
    undoings = [of_sale(sale, "reserve_stock") for sale in sales]

    statements = statements_of(lambda: services.reserve(sales, now=NOW))
    statements += statements_of(lambda: services.release(undoings, now=NOW))
    statements += statements_of(lambda: services.release_lots([to_end(product)], now=NOW))

    orders = [sql.partition(" ORDER BY ")[2] for sql in statements if "FOR UPDATE" in sql]
    products = '"inventory_product"."id" ASC FOR UPDATE'
    balances = '"inventory_balance"."id" ASC FOR UPDATE OF "inventory_balance"'
    reservations = '"inventory_reservation"."id" ASC FOR UPDATE'
    steps_there = '"inventory_once"."key" ASC FOR UPDATE'
    stock = [products, balances, reservations]
    assert orders == [*stock, steps_there, *stock, *stock]


@pytest.mark.parametrize("size", SIZES)
def test_a_repeated_group_of_sales_writes_nothing(make_product, size):
    product = make_product(CENTRAL=size)
    sales = [to_reserve(product, number) for number in range(size)]
    first = services.reserve(sales, now=NOW)
    models.Outbox.objects.all().delete()

    statements = statements_of(lambda: services.reserve(sales, now=NOW))

    assert services.reserve(sales, now=NOW) == first
    assert (len(statements), published()) == (3, [])


def test_a_thousand_sales_of_one_product_lock_it_ten_times(make_product):
    product = make_product(CENTRAL=1000)
    sales = [to_reserve(product, number) for number in range(1000)]

    statements = statements_of(lambda: [services.reserve(group, now=NOW) for group in groups.split(sales)])

    locks = [sql for sql in statements if 'FROM "inventory_product"' in sql and "FOR UPDATE" in sql]
    assert (len(locks), len(statements)) == (10, 60)
    assert figures(product) == {"reserved": 1000}
    assert_sound()


# --- each member for itself ----------------------------------------------------------------------------------------


def test_the_member_that_meets_the_end_is_sold_out_and_costs_only_itself(make_product):
    product = make_product(CENTRAL=2, HARBOUR=1)
    wanted = [to_reserve(product, number, quantity) for number, quantity in enumerate((1, 3, 2, 1))]

    outcomes = services.reserve(wanted, now=NOW)

    assert [type(outcome) for outcome in outcomes] == [
        services.Reserved,
        refusals.SoldOut,
        services.Reserved,
        refusals.SoldOut,
    ]
    assert [outcomes[1].figures, outcomes[3].figures] == [
        sales.short(product, available=2, asked=3),
        sales.short(product, available=0, asked=1),
    ]
    assert outcomes[2].warehouses == ("CENTRAL", "HARBOUR")
    assert [(event.sale_id, event.available) for event in published()] == [("a-0", 2), ("a-2", 0)]
    assert set(models.Move.objects.filter(kind="RESERVE").values_list("reference", flat=True)) == {
        "sale:a-0",
        "sale:a-2",
    }
    assert figures(product) == {"reserved": 3}
    assert_sound()


def test_a_poisoned_member_costs_only_itself_and_may_come_again(make_product, monkeypatch):
    product = make_product(CENTRAL=9)
    wanted = [to_reserve(product, number) for number in range(5)]
    decide = sales_services._reserve

    def fail_for_one(stock, request, now):
        outcome = decide(stock, request, now)
        if request.sale_id == "a-2":
            raise RuntimeError("poison")
        return outcome

    with monkeypatch.context() as poisoned:
        poisoned.setattr(sales_services, "_reserve", fail_for_one)
        outcomes = services.reserve(wanted, now=NOW)

    assert [str(outcome) for outcome in outcomes if isinstance(outcome, Exception)] == ["poison"]
    assert isinstance(outcomes[2], RuntimeError)
    assert [event.sale_id for event in published()] == ["a-0", "a-1", "a-3", "a-4"]
    assert figures(product) == {"available": 5, "reserved": 4}
    again = services.reserve(wanted, now=NOW)
    assert [type(outcome) for outcome in again] == [services.Reserved] * 5
    assert figures(product) == {"available": 4, "reserved": 5}
    assert_sound()


def test_a_committed_member_refuses_its_release_and_the_others_are_released(make_product):
    product = make_product(CENTRAL=3)
    sales = [to_reserve(product, number) for number in range(3)]
    services.reserve(sales, now=NOW)
    services.commit([of_sale(sales[1])], now=NOW)

    outcomes = services.release([of_sale(sale, "reserve_stock") for sale in sales], now=NOW)

    assert [type(outcome) for outcome in outcomes] == [
        services.Released,
        refusals.WrongState,
        services.Released,
    ]
    assert figures(product) == {"available": 2, "committed": 1}
    assert_sound()


def test_a_group_holds_new_repeated_undone_and_unknown_members(make_product):
    product = make_product(CENTRAL=3)
    old, undone, new = (to_reserve(product, number) for number in range(3))
    nowhere = services.ReserveRequest(
        key="k",
        correlation_id="c",
        sale_id="s",
        auction_id="a",
        units=(events.Units(product_id="f" * 32, quantity=1),),
    )
    services.reserve([old], now=NOW)
    services.release([of_sale(undone, "reserve_stock")], now=NOW)

    outcomes = services.reserve([nowhere, undone, old, new], now=NOW)

    reserved = services.Reserved(quantity=1, from_lot=0, warehouses=("CENTRAL",))
    assert [type(outcome) for outcome in outcomes[:2]] == [refusals.UnknownProduct, steps.Voided]
    assert outcomes[2:] == [reserved, reserved]
    assert figures(product) == {"available": 1, "reserved": 2}


def test_two_steps_for_one_sale_in_a_group_are_one_reservation(make_product):
    product = make_product(CENTRAL=3)
    first = to_reserve(product, 1)

    outcomes = services.reserve([first, msgspec.structs.replace(first, key="another key")], now=NOW)

    assert [type(outcome) for outcome in outcomes] == [services.Reserved, refusals.AlreadyReserved]
    assert figures(product) == {"available": 2, "reserved": 1}


# --- what is published -----------------------------------------------------------------------------------------------


def test_each_member_has_its_version_its_figures_and_its_correlation_id(make_product):
    product = make_product(CENTRAL=40)

    services.reserve([to_reserve(product, number) for number in range(40)], now=NOW)

    first = product.stock_version + 1
    assert [(e.version, e.sale_id, e.available) for e in published()] == [
        (first + n, f"a-{n}", 39 - n) for n in range(40)
    ]
    bodies = models.Outbox.objects.order_by("id").values_list("body", flat=True)
    assert [contracts.decode(bytes(body))[0].correlationid for body in bodies] == [
        f"correlation {n}" for n in range(40)
    ]
    assert list(
        models.Move.objects.filter(kind="RESERVE").order_by("id").values_list("version", "reference")
    ) == [(first + n, f"sale:a-{n}") for n in range(40)]


def test_low_stock_and_depletion_are_published_by_the_members_that_bring_them_about(make_product):
    product = make_product(CENTRAL=4, threshold=2)
    sales = [to_reserve(product, number) for number in range(4)]

    services.reserve(sales, now=NOW)
    services.commit([of_sale(sale) for sale in sales], now=NOW)

    assert [type(event).__name__ for event in published()] == [
        "StockChanged",
        "StockChanged",
        "StockLow",
        *["StockChanged"] * 6,
        "StockDepleted",
    ]
    product.refresh_from_db()
    assert (product.is_low, product.stock_version) == (True, published()[-1].version)


# --- groups against one by one ---------------------------------------------------------------------------------------


class World:
    """Two products, and what their sales and lots ask, under names of its own."""

    def __init__(self, make_product, name):
        self.name = name
        self.products = [make_product(CENTRAL=3, HARBOUR=2), make_product(CENTRAL=1, HARBOUR=4, threshold=3)]

    def requests(self, kind, members):
        if kind == "list":
            return [
                to_list(
                    self.products[product],
                    self.auction(auction),
                    quantity,
                    allocate="on_sale" if sale % 3 == 0 else "on_listing",
                    relists=self.auction(auction - 1) if sale % 2 else None,
                )
                for sale, auction, product, quantity in members
            ]
        if kind == "end":
            return [
                to_end(
                    self.products[product],
                    self.auction(auction),
                    self.auction(auction + 1) if sale % 2 else None,
                )
                for sale, auction, product, _ in members
            ]
        sales = {
            sale: to_reserve(self.products[product], sale, quantity, self.auction(auction))
            for sale, auction, product, quantity in members
        }
        if kind == "reserve":
            return [
                msgspec.structs.replace(
                    request, sale_id=self.sale(sale), key=f"{self.sale(sale)}:reserve_stock"
                )
                for sale, request in sales.items()
            ]
        step = "reserve_stock" if kind == "release" else "commit_stock"
        return [
            services.SaleRequest(
                key=f"{self.sale(sale)}:{step}", correlation_id=f"correlation {sale}", sale_id=self.sale(sale)
            )
            for sale in sales
        ]

    def auction(self, number):
        return f"{self.name}:{number}"

    def sale(self, number):
        return f"{self.name}:sale-{number}"

    def state(self):
        """Every figure, reservation, move and event, with the names that both worlds have."""
        ours = models.Reservation.objects.filter(auction_id__startswith=f"{self.name}:").order_by(
            "kind", "holder"
        )
        read = [
            [in_order(models.Balance.objects.filter(product=product)) for product in self.products],
            [
                (
                    row.kind,
                    row.holder,
                    row.product_id,
                    row.quantity,
                    row.state,
                    row.listing_due_at is None,
                    held(row),
                )
                for row in ours
            ],
            list(
                models.Move.objects.filter(product__in=self.products)
                .exclude(kind="RECEIVE")
                .order_by("id")
                .values_list("product", "version", "kind", "quantity", "source", "destination", "reference")
            ),
            [
                contracts.decode(bytes(row.body))[1]
                for row in models.Outbox.objects.order_by("id")
                if self.name in bytes(row.body).decode() or row.key in [p.id for p in self.products]
            ],
        ]
        text = repr(read).replace(f"{self.name}:", "")
        for number, product in enumerate(self.products):
            text = text.replace(product.id, f"product {number}").replace(product.sku, "")
        return text


def held(reservation):
    return list(reservation.holdings.order_by("warehouse").values_list("warehouse", "quantity", "from_lot"))


def in_order(balances):
    rows = balances.order_by("warehouse")
    return list(rows.values_list("warehouse", "available", "reserved", "committed", "set_aside"))


MEMBERS = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 3), st.integers(0, 1), st.integers(1, 3)),
    min_size=1,
    max_size=8,
)
MIX = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "reserve", "commit", "release", "restock", "list", "end"]), MEMBERS
    ),
    min_size=1,
    max_size=8,
)
ACTS = {
    "reserve": services.reserve,
    "commit": services.commit,
    "release": services.release,
    "restock": services.restock,
    "list": services.reserve_for_lots,
    "end": services.release_lots,
}


def outcome_of(outcome):
    return (
        (type(outcome).__name__, getattr(outcome, "figures", None) and outcome.code)
        if isinstance(outcome, Exception)
        else outcome
    )


@given(mix=MIX)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_groups_come_to_what_their_members_come_to_one_by_one(make_product, mix):
    together, alone = World(make_product, ids.new_id()), World(make_product, ids.new_id())
    models.Outbox.objects.all().delete()

    for kind, members in mix:
        grouped = ACTS[kind](together.requests(kind, members), now=NOW)
        single = [ACTS[kind]([request], now=NOW) for request in alone.requests(kind, members)]
        if kind not in ("list", "end"):
            assert [outcome_of(outcome) for outcome in grouped] == [outcome_of(o) for (o,) in single]

    assert together.state() == alone.state()
    assert_sound()


# --- lots ------------------------------------------------------------------------------------------------------------


def test_of_a_run_of_listings_the_one_that_meets_the_end_is_refused(make_product):
    product = make_product(CENTRAL=2)

    services.reserve_for_lots(
        [to_list(product, f"a{n}", quantity) for n, quantity in enumerate((1, 2, 1))], now=NOW
    )

    answers = [event for event in published() if isinstance(event, events.LotAccepted | events.LotRefused)]
    assert [(type(e).__name__, e.auction_id) for e in answers] == [
        ("LotAccepted", "a0"),
        ("LotRefused", "a1"),
        ("LotAccepted", "a2"),
    ]
    assert figures(product) == {"reserved": 2}
    assert_sound()


def test_a_listing_and_its_repeat_in_one_run_are_answered_once(make_product):
    product = make_product(CENTRAL=2)

    services.reserve_for_lots([to_list(product)] * 2, now=NOW)

    assert [type(event).__name__ for event in published()] == ["StockChanged", "LotAccepted"]
    assert figures(product) == {"available": 1, "reserved": 1}


def test_an_expired_lot_that_cannot_be_freed_costs_only_itself(make_product, monkeypatch):
    product = make_product(CENTRAL=3)
    services.reserve_for_lots([to_list(product, f"a{n}") for n in range(3)], now=NOW)
    services.release_lots([to_end(product, f"a{n}", f"b{n}") for n in range(3)], now=NOW)
    free = lots_services._release

    def fail_for_one(stock, lot, now):
        if lot.holder == "b1":
            raise RuntimeError("poison")
        free(stock, lot, now)

    monkeypatch.setattr(lots_services, "_release", fail_for_one)
    with pytest.raises(RuntimeError, match="poison"):
        services.release_expired_lots(now=NOW + services.LISTING_WAIT)

    assert figures(product) == {"available": 2, "reserved": 1}
    assert_sound()


def test_a_lot_that_has_come_into_being_since_the_locks_is_an_outage_and_not_changed(make_product):
    product = make_product(CENTRAL=1)
    services.reserve_for_lots([to_list(product)], now=NOW)

    with transaction.atomic(using="inventory"), books.opened([]) as stock:
        (lot,) = stock.lock_reservations(Q(holder="a"))
        with pytest.raises(errors.Unavailable):
            stock.product_of(lot)
