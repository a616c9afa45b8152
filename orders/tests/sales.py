"""A sale as the steps of a saga pass it to orders, and what the steps left behind."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from auction_project.kernel import contracts, errors, ids
from auction_project.kernel.messaging import groups
from orders import models, risk, services
from orders.tests import bank_process

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ACCEPTS = "4242 4242 4242 4242"
REFUSES = "4000 0000 0000 0002"
TIMEOUT_DONE = "4000 0000 0000 4103"
TIMEOUT_NOT_DONE = "4000 0000 0000 4202"
TIMEOUT_LANDS_LATE = "4000 0000 0000 4301"

# The journal of a payment after its capture, and after its refund.
CAPTURED = [("CAPTURE", "PROVIDER", 12550), ("CAPTURE", "BUYERS", -12550)]
REFUNDED = [*CAPTURED, ("REFUND", "BUYERS", 12550), ("REFUND", "PROVIDER", -12550)]


class Sale(msgspec.Struct, frozen=True, kw_only=True):
    sale_id: str
    order_number: str
    user_id: str
    auction_id: str
    amount: int = 12550
    currency: str = "EUR"

    def key(self, step: str) -> str:
        return f"saga:{self.sale_id}:{step}"

    def pay_with(self, number: str) -> models.Card:
        return services.set_card(user_id=self.user_id, number=number, now=NOW)

    def request(self, step: str, **changes: Any) -> services.SaleRequest:
        """What the saga asks at `step`."""
        fields: dict[str, Any] = {
            "key": self.key(step),
            "correlation_id": "c0ffee00",
            "user_id": self.user_id,
            "order_number": self.order_number,
            "sale_id": self.sale_id,
            "auction_id": self.auction_id,
            "lines": (
                contracts.events.SaleLine(
                    product_id="b" * 32, quantity=1, price=self.amount, title="A brass sextant"
                ),
            ),
            "shipping": 0,
            "title": "A brass sextant",
            "amount": self.amount,
            "currency": self.currency,
        }
        return services.SaleRequest(**fields | changes)

    def order_request(self, step: str) -> services.OrderRequest:
        return services.OrderRequest(
            key=self.key(step), correlation_id="c0ffee00", order_number=self.order_number
        )

    def cancel_request(self, reason: str = "stock_refused") -> services.CancelRequest:
        return services.CancelRequest(
            key=self.key("place_order"),
            correlation_id="c0ffee00",
            order_number=self.order_number,
            reason=reason,
        )

    # Each step as a group of one; its error is raised.

    def assess(self, *, now: datetime = NOW) -> risk.Assessment:
        return groups.only(services.assess_risk([self.request("assess_risk")], now=now))

    def capture(self, *, now: datetime = NOW, **changes: Any) -> services.PaymentResult:
        return groups.only(services.capture_payment([self.request("capture_payment", **changes)], now=now))

    def capture_patiently(self) -> services.PaymentResult:
        """Capture as the saga does, which repeats the step after an outage; ten times at most."""
        for _ in range(10):
            try:
                return self.capture()
            except errors.Unavailable:
                continue
        raise AssertionError("the payment was never decided")

    def refund(self) -> services.RefundResult:
        return groups.only(services.refund_payment([self.order_request("capture_payment")], now=NOW))

    def place(self, *, now: datetime = NOW, **changes: Any) -> services.OrderResult:
        return groups.only(services.place_order([self.request("place_order", **changes)], now=now))

    def cancel(self, reason: str = "stock_refused") -> services.CancellationResult:
        return groups.only(services.cancel_order([self.cancel_request(reason)], now=NOW))

    def confirm(self) -> services.OrderResult:
        return groups.only(services.confirm_order([self.order_request("confirm_order")], now=NOW))

    def send_refunds(self, *, now: datetime = NOW) -> int:
        return services.send_refunds(now=now)

    def payment(self) -> models.Payment:
        return models.Payment.objects.get(order_number=self.order_number)

    def payment_facts(self) -> list[str]:
        return list(
            models.PaymentFact.objects.filter(payment=self.order_number).values_list("kind", flat=True)
        )

    def order_facts(self) -> list[str]:
        return list(models.OrderFact.objects.filter(order=self.order_number).values_list("kind", flat=True))

    def journal(self) -> list[tuple[str, str, int]]:
        """(entry, account, debit - credit) of each posting."""
        rows = models.Posting.objects.filter(entry__payment=self.order_number).order_by("id")
        return [(row.entry.kind, row.account, row.debit - row.credit) for row in rows.select_related("entry")]


def new_sale(**changes: Any) -> Sale:
    auction_id = ids.new_id()
    sale_id = ids.sale_id(auction_id, 7)
    given = {"sale_id": sale_id, "order_number": ids.order_number(sale_id), "user_id": ids.new_id()}
    return Sale(**given | {"auction_id": auction_id} | changes)


def sale_with_order(**changes: Any) -> Sale:
    """A sale whose order is placed and paid, without any provider."""
    sale = new_sale(**changes)
    pay(sale)
    sale.place()
    return sale


SELLER, OPERATOR = "5e11e2" + "0" * 26, "09e2a709" + "0" * 24
LAMP, CHAIR = "1" * 32, "2" * 32


def line(
    product_id: str = LAMP, quantity: int = 2, price: int = 4000, owner_id: str = "house"
) -> contracts.events.SaleLine:
    title = "A lamp" if product_id == LAMP else "A chair"
    return contracts.events.SaleLine(
        product_id=product_id, quantity=quantity, price=price, title=title, owner_id=owner_id
    )


def confirmed_sale(*lines: contracts.events.SaleLine, **changes: Any) -> Sale:
    """A sale of the shop whose order is confirmed: by default two lamps of the house, and a chair of SELLER. No provider."""
    sold = lines or (line(), line(CHAIR, 1, 8550, SELLER))
    sale = new_sale(**{"auction_id": "", "amount": sum(one.price for one in sold)} | changes)
    pay(sale)
    sale.place(lines=sold, title=sold[0].title)
    sale.confirm()
    return sale


def operator() -> services.Actor:
    return services.Actor(user_id=OPERATOR, is_operator=True)


def pay(sale: Sale) -> None:
    """Write the rows that a capture leaves."""
    payment = models.Payment(
        order_number=sale.order_number,
        key=sale.key("capture_payment"),
        user_id=sale.user_id,
        sale_id=sale.sale_id,
        auction_id=sale.auction_id,
        title="A brass sextant",
        amount=sale.amount,
        currency=sale.currency,
        token="tok_accepts_1",
        started_at=NOW,
    )
    models.Payment.start([payment])
    models.PaymentFact.store([payment.become(models.PaymentState.CAPTURED, now=NOW)])
    models.JournalEntry.post(models.JournalEntry.Kind.CAPTURE, [payment], now=NOW)


def published() -> list[tuple[str, contracts.events.Event]]:
    """(event id, event) of each row of the outbox about orders, in order."""
    rows = models.Outbox.objects.filter(topic=contracts.events.OrderEvent.TOPIC).order_by("id")
    return [(row.event_id, contracts.decode(bytes(row.body))[1]) for row in rows]


def published_types() -> list[str]:
    return [type(event).__name__ for _, event in published()]


def card_states() -> list[tuple[str, int, bool]]:
    """(user, version, usable) of each row of the outbox about cards, in order."""
    states = []
    for row in models.Outbox.objects.filter(topic=contracts.events.CardChanged.TOPIC).order_by("id"):
        envelope, event = contracts.decode(bytes(row.body))
        assert isinstance(event, contracts.events.CardChanged)
        assert (envelope.version, envelope.subject) == (event.version, event.user_id)
        states.append((event.user_id, event.version, event.usable))
    return states


def at_bank(bank: bank_process.BankProcess, sale: Sale) -> tuple[str, bool] | None:
    """(status, refunded) of the sale's payment, or None."""
    answer = bank.ask("GET", f"/payments/{sale.key('capture_payment')}")
    return (answer.json()["status"], answer.json()["refunded"]) if answer.status_code == 200 else None
