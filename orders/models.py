"""What the database "orders" holds, and which changes of it are possible at all.

Orders, facts, journal entries, postings and assessments are written once: triggers refuse UPDATE and DELETE (see
migration 0002). What becomes of an order is a fact of its own; an order is confirmed XOR cancelled. A payment is a state
machine: `states.TRANSITIONS` is all that may happen to it, each step leaves a fact, and a final state stays.
"""

import contextlib
import functools
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import ClassVar

import psycopg
from django.db import IntegrityError, connections, models

from auction_project.kernel import money
from auction_project.kernel.messaging import once, outbox
from orders import cards, exceptions, states

DATABASE = "orders"

_CURRENCY = r"^[A-Z]{3}$"


class Outbox(outbox.OutboxRow):
    class Meta(outbox.OutboxRow.Meta):
        verbose_name_plural = "outbox"


class Once(once.OnceRow):
    class Meta(once.OnceRow.Meta):
        abstract = False
        verbose_name_plural = "once"


@contextlib.contextmanager
def _told_when_taken(order_number: str) -> Iterator[None]:
    """What is stored inside is the only one of its number; the transaction is lost otherwise. Raises OrderNumberTaken."""
    try:
        yield
    except IntegrityError as error:
        if isinstance(error.__cause__, psycopg.errors.UniqueViolation):
            raise exceptions.OrderNumberTaken(order_number=order_number) from error
        raise


# --- orders ------------------------------------------------------------------------------------------------------


class Order(models.Model):
    """What was sold to whom for how much. Its status is what its facts say."""

    number = models.CharField(max_length=20, primary_key=True)
    sale_id = models.CharField(max_length=100, unique=True)
    user_id = models.CharField(max_length=64)
    auction_id = models.CharField(max_length=64)
    product_id = models.CharField(max_length=64)
    quantity = models.PositiveIntegerField()
    title = models.TextField()
    amount = models.BigIntegerField(help_text="total in minor units")
    currency = models.CharField(max_length=3)
    placed_at = models.DateTimeField()

    class Meta:
        ordering = ["-placed_at", "number"]
        indexes = [
            models.Index(fields=["user_id", "-placed_at", "number"], name="orders_order_of_user"),
            models.Index(fields=["-placed_at", "number"], name="orders_order_by_time"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="orders_order_amount_positive"),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="orders_order_quantity_positive"),
            models.CheckConstraint(
                condition=models.Q(currency__regex=_CURRENCY), name="orders_order_currency"
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @classmethod
    def locked(cls, number: str) -> "Order":
        """The order, locked until the transaction ends. Raises OrderNotFound."""
        found = cls.objects.select_for_update().filter(number=number).first()
        if found is None:
            raise exceptions.OrderNotFound(order_number=number)
        return found

    def place(self) -> None:
        """Store this new order. Raises OrderNumberTaken."""
        with _told_when_taken(self.number):
            self.save(force_insert=True)
        self.add_fact(OrderFact.Kind.PLACED, now=self.placed_at)

    def add_fact(self, kind: str, *, now: datetime, detail: str = "") -> None:
        OrderFact.objects.create(order=self, kind=kind, at=now, detail=detail)

    @property
    def status(self) -> str:
        """The kind of the last fact: PLACED, CONFIRMED or CANCELLED."""
        kinds = {fact.kind for fact in self.facts.all()}
        return next((kind for kind in OrderFact.ENDS if kind in kinds), OrderFact.Kind.PLACED).value


class OrderFact(models.Model):
    """One thing that happened to an order."""

    class Kind(models.TextChoices):
        PLACED = "PLACED"
        CONFIRMED = "CONFIRMED"
        CANCELLED = "CANCELLED"

    ENDS: ClassVar = (Kind.CONFIRMED, Kind.CANCELLED)

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="facts")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    at = models.DateTimeField()
    detail = models.TextField(blank=True)

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["order", "kind"], name="orders_fact_once_per_kind"),
            models.UniqueConstraint(
                fields=["order"],
                condition=models.Q(kind__in=["CONFIRMED", "CANCELLED"]),
                name="orders_fact_one_end",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=["PLACED", "CONFIRMED", "CANCELLED"]), name="orders_fact_kind"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.kind}"


# --- payments ----------------------------------------------------------------------------------------------------


class Payment(models.Model):
    """One intent to take one order's money. `key` is the idempotency key under which the provider knows it."""

    order_number = models.CharField(max_length=20, primary_key=True)
    key = models.CharField(max_length=200, unique=True)
    user_id = models.CharField(max_length=64)
    sale_id = models.CharField(max_length=100)
    auction_id = models.CharField(max_length=64)
    title = models.TextField()
    amount = models.BigIntegerField(help_text="in minor units")
    currency = models.CharField(max_length=3)
    token = models.CharField(
        max_length=100, blank=True, help_text="the card's token when the intent was made"
    )
    state = models.CharField(max_length=20, choices=states.PaymentState.choices)
    timeouts = models.PositiveSmallIntegerField(
        default=0,
        verbose_name="capture timeouts",
        help_text="captures that a healthy provider did not answer",
    )
    detail = models.TextField(blank=True)
    started_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["-started_at", "order_number"]
        permissions = [("resolve_payment", "Can settle an undecided payment with the provider")]
        indexes = [
            models.Index(fields=["user_id", "-started_at"], name="orders_payment_of_user"),
            models.Index(fields=["-started_at", "order_number"], name="orders_payment_by_time"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="orders_payment_amount_positive"),
            models.CheckConstraint(
                condition=models.Q(currency__regex=_CURRENCY), name="orders_payment_currency"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=sorted(states.TRANSITIONS)), name="orders_payment_state"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_number} {self.state}"

    @classmethod
    def locked(cls, order_number: str) -> "Payment | None":
        """The payment of an order, locked until the transaction ends; None where there is none."""
        return cls.objects.select_for_update().filter(order_number=order_number).first()

    def start(self) -> None:
        """Store this new intent. Raises OrderNumberTaken."""
        self.state, self.changed_at = states.PaymentState.STARTED, self.started_at
        with _told_when_taken(self.order_number):
            self.save(force_insert=True)
        self.add_fact(states.PaymentState.STARTED, now=self.started_at)

    def may_become(self, state: str) -> bool:
        return state in states.TRANSITIONS[self.state]

    def become(self, state: str, *, now: datetime, detail: str = "") -> None:
        """Move to `state`, leaving a fact. The row is locked by the caller. Raises ValueError for a forbidden move."""
        if not self.may_become(state):
            raise ValueError(f"payment {self.order_number}: {self.state} cannot become {state}")
        self.state, self.changed_at, self.detail = state, now, detail
        self.save(update_fields=["state", "changed_at", "detail"])
        self.add_fact(state, now=now, detail=detail)

    def count_timeout(self, *, now: datetime) -> None:
        self.timeouts += 1
        self.changed_at = now
        self.save(update_fields=["timeouts", "changed_at"])
        self.add_fact(PaymentFact.Kind.TIMED_OUT, now=now)

    def add_fact(self, kind: str, *, now: datetime, detail: str = "") -> None:
        PaymentFact.objects.create(payment=self, kind=kind, at=now, detail=detail)

    @property
    def is_decided(self) -> bool:
        """Whether nothing waits for the provider."""
        return self.state not in states.IN_MOTION

    @property
    def is_sendable(self) -> bool:
        """Whether the capture may (still) be sent."""
        return self.state == states.PaymentState.STARTED

    def pays(self, order: Order) -> bool:
        """Whether this is the order's money, and we have it."""
        figures = (self.order_number, self.amount, self.currency)
        return self.state == states.PaymentState.CAPTURED and figures == (
            order.number,
            order.amount,
            order.currency,
        )


class PaymentFact(models.Model):
    """One thing that happened to a payment: a state that it reached, a capture that nobody answered (TIMED_OUT), or
    somebody at the desk who had it settled (RESOLVED)."""

    class Kind(models.TextChoices):
        STARTED = "STARTED"
        TIMED_OUT = "TIMED_OUT"
        CANCELLING = "CANCELLING"
        CAPTURED = "CAPTURED"
        DECLINED = "DECLINED"
        CANCELLED = "CANCELLED"
        REFUNDING = "REFUNDING"
        REFUNDED = "REFUNDED"
        RESOLVED = "RESOLVED"

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="facts")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    at = models.DateTimeField()
    detail = models.TextField(blank=True)

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["payment", "kind"],
                condition=~models.Q(kind__in=["TIMED_OUT", "RESOLVED"]),
                name="orders_payment_fact_once_per_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.payment_id} {self.kind}"


# --- the ledger: double entry, debits equal credits (checked by a trigger at each commit) -----------------------------


class JournalEntry(models.Model):
    """One movement of money of one payment; its postings balance."""

    class Kind(models.TextChoices):
        CAPTURE = "CAPTURE"
        REFUND = "REFUND"
        SALE = "SALE"

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="journal")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    at = models.DateTimeField()

    class Meta:
        ordering = ["at", "id"]
        verbose_name = "accounting entry"
        verbose_name_plural = "accounting entries"
        constraints = [
            models.UniqueConstraint(fields=["payment", "kind"], name="orders_journal_once_per_kind")
        ]

    def __str__(self) -> str:
        return f"{self.payment_id} {self.kind}"

    @classmethod
    def post(cls, kind: str, payment: Payment, *, now: datetime) -> None:
        """Write the entry of `kind` for the payment's whole amount."""
        entry = cls.objects.create(payment=payment, kind=kind, at=now)
        debit, credit = Posting.SIDES[kind]
        posting = functools.partial(Posting, entry=entry, currency=payment.currency)
        sides = (
            posting(account=debit, debit=payment.amount, credit=0),
            posting(account=credit, debit=0, credit=payment.amount),
        )
        Posting.objects.bulk_create(sides)


class Posting(models.Model):
    """One side of an entry. PROVIDER: what the provider holds for us. BUYERS: what we owe buyers. SALES: what is ours."""

    class Account(models.TextChoices):
        PROVIDER = "PROVIDER"
        BUYERS = "BUYERS"
        SALES = "SALES"

    SIDES: ClassVar = {
        JournalEntry.Kind.CAPTURE: (Account.PROVIDER, Account.BUYERS),
        JournalEntry.Kind.REFUND: (Account.BUYERS, Account.PROVIDER),
        JournalEntry.Kind.SALE: (Account.BUYERS, Account.SALES),
    }

    entry = models.ForeignKey(JournalEntry, on_delete=models.PROTECT, related_name="postings")
    account = models.CharField(max_length=10, choices=Account.choices)
    currency = models.CharField(max_length=3)
    debit = models.BigIntegerField()
    credit = models.BigIntegerField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(debit__gt=0, credit=0) | models.Q(debit=0, credit__gt=0),
                name="orders_posting_has_one_side",
            ),
        ]

    def __str__(self) -> str:
        side = "debit" if self.debit else "credit"
        return (
            f"{self.account} {side} {money.format(self.debit or self.credit, self.currency)} {self.currency}"
        )


# --- risk and cards ----------------------------------------------------------------------------------------------


class Account(models.Model):
    """The account as its last event told it: what risk needs of it."""

    user_id = models.CharField(max_length=64, primary_key=True)
    version = models.BigIntegerField()
    email_verified = models.BooleanField()
    closed = models.BooleanField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.user_id

    @classmethod
    def keep_newest(cls, told: "Account") -> None:
        """Store what was told, unless the row has that version or a newer one."""
        figures = {
            name: getattr(told, name) for name in ("version", "email_verified", "closed", "created_at")
        }
        _, is_new = cls.objects.get_or_create(user_id=told.user_id, defaults=figures)
        if not is_new:
            cls.objects.filter(user_id=told.user_id, version__lt=told.version).update(**figures)


class RiskAssessment(models.Model):
    """The score of one sale, with its reasons."""

    order_number = models.CharField(max_length=20, primary_key=True)
    user_id = models.CharField(max_length=64)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    policy = models.PositiveSmallIntegerField(help_text="version of the table of points")
    score = models.PositiveIntegerField()
    reasons = models.JSONField()
    refused = models.BooleanField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "order_number"]
        indexes = [models.Index(fields=["user_id", "-at"], name="orders_risk_of_user")]

    def __str__(self) -> str:
        return f"{self.order_number} {self.score}"

    @classmethod
    def count_recent(cls, user_id: str, *, now: datetime, window: timedelta, most: int) -> int:
        """The sales of a buyer within `window`, counted up to `most`; another sale of the same buyer waits until the
        transaction ends."""
        with connections[DATABASE].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [user_id])
        return cls.objects.filter(user_id=user_id, at__gt=now - window)[:most].count()


class Card(models.Model):
    """The simulated card that a user has on file. The number is not kept.

    The row stays when the card is removed, so that `version` rises with every change for as long as the user is known.
    """

    user_id = models.CharField(max_length=64, primary_key=True)
    version = models.BigIntegerField(default=0)
    token = models.CharField(max_length=100, blank=True, help_text="empty: no card is on file")
    brand = models.CharField(max_length=30, blank=True)
    last4 = models.CharField(max_length=4, blank=True)
    behaviour = models.CharField(max_length=30, blank=True)
    declined_at = models.DateTimeField(null=True, help_text="when a payment with this card was declined")
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="orders_card_removed_is_empty",
                condition=~models.Q(token="")
                | models.Q(brand="", last4="", behaviour="", declined_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.brand} {self.last4}" if self.is_on_file else "no card"

    @classmethod
    def locked(cls, user_id: str) -> "Card | None":
        """The user's row, locked until the transaction ends; None before the first card."""
        return cls.objects.select_for_update().filter(user_id=user_id).first()

    @classmethod
    def locked_or_new(cls, user_id: str, *, now: datetime) -> "Card":
        """The user's row, locked until the transaction ends. Of two first cards at once, the second waits here."""
        cls.objects.bulk_create([cls(user_id=user_id, changed_at=now)], ignore_conflicts=True)
        return cls.objects.select_for_update().get(user_id=user_id)

    def put_on_file(self, test_card: cards.TestCard, *, token: str, now: datetime) -> None:
        """Take this card in place of the one before, whatever became of that one."""
        self.token, self.declined_at = token, None
        self.brand, self.last4, self.behaviour = test_card.brand, test_card.last4, test_card.behaviour
        self._save_next_version(now)

    def remove(self, *, now: datetime) -> None:
        self.token = self.brand = self.last4 = self.behaviour = ""
        self.declined_at = None
        self._save_next_version(now)

    def suspend(self, *, now: datetime) -> None:
        """The provider declined it."""
        self.declined_at = now
        self._save_next_version(now)

    def _save_next_version(self, now: datetime) -> None:
        self.version += 1
        self.changed_at = now
        self.save(force_update=True)

    @property
    def is_on_file(self) -> bool:
        return bool(self.token)

    @property
    def is_usable(self) -> bool:
        """Whether a payment may be expected to succeed."""
        return self.is_on_file and self.declined_at is None
