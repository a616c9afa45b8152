"""The ledger of money, in double entry. A trigger checks at each commit that debits equal credits."""

import functools
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from django.db import models

from auction_project.kernel import money
from orders.models.payments import Payment


class JournalEntry(models.Model):
    """One movement of one payment's money. The postings of an entry balance."""

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
    def post(cls, kind: str, payments: Sequence[Payment], *, now: datetime) -> None:
        """Write the entry of `kind` over each payment's whole amount. A payment has each kind once (IntegrityError)."""
        entries = cls.objects.bulk_create(cls(payment=payment, kind=kind, at=now) for payment in payments)
        debit, credit = Posting.SIDES[kind]
        sides: list[Posting] = []
        for entry in entries:
            payment = entry.payment
            posting = functools.partial(Posting, entry=entry, currency=payment.currency)
            sides += (
                posting(account=debit, debit=payment.amount, credit=0),
                posting(account=credit, debit=0, credit=payment.amount),
            )
        Posting.objects.bulk_create(sides)


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
