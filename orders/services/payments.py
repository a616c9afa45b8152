"""Captures, refunds and settlements: the calls to the payment provider, and their order.

A group goes from transaction to transaction together (`payment_transactions`); no transaction is open during a call to the
provider, and the calls of a group are made at once. Silence, a cancellation or an outage concerns its payment alone.
"""

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from auction_project.kernel import failpoints, logs, tracing
from auction_project.kernel.messaging import groups
from orders import capture_calls, models, provider
from orders.services import payment_transactions as transactions
from orders.services.requests import OrderRequest, SaleRequest

log = logs.get(__name__)

_State = models.PaymentState
_Outcomes = dict[str, transactions.Outcome]  # by the key of the request
_Answer = TypeVar("_Answer")


class RefundResult(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the order's money was given back; if not, none was taken."""

    order_number: str
    refunded: bool


def capture_payment(
    requests: Sequence[SaleRequest], *, now: datetime
) -> list[transactions.PaymentResult | Exception]:
    """Take the amounts from the buyers' cards; the payments are CAPTURED then.

    The intents are committed before the provider is called. When the provider does not answer, the outcome is
    errors.Unavailable, and the caller calls again with the same key. After MAX_TIMEOUTS unanswered captures of a
    provider that is healthy, the payment is cancelled at the provider, which decides it.

    Outcomes: PaymentRefused, steps.Voided, OrderNumberTaken, errors.Unavailable, provider.ProviderFault.
    """
    outcomes = transactions.open_intents(requests, now=now)
    outcomes |= _send_captures(_in_state(_State.STARTED, requests, outcomes), outcomes, now=now)
    outcomes |= _send_cancellations(_in_state(_State.CANCELLING, requests, outcomes), now=now)
    undecided = _errors(outcomes)
    decided = [request.key for request in requests if request.key not in undecided]
    stored = transactions.STEPS.answers(decided, transactions.PaymentResult) if decided else []
    answers = dict(zip(decided, stored, strict=True))
    return [undecided.get(request.key) or answers[request.key] for request in requests]


def refund_payment(requests: Sequence[OrderRequest], *, now: datetime) -> list[RefundResult | Exception]:
    """Undo `capture_payment`: give the money back, or make sure that none is ever taken.

    A capture that was not answered is cancelled at the provider first, which decides it. Outcomes: OrderIsConfirmed,
    errors.Unavailable (the caller calls again), provider.ProviderFault.
    """
    outcomes = transactions.open_undos(requests, now=now)
    undecided = _in_state(_State.CANCELLING, requests, outcomes)
    outcomes |= _send_cancellations(undecided, now=now)
    taken = _in_state(_State.CAPTURED, undecided, outcomes)
    outcomes |= transactions.open_undos(taken, now=now)
    outcomes |= _send_refunds(_in_state(_State.REFUNDING, requests, outcomes), now=now)
    return [_refund_result(request, outcomes[request.key]) for request in requests]


def resolve_payment(*, order_number: str, actor: str, reason: str, now: datetime) -> str:
    """Settle an undecided payment with the provider now, because an operator asks for it; the payment's state
    afterwards.

    `actor` and `reason` are kept in the payment's facts. Raises OrderNotFound, PaymentDecided, errors.Unavailable,
    provider.ProviderFault.
    """
    payment = transactions.open_resolution(order_number, detail=f"{actor}: {reason}", now=now)
    request = OrderRequest(
        key=payment.key,
        correlation_id=logs.correlation_id(),
        span_id=logs.span_id(),
        order_number=order_number,
    )
    send = _send_refunds if payment.state == _State.REFUNDING else _send_cancellations
    outcome = groups.only([send([request], now=now)[payment.key]])
    return str(outcome.state)


def _send_captures(requests: Sequence[SaleRequest], opened: _Outcomes, *, now: datetime) -> _Outcomes:
    """Capture at the provider. An outcome is the payment, CANCELLING after the last timeout, or errors.Unavailable till
    then."""
    if not requests:
        return {}
    bank = provider.current()
    failpoints.reach("capture_payment.before_call")
    return capture_calls.current().make(
        [_capture_call(bank, request, opened[request.key]) for request in requests],
        functools.partial(_conclude_captures, bank, {request.key: request for request in requests}, now=now),
    )


def _capture_call(
    bank: provider.PaymentProvider, request: SaleRequest, payment: models.Payment
) -> capture_calls.Call:
    capture = functools.partial(
        bank.capture,
        key=payment.key,
        token=payment.token,
        amount=payment.amount,
        currency=payment.currency,
        reference=payment.order_number,
    )
    send = functools.partial(_traced, request, "capture", capture)
    return capture_calls.Call(payment.key, send, is_slow=payment.timeouts > 0)


def _conclude_captures(
    bank: provider.PaymentProvider,
    requests: Mapping[str, SaleRequest],
    answers: capture_calls.Answers,
    *,
    now: datetime,
) -> _Outcomes:
    """Write down the provider's answers, or that it gave none. An outcome is the error of the call while its payment is
    not decided."""
    outcomes: _Outcomes = {}
    results: dict[str, provider.Result] = {}
    for key, answer in answers.items():
        try:
            results[key] = answer()
        except Exception as error:
            outcomes[key] = error
    if results:
        failpoints.reach("capture_payment.after_effect")
        outcomes |= transactions.record([requests[key] for key in results], results, now=now)
    unanswered = [requests[key] for key, error in outcomes.items() if isinstance(error, provider.NoAnswer)]
    if unanswered and bank.is_healthy():
        outcomes |= _count_timeouts(unanswered, outcomes, now=now)
    return outcomes


def _count_timeouts(requests: Sequence[SaleRequest], unanswered: _Outcomes, *, now: datetime) -> _Outcomes:
    outcomes = transactions.count_timeouts(requests, now=now)
    for request in requests:
        payment = outcomes[request.key]
        if isinstance(payment, models.Payment):
            with request.bound():
                log.warning(
                    "capture_unanswered", order_number=payment.order_number, timeouts=payment.timeouts
                )
            if payment.is_sendable:
                outcomes[request.key] = unanswered[request.key]
    return outcomes


def _send_cancellations(requests: Sequence[transactions.Request], *, now: datetime) -> _Outcomes:
    """Have the provider decide these payments, and write its answers down."""
    if not requests:
        return {}
    bank = provider.current()
    by_key = {request.key: request for request in requests}
    answers = capture_calls.current().settle(
        by_key, lambda key: _traced(by_key[key], "cancel", lambda: bank.cancel(key=key))
    )
    results = {key: answer for key, answer in answers.items() if isinstance(answer, provider.Result)}
    answered = [request for request in requests if request.key in results]
    return _errors(answers) | transactions.record(answered, results, now=now)


def _send_refunds(requests: Sequence[transactions.Request], *, now: datetime) -> _Outcomes:
    """Have the provider give the money back, and write that down."""
    if not requests:
        return {}
    bank = provider.current()
    by_key = {request.key: request for request in requests}
    answers = capture_calls.current().settle(
        by_key, lambda key: _traced(by_key[key], "refund", lambda: bank.refund(key=key))
    )
    failed = _errors(answers)
    refunded = [request for request in requests if request.key not in failed]
    if refunded:
        failpoints.reach("refund_payment.after_effect")
    return failed | transactions.record_refunds(refunded, now=now)


def _traced(request: transactions.Request, call: str, send: Callable[[], _Answer]) -> _Answer:
    """What `send` returns or raises. The call is recorded under the step that makes it, on the thread that sends it."""
    if not (tracing.is_on and request.span_id):
        return send()
    began, error = time.time(), ""
    try:
        return send()
    except Exception as failed:
        error = type(failed).__name__
        raise
    finally:
        tracing.record(
            f"provider {call}",
            tracing.Context(
                tracing.trace_id(request.correlation_id), tracing.span_id("provider", call, request.span_id)
            ),
            parent=request.span_id,
            start=began,
            end=time.time(),
            kind="client",
            error=error,
        )


def _in_state(
    state: str, requests: Sequence[transactions.AnyRequest], outcomes: _Outcomes
) -> list[transactions.AnyRequest]:
    """The requests whose payments are in `state` now."""
    payments = {key: outcome for key, outcome in outcomes.items() if isinstance(outcome, models.Payment)}
    return [
        request for request in requests if request.key in payments and payments[request.key].state == state
    ]


def _errors(outcomes: Mapping[str, object]) -> dict[str, Exception]:
    return {key: outcome for key, outcome in outcomes.items() if isinstance(outcome, Exception)}


def _refund_result(request: OrderRequest, outcome: transactions.Outcome) -> RefundResult | Exception:
    if isinstance(outcome, Exception):
        return outcome
    refunded = outcome is not None and outcome.state == _State.REFUNDED
    return RefundResult(order_number=request.order_number, refunded=refunded)
