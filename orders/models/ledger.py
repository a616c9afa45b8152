"""The ledger of money, in double entry. A trigger checks at each commit that debits equal credits."""

import functools
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from django.db import models

from auction_project.kernel import money, writes
from orders.models import database
from orders.models.payments import Payment
from orders.models.refunds import Refund

_INSERT_POSTINGS = """
    INSERT INTO orders_posting (entry_id, account, currency, debit, credit)
    SELECT entries.id, side.account, side.currency, side.debit, side.credit
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[])
        WITH ORDINALITY AS side (payment_id, kind, account, currency, debit, credit, number)
    JOIN entries USING (payment_id, kind) ORDER BY number
"""


class JournalEntry(models.Model):
    """One movement of one payment's money. The postings of an entry balance."""

    class Kind(models.TextChoices):
        CAPTURE = "CAPTURE"
        REFUND = "REFUND"
        SALE = "SALE"
        SALE_REFUND = "SALE_REFUND", "Refund of a sale"

    REFUNDS: ClassVar = (Kind.REFUND, Kind.SALE_REFUND)

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="journal")
    refund = models.OneToOneField(Refund, on_delete=models.PROTECT, null=True, related_name="entry")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    at = models.DateTimeField()

    class Meta:
        ordering = ["at", "id"]
        verbose_name = "accounting entry"
        verbose_name_plural = "accounting entries"
        constraints = [
            models.UniqueConstraint(
                fields=["payment", "kind"],
                condition=models.Q(refund__isnull=True),
                name="orders_journal_once_per_kind",
            ),
            models.CheckConstraint(
                condition=models.Q(kind="SALE_REFUND", refund__isnull=False)
                | ~models.Q(kind="SALE_REFUND") & models.Q(refund__isnull=True),
                name="orders_journal_refund",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.payment_id} {self.kind}"

    @classmethod
    def post(cls, kind: str, payments: Sequence[Payment], *, now: datetime) -> None:
        """Write the entry of `kind` over each payment's whole amount. A payment has each kind once (IntegrityError)."""
        entries = [cls(payment=payment, kind=kind, at=now) for payment in payments]
        sides = [side for entry in entries for side in entry._sides(entry.payment.amount)]
        inserted = writes.insertion(cls, entries)
        inserted.sql += " RETURNING id, payment_id, kind"
        postings = writes.Write(
            _INSERT_POSTINGS,
            [
                [side.entry.payment_id for side in sides],
                [str(side.entry.kind) for side in sides],
                [str(side.account) for side in sides],
                [side.currency for side in sides],
                [side.debit for side in sides],
                [side.credit for side in sides],
            ],
        )
        writes.write(database.DATABASE, {"entries": inserted, "postings": postings})

    @classmethod
    def post_refund(cls, refund: Refund, *, now: datetime) -> None:
        """Write the entry of this refund of a sale. A refund has one (IntegrityError)."""
        entry = cls.objects.create(payment=refund.payment, refund=refund, kind=cls.Kind.SALE_REFUND, at=now)
        Posting.objects.bulk_create(entry._sides(refund.amount))

    @property
    def amount(self) -> int:
        """In minor units of the payment's currency."""
        return self.refund.amount if self.refund else self.payment.amount

    def _sides(self, amount: int) -> "tuple[Posting, Posting]":
        debit, credit = Posting.SIDES[self.kind]
        posting = functools.partial(Posting, entry=self, currency=self.payment.currency)
        return (
            posting(account=debit, debit=amount, credit=0),
            posting(account=credit, debit=0, credit=amount),
        )


class Posting(models.Model):
    """One side of an entry, in minor units; the other of `debit` and `credit` is 0.

    PROVIDER: what the provider holds for us. BUYERS: what we owe to buyers. SALES: what is ours.
    """

    class Account(models.TextChoices):
        PROVIDER = "PROVIDER"
        BUYERS = "BUYERS"
        SALES = "SALES"

    SIDES: ClassVar = {
        JournalEntry.Kind.CAPTURE: (Account.PROVIDER, Account.BUYERS),
        JournalEntry.Kind.REFUND: (Account.BUYERS, Account.PROVIDER),
        JournalEntry.Kind.SALE: (Account.BUYERS, Account.SALES),
        JournalEntry.Kind.SALE_REFUND: (Account.SALES, Account.PROVIDER),
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
