"""The transactions of payments: each writes states, facts, ledger, events and the steps' answers together, or nothing.

Between them `payments` calls the provider. Two workers may do the same at once, so each transaction locks the steps and
then the payments, and records only what a payment may still become. Each takes the requests of a group and returns, by
the key of each request, its payment afterwards, or the error that concerns it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec
from django.db import transaction

from auction_project.kernel import contracts, writes
from auction_project.kernel.messaging import groups, steps, transactions
from orders import exceptions, metrics, models, provider
from orders.services import cards, publishing
from orders.services.requests import OrderRequest, SaleRequest

MAX_TIMEOUTS = 3
NO_CARD = "There is no card on file."
STEPS = steps.Steps(models.Once, [exceptions.PaymentRefused])

Request = SaleRequest | OrderRequest
AnyRequest = TypeVar("AnyRequest", SaleRequest, OrderRequest, Request)
Outcome = models.Payment | Exception | None
_Moves = Sequence[tuple[Request, models.PaymentFact]]

_State = models.PaymentState


class PaymentResult(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the order's payment after a capture (CAPTURED) or after its undoing (REFUNDED)."""

    order_number: str
    state: str


def open_intents(requests: Sequence[SaleRequest], *, now: datetime) -> dict[str, Outcome]:
    """Store the intents before anything is sent; None where the step is decided.

    A payment without a card is declined at once. Outcomes: OrderNumberTaken.
    """
    return _together(requests, lambda members: _open_intents(members, now))


def record(
    requests: Sequence[Request], results: Mapping[str, provider.Result], *, now: datetime
) -> dict[str, Outcome]:
    """Write down the provider's definite answers, by key, each once.

    When a step was undone meanwhile, the answer binds the payment but not the step, which stays void. A card that the
    provider declines is suspended.
    """
    return _together(requests, lambda members: _record(members, results, now))


def count_timeouts(requests: Sequence[Request], *, now: datetime) -> dict[str, Outcome]:
    """Count one unanswered capture of each. After MAX_TIMEOUTS a payment is CANCELLING and not sent again."""
    return _together(requests, lambda members: _count_timeouts(members, now))


def open_undos(requests: Sequence[OrderRequest], *, now: datetime) -> dict[str, Outcome]:
    """Begin to undo the steps, which are void from now on; None where no payment was begun.

    CANCELLING: the provider must decide the payment by a cancellation. REFUNDING: the money must go back. In any other
    state there is nothing more to do. Outcomes: OrderIsConfirmed.
    """
    return _together(requests, lambda members: _open_undos(members, now))


def record_refunds(requests: Sequence[Request], *, now: datetime) -> dict[str, Outcome]:
    """Write down that the provider gave the money back, once for each."""
    return _together(requests, lambda members: _record_refunds(members, now))


def open_resolution(order_number: str, *, detail: str, now: datetime) -> models.Payment:
    """Begin to settle an undecided payment. CANCELLING: the provider must decide it. REFUNDING: the money must go back.

    `detail` says who settles it and why. Raises OrderNotFound, PaymentDecided.
    """
    with transaction.atomic(using=models.DATABASE):
        payment = models.Payment.locked([order_number]).get(order_number)
        if payment is None:
            raise exceptions.OrderNotFound(order_number=order_number)
        if payment.is_decided:
            raise exceptions.PaymentDecided(state=payment.state)
        facts = [payment.fact(models.PaymentFact.Kind.RESOLVED, now=now, detail=detail)]
        if payment.state == _State.STARTED:
            facts.append(
                payment.become(_State.CANCELLING, now=now, detail="The payment was settled by our staff.")
            )
        models.PaymentFact.store(facts)
        return payment


def _together(
    requests: Sequence[AnyRequest], act: Callable[[Sequence[AnyRequest]], list[Outcome]]
) -> dict[str, Outcome]:
    def act_in_transaction(members: Sequence[AnyRequest]) -> list[Outcome]:
        with transaction.atomic(using=models.DATABASE), writes.together(models.DATABASE):
            return act(members)

    outcomes = groups.together(requests, act_in_transaction)
    return {request.key: outcome for request, outcome in zip(requests, outcomes, strict=True)}


def _open_intents(members: Sequence[SaleRequest], now: datetime) -> list[Outcome]:
    begun = STEPS.begin([member.key for member in members], now=now)
    new = [member for member in members if begun[member.key].is_new]
    repeats = [member for member in members if begun[member.key].is_open and not begun[member.key].is_new]
    payments: dict[str, Outcome] = {}
    if repeats:
        stored = models.Payment.locked(member.order_number for member in repeats)
        payments |= {member.key: _of(member, stored) for member in repeats}
    if new:
        payments |= _start(new, begun, now)
    return [payments.get(member.key) for member in members]


def _of(member: SaleRequest, stored: Mapping[str, models.Payment]) -> models.Payment:
    payment = stored[member.order_number]
    if payment.key != member.key:
        raise exceptions.OrderNumberTaken(order_number=member.order_number)
    return payment


def _start(
    members: Sequence[SaleRequest], begun: Mapping[str, steps.Step], now: datetime
) -> dict[str, Outcome]:
    """Store the intents of new steps; those without a card are declined."""
    tokens = dict(
        models.Card.objects.filter(user_id__in={member.user_id for member in members}).values_list(
            "user_id", "token"
        )
    )
    intents = {
        member.key: models.Payment(
            order_number=member.order_number,
            key=member.key,
            user_id=member.user_id,
            sale_id=member.sale_id,
            auction_id=member.auction_id,
            title=member.title,
            amount=member.amount,
            currency=member.currency,
            token=tokens.get(member.user_id, ""),
            started_at=now,
        )
        for member in members
    }
    models.Payment.start(list(intents.values()))
    refused = [
        (member, intents[member.key].become(_State.DECLINED, now=now, detail=NO_CARD))
        for member in members
        if not intents[member.key].token
    ]
    models.PaymentFact.store([fact for _, fact in refused])
    _refuse(refused, begun, now)
    return dict(intents)


def _record(
    members: Sequence[Request], results: Mapping[str, provider.Result], now: datetime
) -> list[Outcome]:
    begun, payments = _locked(members)
    moves: list[tuple[Request, models.PaymentFact]] = []
    for member in members:
        payment, result = payments[member.order_number], results[member.key]
        state = _State(result.status.name)
        if payment.may_become(state):
            reason = result.reason or payment.detail or f"The payment was {state.value.lower()}."
            detail = "" if state is _State.CAPTURED else reason
            moves.append((member, payment.become(state, now=now, detail=detail)))
    models.PaymentFact.store([fact for _, fact in moves])
    _capture([(member, fact) for member, fact in moves if fact.kind == _State.CAPTURED], begun, now)
    _refuse([(member, fact) for member, fact in moves if fact.kind != _State.CAPTURED], begun, now)
    declined = [(member, fact.payment) for member, fact in moves if fact.kind == _State.DECLINED]
    if declined:
        cards.suspend(declined, now=now)
    _count(moves)
    return [payments[member.order_number] for member in members]


def _count_timeouts(members: Sequence[Request], now: datetime) -> list[Outcome]:
    _, payments = _locked(members)
    facts = []
    for payment in payments.values():
        if payment.state == _State.STARTED:
            facts.append(payment.count_timeout(now=now))
            if payment.timeouts >= MAX_TIMEOUTS:
                detail = "The payment provider did not answer in time."
                facts.append(payment.become(_State.CANCELLING, now=now, detail=detail))
    models.PaymentFact.store(facts)
    return [payments[member.order_number] for member in members]


def _open_undos(members: Sequence[OrderRequest], now: datetime) -> list[Outcome]:
    begun = STEPS.begin([member.key for member in members], now=now)
    stored = models.Payment.locked(member.order_number for member in members)
    payments = {
        member.key: stored[member.order_number]
        for member in members
        if member.order_number in stored and stored[member.order_number].key == member.key
    }
    confirmed = models.OrderFact.objects.filter(
        order__in=[payment.order_number for payment in payments.values()],
        kind=models.OrderFact.Kind.CONFIRMED,
    )
    for number in confirmed.values_list("order", flat=True):
        raise exceptions.OrderIsConfirmed(order_number=number)
    captured = [payment for payment in payments.values() if payment.state == _State.CAPTURED]
    started = [payment for payment in payments.values() if payment.state == _State.STARTED]
    if captured:
        STEPS.begin([steps.undo_key(payment.key) for payment in captured], now=now)
    models.PaymentFact.store(
        [payment.become(_State.REFUNDING, now=now) for payment in captured]
        + [payment.become(_State.CANCELLING, now=now, detail="The sale is undone.") for payment in started]
    )
    STEPS.decide((step, None) for step in begun.values() if step.is_open)
    return [payments.get(member.key) for member in members]


def _record_refunds(members: Sequence[Request], now: datetime) -> list[Outcome]:
    _, payments = _locked(members)
    due = [member for member in members if payments[member.order_number].may_become(_State.REFUNDED)]
    if due:
        undoings = STEPS.lock([steps.undo_key(member.key) for member in due])
        moves = [(member, payments[member.order_number].become(_State.REFUNDED, now=now)) for member in due]
        models.PaymentFact.store([fact for _, fact in moves])
        _post(models.JournalEntry.Kind.REFUND, moves, contracts.events.PaymentRefunded, now)
        STEPS.decide((undoings[steps.undo_key(member.key)], _result(fact.payment)) for member, fact in moves)
        _count(moves)
    return [payments[member.order_number] for member in members]


def _capture(moves: _Moves, begun: Mapping[str, steps.Step], now: datetime) -> None:
    """What follows from captures: the ledger, the events, and the answers of the steps that are open."""
    if moves:
        _post(models.JournalEntry.Kind.CAPTURE, moves, contracts.events.PaymentCaptured, now)
        STEPS.decide(
            (begun[member.key], _result(fact.payment)) for member, fact in moves if begun[member.key].is_open
        )


def _refuse(moves: _Moves, begun: Mapping[str, steps.Step], now: datetime) -> None:
    """What follows from payments that were refused: the events and refusals of the steps that are open."""
    refused = [(member, fact) for member, fact in moves if begun[member.key].is_open]
    for member, fact in refused:
        with member.bound():
            publishing.publish(fact.payment, contracts.events.PaymentDeclined, now=now, reason=fact.detail)
    STEPS.decide((begun[member.key], exceptions.PaymentRefused(fact.detail)) for member, fact in refused)


def _post(kind: str, moves: _Moves, event_type: type[contracts.events.OrderEvent], now: datetime) -> None:
    """Write the ledger's entries of these moves, and publish their events."""
    models.JournalEntry.post(kind, [fact.payment for _, fact in moves], now=now)
    for member, fact in moves:
        with member.bound():
            publishing.publish(fact.payment, event_type, now=now)


def _count(moves: _Moves) -> None:
    """Count in the metrics what has ended, once it is committed."""
    for _, fact in moves:
        transactions.after_commit(metrics.payments.labels(fact.kind).inc, using=models.DATABASE)


def _result(payment: models.Payment) -> PaymentResult:
    return PaymentResult(order_number=payment.order_number, state=str(payment.state))


def _locked(
    members: Sequence[Request],
) -> tuple[dict[str, steps.Step], dict[str, models.Payment]]:
    """The steps by key and then the payments by order number, locked. Raises KeyError when one was never begun."""
    begun = STEPS.lock([member.key for member in members])
    payments = models.Payment.locked(member.order_number for member in members)
    return begun, {member.order_number: payments[member.order_number] for member in members}
