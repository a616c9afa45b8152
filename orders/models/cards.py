"""The card that each user has on file."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import models

from orders import card_numbers


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
    def all_locked(cls, user_ids: Iterable[str]) -> dict[str, "Card"]:
        """The users' rows by user id, locked in the order of the ids until the transaction ends; a user without one is
        left out."""
        rows = cls.objects.filter(user_id__in=set(user_ids)).order_by("user_id").select_for_update()
        return {card.user_id: card for card in rows}

    @classmethod
    def locked_or_new(cls, user_id: str, *, now: datetime) -> "Card":
        """The user's row, locked until the transaction ends. Of two first cards at once, the second one waits here."""
        cls.objects.bulk_create([cls(user_id=user_id, changed_at=now)], ignore_conflicts=True)
        return cls.objects.select_for_update().get(user_id=user_id)

    def put_on_file(self, test_card: card_numbers.TestCard, *, token: str, now: datetime) -> None:
        """Put this card on file in place of any other. It is usable."""
        self.token, self.declined_at = token, None
        self.brand, self.last4, self.behaviour = test_card.brand, test_card.last4, test_card.behaviour
        self._save_next_version(now)

    def remove(self, *, now: datetime) -> None:
        self.token = self.brand = self.last4 = self.behaviour = ""
        self.declined_at = None
        self._save_next_version(now)

    @classmethod
    def suspend(cls, cards: Sequence["Card"], *, now: datetime) -> None:
        """The provider declined payments with these cards: they stay on file and are not usable."""
        cls.objects.filter(pk__in=[card.pk for card in cards]).update(
            declined_at=now, changed_at=now, version=models.F("version") + 1
        )
        for card in cards:
            card.declined_at, card.changed_at, card.version = now, now, card.version + 1

    def _save_next_version(self, now: datetime) -> None:
        self.version += 1
        self.changed_at = now
        self.save(force_update=True)

    @property
    def is_on_file(self) -> bool:
        return bool(self.token)

    @property
    def is_usable(self) -> bool:
        """Whether the user may bid with it: it is on file, and the provider declined no payment with it."""
        return self.is_on_file and self.declined_at is None
