"""Requests for returns: who may ask, decide, withdraw and see, until when, once, what a return ends, and what the database itself refuses."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from auction_project.kernel import errors
from auction_project.kernel.contracts import events
from orders import exceptions, models, services
from orders.tests import sales
from orders.tests.parcels import (
    CHAIR,
    LAMP,
    OPERATOR,
    SELLER,
    STRANGER,
    back,
    bring_back,
    buyer,
    of_order,
    published,
    ship,
    to_seller,
)

pytestmark = pytest.mark.django_db(databases=["orders"])

DAY = timedelta(days=1)
REASON = "It is scratched."


def ask(
    sale: sales.Sale,
    units: dict[str, int],
    *,
    key: str = "k",
    actor: services.Actor | None = None,
    reason: str = REASON,
    now: datetime = sales.NOW,
) -> list[models.ReturnRequest]:
    return services.request_return(
        order_number=sale.order_number,
        key=key,
        lines=[
            services.Units(product_id=product_id, quantity=number) for product_id, number in units.items()
        ],
        reason=reason,
        actor=actor or buyer(sale),
        now=now,
    )


def decide(
    sale: sales.Sale,
    request: models.ReturnRequest,
    actor: services.Actor = OPERATOR,
    *,
    accept: bool = True,
    reason: str = "Send it back.",
) -> models.ReturnRequest:
    return services.decide_return(
        order_number=sale.order_number,
        request_id=request.pk,
        accept=accept,
        reason=reason,
        actor=actor,
        now=sales.NOW,
    )


def shipped() -> sales.Sale:
    """Two lamps of the house and a chair of SELLER, which are with their buyer."""
    sale = sales.confirmed_sale()
    ship(sale)
    return sale


def states() -> list[tuple[str, str]]:
    """(seller, state) of each request, in the order of the sellers; of one seller, oldest first."""
    asked = models.ReturnRequestFact.objects.filter(kind="ASKED").order_by("request__owner_id", "pk")
    return list(asked.values_list("request__owner_id", "request__state"))


def facts(request: models.ReturnRequest) -> list[tuple[str, str, str]]:
    return list(request.facts.values_list("kind", "actor", "detail"))


def counts() -> tuple[int, ...]:
    """How much has happened."""
    tables = (models.ReturnRequest, models.ReturnRequestLine, models.ReturnRequestFact, models.Outbox)
    return tuple(table.objects.count() for table in tables)


# --- to ask ------------------------------------------------------------------------------------------------------------


def test_a_buyer_asks_and_the_seller_learns_it() -> None:
    sale = shipped()

    [request] = ask(sale, {CHAIR: 1})

    assert (states(), facts(request)) == (
        [(sales.SELLER, "ASKED")],
        [("ASKED", sale.user_id, REASON)],
    )
    assert published(events.ReturnRequested) == [
        events.ReturnRequested(
            **of_order(sale),
            request_id=request.pk,
            seller_id=sales.SELLER,
            lines=(events.Units(product_id=CHAIR, quantity=1),),
            reason=REASON,
        )
    ]
    assert published(events.LinesReturnRequested, events.HouseReturnRequested) == [
        events.LinesReturnRequested(
            **to_seller(sale), quantity=1, amount=8550, request_id=request.pk, reason=REASON
        )
    ]


def test_lines_of_two_sellers_are_a_request_to_each_and_the_house_has_operators() -> None:
    sale = shipped()

    of_house, of_seller = ask(sale, {LAMP: 1, CHAIR: 1})

    assert {(one.owner_id, one.lines.get().quantity) for one in (of_house, of_seller)} == {
        ("house", 1),
        (sales.SELLER, 1),
    }
    [notice] = published(events.HouseReturnRequested)
    assert isinstance(notice, events.HouseReturnRequested)
    assert (notice.user_id, notice.title, notice.quantity, notice.amount) == ("house", "A lamp", 1, 2000)


def test_a_repeated_request_is_the_same_and_another_one_under_its_key_is_refused() -> None:
    sale = shipped()
    [first] = ask(sale, {LAMP: 1})
    before = counts()

    assert [one.pk for one in ask(sale, {LAMP: 1})] == [first.pk]
    with pytest.raises(errors.KeyReused):
        ask(sale, {LAMP: 2})

    assert counts() == before


@pytest.mark.parametrize("actor", [OPERATOR, SELLER])
def test_only_the_buyer_asks(actor: services.Actor) -> None:
    sale = shipped()
    before = counts()

    with pytest.raises(exceptions.NotForYou):
        ask(sale, {LAMP: 1}, actor=actor)
    with pytest.raises(exceptions.OrderNotFound):
        ask(sale, {LAMP: 1}, actor=STRANGER)

    assert counts() == before


def test_what_is_not_shipped_is_not_asked_for() -> None:
    sale = sales.confirmed_sale()
    ship(sale, SELLER)
    before = counts()

    with pytest.raises(exceptions.OrderNotShipped):
        ask(sale, {LAMP: 1, CHAIR: 1})

    assert counts() == before


@pytest.mark.parametrize(("product_id", "units", "possible"), [(LAMP, 2, 1), (CHAIR, 2, 1), ("f" * 32, 1, 0)])
def test_no_more_is_asked_for_than_the_buyer_has(product_id: str, units: int, possible: int) -> None:
    sale = shipped()
    bring_back(sale, back(LAMP, 1))
    before = counts()

    with pytest.raises(exceptions.TooManyReturned) as refused:
        ask(sale, {product_id: units})

    assert refused.value.figures == {"product_id": product_id, "asked": units, "possible": possible}
    assert counts() == before


def test_a_part_has_one_running_request_and_another_one_after_it() -> None:
    sale = shipped()
    [first] = ask(sale, {LAMP: 1})
    before = counts()

    with pytest.raises(exceptions.ReturnAskedAlready):
        ask(sale, {LAMP: 1, CHAIR: 1}, key="l")
    assert counts() == before
    decide(sale, first, accept=False, reason="No.")
    ask(sale, {LAMP: 2}, key="m", reason="It is broken, too.")

    assert states() == [("house", "DECLINED"), ("house", "ASKED")]


@pytest.mark.parametrize("is_delivered", [True, False])
def test_the_time_to_ask_runs_from_the_delivery_or_else_from_the_shipment(
    settings: Any, is_delivered: bool
) -> None:
    settings.RETURN_DAYS = 14
    sale = shipped()
    start = sales.NOW
    if is_delivered:
        start += 3 * DAY
        services.deliver_order(order_number=sale.order_number, actor=OPERATOR, now=start)
    end, before = start + 14 * DAY, counts()

    with pytest.raises(exceptions.ReturnTooLate) as refused:
        ask(sale, {LAMP: 1}, now=end + timedelta(milliseconds=1))
    assert refused.value.figures == {"until": int(end.timestamp() * 1000), "days": 14}
    assert counts() == before
    ask(sale, {LAMP: 1}, now=end)

    assert states() == [("house", "ASKED")]


def test_a_house_that_takes_nothing_back_refuses_each_request(settings: Any) -> None:
    settings.RETURN_DAYS = 0
    sale = shipped()

    with pytest.raises(exceptions.ReturnTooLate):
        ask(sale, {LAMP: 1})

    assert states() == []


@pytest.mark.parametrize("reason", ["", " \n", "x" * 501])
def test_a_request_says_why(reason: str) -> None:
    sale = shipped()

    with pytest.raises(exceptions.InvalidText):
        ask(sale, {LAMP: 1}, reason=reason)

    assert states() == []


# --- to decide ---------------------------------------------------------------------------------------------------------


def test_the_seller_accepts_and_the_buyer_learns_it() -> None:
    sale = shipped()
    [request] = ask(sale, {CHAIR: 1})

    decide(sale, request, SELLER, reason="")

    assert facts(request)[1:] == [("ACCEPTED", sales.SELLER, "")]
    assert published(events.ReturnDecided) == [
        events.ReturnDecided(
            **of_order(sale), request_id=request.pk, seller_id=sales.SELLER, accepted=True, reason=""
        )
    ]
    assert published(events.LinesReturnDecided, events.HouseReturnDecided) == [
        events.LinesReturnDecided(
            **to_seller(sale), quantity=1, amount=8550, request_id=request.pk, accepted=True, reason=""
        )
    ]


def test_a_repeated_decision_changes_nothing_and_another_one_is_refused() -> None:
    sale = shipped()
    [request] = ask(sale, {CHAIR: 1})
    decide(sale, request, SELLER, accept=False, reason="It was sold as it is.")
    before = counts()

    decide(sale, request, SELLER, accept=False, reason="It was sold as it is.")
    for accept, reason in ((True, ""), (False, "Another reason.")):
        with pytest.raises(exceptions.ReturnDecided):
            decide(sale, request, SELLER, accept=accept, reason=reason)

    assert (counts(), states()) == (before, [(sales.SELLER, "DECLINED")])


def test_a_decline_says_why() -> None:
    sale = shipped()
    [request] = ask(sale, {CHAIR: 1})

    with pytest.raises(exceptions.InvalidText):
        decide(sale, request, SELLER, accept=False, reason=" ")

    assert states() == [(sales.SELLER, "ASKED")]


def test_an_operator_may_still_decline_what_was_accepted_and_a_seller_may_not() -> None:
    sale = shipped()
    [request] = ask(sale, {CHAIR: 1})
    decide(sale, request, SELLER)

    with pytest.raises(exceptions.ReturnDecided):
        decide(sale, request, SELLER, accept=False, reason="Changed my mind.")
    assert states() == [(sales.SELLER, "ACCEPTED")]
    decide(sale, request, accept=False, reason="Nothing came back.")

    assert states() == [(sales.SELLER, "DECLINED")]
    assert len(published(events.ReturnDecided)) == 2


def test_the_buyer_and_the_seller_of_another_part_do_not_decide() -> None:
    sale = shipped()
    [of_house] = ask(sale, {LAMP: 1})

    with pytest.raises(exceptions.NotForYou):
        decide(sale, of_house, buyer(sale))
    with pytest.raises(exceptions.NotForYou):
        decide(sale, of_house, services.Actor(user_id=sale.user_id, is_operator=True))
    with pytest.raises(exceptions.ReturnRequestNotFound):
        decide(sale, of_house, SELLER)
    with pytest.raises(exceptions.OrderNotFound):
        decide(sale, of_house, STRANGER)

    assert states() == [("house", "ASKED")]


@pytest.mark.parametrize("request_id", ["f" * 32, "x", "\x00"])
def test_a_request_that_is_not_there_is_not_found(request_id: str) -> None:
    sale, other = shipped(), shipped()
    [request] = ask(other, {LAMP: 1})

    for unknown in (request_id, request.pk):
        with pytest.raises(exceptions.ReturnRequestNotFound):
            decide(sale, models.ReturnRequest(pk=unknown))

    assert states() == [("house", "ASKED")]


# --- to withdraw -------------------------------------------------------------------------------------------------------


def withdraw(
    sale: sales.Sale, request: models.ReturnRequest, actor: services.Actor | None = None
) -> models.ReturnRequest:
    return services.withdraw_return(
        order_number=sale.order_number, request_id=request.pk, actor=actor or buyer(sale), now=sales.NOW
    )


@pytest.mark.parametrize("accepted", [False, True])
def test_a_buyer_withdraws_a_request_once_and_may_ask_again(accepted: bool) -> None:
    sale = shipped()
    [request] = ask(sale, {CHAIR: 1})
    if accepted:
        decide(sale, request, SELLER)

    withdraw(sale, request)
    before = counts()
    withdraw(sale, request)

    assert (counts(), states()) == (before, [(sales.SELLER, "WITHDRAWN")])
    assert facts(request)[-1] == ("WITHDRAWN", sale.user_id, "")
    assert published(events.ReturnWithdrawn) == [
        events.ReturnWithdrawn(**of_order(sale), request_id=request.pk, seller_id=sales.SELLER)
    ]
    assert published(events.LinesReturnWithdrawn, events.HouseReturnWithdrawn) == [
        events.LinesReturnWithdrawn(
            **to_seller(sale), quantity=1, amount=8550, request_id=request.pk, reason=REASON
        )
    ]
    ask(sale, {CHAIR: 1}, key="l")
    assert states() == [(sales.SELLER, "WITHDRAWN"), (sales.SELLER, "ASKED")]


def test_operators_learn_that_a_request_of_the_houses_lines_is_withdrawn() -> None:
    sale = shipped()
    [request] = ask(sale, {LAMP: 1})

    withdraw(sale, request, services.Actor(user_id=sale.user_id, is_operator=True))

    [notice] = published(events.LinesReturnWithdrawn, events.HouseReturnWithdrawn)
    assert isinstance(notice, events.HouseReturnWithdrawn)
    assert (notice.user_id, notice.request_id, notice.quantity) == ("house", request.pk, 1)


def test_only_the_buyer_withdraws() -> None:
    sale = shipped()
    of_house, of_seller = ask(sale, {LAMP: 1, CHAIR: 1})
    before = counts()

    for request, actor, refusal in (
        (of_seller, SELLER, exceptions.NotForYou),
        (of_seller, OPERATOR, exceptions.NotForYou),
        (of_house, SELLER, exceptions.ReturnRequestNotFound),
        (of_house, STRANGER, exceptions.OrderNotFound),
    ):
        with pytest.raises(refusal):
            withdraw(sale, request, actor)

    assert (counts(), states()) == (before, [(sales.SELLER, "ASKED"), ("house", "ASKED")])


def test_what_is_over_is_not_withdrawn_and_what_is_withdrawn_is_not_decided() -> None:
    sale = shipped()
    of_house, of_seller = ask(sale, {LAMP: 1, CHAIR: 1})
    bring_back(sale, back(LAMP, 1))
    decide(sale, of_seller, accept=False, reason="No.")
    [withdrawn] = ask(sale, {CHAIR: 1}, key="l")
    withdraw(sale, withdrawn)
    before = counts()

    for request, state in ((of_house, "RETURNED"), (of_seller, "DECLINED")):
        with pytest.raises(exceptions.ReturnDecided) as refused:
            withdraw(sale, request)
        assert refused.value.figures == {"state": state}
    for accept, actor in ((True, SELLER), (False, OPERATOR)):
        with pytest.raises(exceptions.ReturnDecided):
            decide(sale, withdrawn, actor, accept=accept)

    assert (counts(), [state for _, state in states()]) == (before, ["DECLINED", "WITHDRAWN", "RETURNED"])


def test_a_withdrawn_request_stays_so_when_its_units_come_back_all_the_same() -> None:
    sale = shipped()
    [request] = ask(sale, {CHAIR: 1})
    withdraw(sale, request)

    bring_back(sale, back(CHAIR, 1))

    assert states() == [(sales.SELLER, "WITHDRAWN")]
    assert [event.request_ids for event in published(events.OrderReturned)] == [()]  # type: ignore[attr-defined]


# --- when a seller does not answer -------------------------------------------------------------------------------------


def test_operators_are_asked_once_when_a_seller_does_not_answer_in_time(settings: Any) -> None:
    settings.RETURN_DECIDE_DAYS = 3
    sale = shipped()
    _, of_seller = ask(sale, {LAMP: 1, CHAIR: 1})
    models.Outbox.objects.all().delete()

    early = services.escalate_returns(now=sales.NOW + 3 * DAY - timedelta(milliseconds=1))
    first, again = (services.escalate_returns(now=sales.NOW + number * DAY) for number in (3, 4))

    assert (early, first, again) == (0, 1, 0)
    assert published(events.LinesReturnRequested, events.HouseReturnRequested) == [
        events.HouseReturnRequested(
            **to_seller(sale), quantity=1, amount=8550, request_id=of_seller.pk, reason=REASON
        )
    ]
    assert states() == [(sales.SELLER, "ASKED"), ("house", "ASKED")]


@pytest.mark.parametrize("end", ["accept", "withdraw"])
@pytest.mark.parametrize("escalated", [False, True])
def test_operators_who_were_asked_hear_of_the_end_as_its_seller_does(end: str, escalated: bool) -> None:
    sale = shipped()
    [request] = ask(sale, {CHAIR: 1})
    if escalated:
        services.escalate_returns(now=sales.NOW + 30 * DAY)

    if end == "accept":
        decide(sale, request, SELLER)
    else:
        withdraw(sale, request)

    to_operators = published(events.HouseReturnDecided, events.HouseReturnWithdrawn)
    assert [event.request_id for event in to_operators] == [request.pk] * escalated  # type: ignore[attr-defined]
    assert len(published(events.LinesReturnDecided, events.LinesReturnWithdrawn)) == 1


@pytest.mark.parametrize("end", ["decline", "withdraw", "return"])
def test_operators_are_not_asked_for_what_is_answered(end: str) -> None:
    sale = shipped()
    [request] = ask(sale, {CHAIR: 1})
    match end:
        case "decline":
            decide(sale, request, SELLER, accept=False)
        case "withdraw":
            withdraw(sale, request)
        case _:
            bring_back(sale, back(CHAIR, 1))

    assert services.escalate_returns(now=sales.NOW + 30 * DAY) == 0


# --- its end -----------------------------------------------------------------------------------------------------------


def test_the_return_ends_the_request_and_the_rest_may_be_asked_for_again() -> None:
    sale = shipped()
    [request] = ask(sale, {LAMP: 2})
    decide(sale, request)

    returned = bring_back(sale, back(LAMP, 1))

    request.refresh_from_db()
    assert (request.state, request.returned) == ("RETURNED", returned)
    assert [event.request_ids for event in published(events.OrderReturned)] == [(request.pk,)]  # type: ignore[attr-defined]
    ask(sale, {LAMP: 1}, key="l")
    assert states() == [("house", "RETURNED"), ("house", "ASKED")]


def test_a_return_of_what_nobody_has_decided_accepts_it_and_each_seller_reads_of_their_own_request() -> None:
    sale = shipped()
    requests = {one.owner_id: one.pk for one in ask(sale, {LAMP: 1, CHAIR: 1})}

    bring_back(sale, back(LAMP, 1), back(CHAIR, 1))

    assert states() == [(sales.SELLER, "RETURNED"), ("house", "RETURNED")]
    assert len(published(events.ReturnDecided)) == 2
    [notice] = published(events.LinesReturned)
    assert isinstance(notice, events.LinesReturned)
    assert notice.request_ids == (requests[sales.SELLER],)


def test_a_return_of_something_else_leaves_the_request_as_it_is() -> None:
    sale = sales.confirmed_sale(
        sales.line(LAMP, 1, 4000, sales.SELLER), sales.line(CHAIR, 1, 8550, sales.SELLER)
    )
    ship(sale)
    ask(sale, {CHAIR: 1})

    bring_back(sale, back(LAMP, 1))

    assert states() == [(sales.SELLER, "ASKED")]


# --- the database ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"state": "RETURNED"}, "cannot become RETURNED"),
        ({"state": "ASKED"}, "cannot become ASKED"),
        *(
            ({column: value, "state": "DECLINED"}, "keeps what it asks for")
            for column, value in (
                ("id", "e" * 32),
                ("owner_id", sales.SELLER),
                ("key", "l"),
                ("digest", "d"),
                ("reason", "x"),
                ("at", sales.NOW + DAY),
            )
        ),
    ],
)
def test_the_database_itself_keeps_a_request_as_it_is(change: dict[str, Any], refusal: str) -> None:
    sale = shipped()
    ask(sale, {LAMP: 1})

    with pytest.raises(IntegrityError, match=refusal), transaction.atomic(using="orders"):
        models.ReturnRequest.objects.update(**change)

    assert states() == [("house", "ASKED")]


@pytest.mark.parametrize("target", ["ASKED", "ACCEPTED"])
def test_the_database_itself_keeps_a_withdrawn_request_withdrawn(target: str) -> None:
    sale = shipped()
    [request] = ask(sale, {LAMP: 1})
    withdraw(sale, request)

    with pytest.raises(IntegrityError, match="cannot become"), transaction.atomic(using="orders"):
        models.ReturnRequest.objects.update(state=target)

    assert states() == [("house", "WITHDRAWN")]


def test_the_database_itself_allows_one_running_request_of_a_part() -> None:
    sale = shipped()
    [request] = ask(sale, {LAMP: 1})

    with pytest.raises(IntegrityError, match="one_running"), transaction.atomic(using="orders"):
        models.ReturnRequest.objects.create(
            id="e" * 32,
            order=request.order,
            owner_id="house",
            key="l",
            digest="d",
            reason="r",
            at=sales.NOW,
        )

    assert states() == [("house", "ASKED")]


@pytest.mark.parametrize(
    ("product_id", "quantity", "refusal"),
    [(LAMP, 3, "no more units"), (CHAIR, 1, "not of the part of request")],
)
def test_the_database_itself_refuses_units_that_a_part_does_not_have(
    product_id: str, quantity: int, refusal: str
) -> None:
    sale = shipped()
    [request] = ask(sale, {LAMP: 1})
    line = models.OrderLine.objects.get(product_id=product_id)

    with pytest.raises(IntegrityError, match=refusal), transaction.atomic(using="orders"):
        models.ReturnRequestLine.objects.create(request=request, line=line, quantity=quantity)


@pytest.mark.parametrize("model", [models.ReturnRequest, models.ReturnRequestLine, models.ReturnRequestFact])
def test_a_request_is_never_deleted(model: Any) -> None:
    ask(shipped(), {LAMP: 1})

    with (
        pytest.raises(IntegrityError, match=r"never deleted|written once"),
        transaction.atomic(using="orders"),
    ):
        model.objects.all()._raw_delete("orders")

    assert model.objects.count() == 1
