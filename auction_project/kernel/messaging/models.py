"""The list of dead letters, in the database `default`: what consumers gave up on, who replayed or dismissed it, and why."""

from datetime import datetime

from django.db import models

from auction_project.kernel import people
from auction_project.kernel.messaging import dead_letters

MAX_REASON_CHARACTERS = 500


class DeadLetter(models.Model):
    """One message that one group gave up on: one row, however often that happens.

    `value` is the message, or its beginning if `whole_bytes` (its size) is not 0. WAITING for an operator, REPLAYED, or
    DISMISSED; each time that the group gives up on the message again, it is WAITING again.
    """

    class Status(models.TextChoices):
        WAITING = "WAITING"
        REPLAYED = "REPLAYED"
        DISMISSED = "DISMISSED"

    digest = models.CharField(max_length=64, unique=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.WAITING)
    topic = models.TextField()
    key = models.TextField()
    group = models.TextField(
        verbose_name="consumer", help_text="Consumer that failed. Empty: not a dead letter of Gavel."
    )
    event_type = models.TextField(help_text="Empty: the message cannot be decoded.")
    event_id = models.TextField()
    partition = models.IntegerField()
    position = models.TextField()
    error = models.TextField()
    attempts = models.IntegerField()
    times = models.IntegerField(default=1, help_text="Times received.")
    first_at = models.DateTimeField()
    last_at = models.DateTimeField(db_index=True)
    value = models.BinaryField()
    whole_bytes = models.IntegerField(
        default=0, verbose_name="original size", help_text="In bytes, if the message was truncated."
    )

    class Meta:
        default_permissions = ("view",)
        permissions = [("replay_deadletter", "Can replay and dismiss dead letters")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=["WAITING", "REPLAYED", "DISMISSED"]), name="deadletter_status"
            ),
            models.CheckConstraint(condition=models.Q(times__gte=1), name="deadletter_times"),
        ]
        indexes = [models.Index(fields=["status", "topic"], name="deadletter_waiting")]

    def __str__(self) -> str:
        return f"{self.event_type or 'message'} {self.key} in {self.topic}, given up by {self.group}"

    # --- Mutators -----------------------------------------------------------------------------------------------

    def come_back(self, dead_letter: dead_letters.DeadLetter) -> None:
        """Note that the group gave up on the message once more; a repetition of the same dead letter changes nothing."""
        if dead_letter.at <= self.last_at:
            return
        self.status = self.Status.WAITING
        self.error, self.attempts, self.last_at = dead_letter.error, dead_letter.attempts, dead_letter.at
        self.partition, self.position = dead_letter.partition, dead_letter.position
        self.times += 1
        self.save()

    def begin_replay(self, *, by: str, reason: str, now: datetime) -> "Replay":
        """Note who is about to replay the message, and why."""
        replay: Replay = self.replays.create(by=by, reason=reason, at=now)
        return replay

    def end_replay(self, replay: "Replay", *, now: datetime) -> None:
        """Note that the message was sent. A dead letter that has come back meanwhile goes on waiting."""
        Replay.objects.filter(pk=replay.pk).update(sent_at=now)
        unchanged = DeadLetter.objects.filter(pk=self.pk, last_at=self.last_at)
        unchanged.update(status=self.Status.REPLAYED)

    def dismiss(self, *, by: str, reason: str, now: datetime) -> None:
        """Note that the dead letter needs no more attention. The caller has locked the row."""
        self.dismissals.create(by=by, reason=reason, at=now)
        self.status = self.Status.DISMISSED
        self.save(update_fields=["status"])

    # --- Queries ------------------------------------------------------------------------------------------------

    @property
    def is_replayable(self) -> bool:
        """Whether its origin is known and the whole message was kept."""
        return bool(self.group) and not self.whole_bytes

    @property
    def is_dismissed(self) -> bool:
        return bool(self.status == self.Status.DISMISSED)


class Replay(models.Model):
    """An operator's replay of a dead letter. `sent_at` is null if the transport did not take the message."""

    dead_letter = models.ForeignKey(DeadLetter, on_delete=models.PROTECT, related_name="replays")
    by = models.CharField(max_length=people.MAX_ADDRESS_CHARACTERS)
    reason = models.CharField(max_length=MAX_REASON_CHARACTERS)
    at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ("view",)
        constraints = [models.CheckConstraint(condition=~models.Q(reason=""), name="replay_reason")]

    def __str__(self) -> str:
        return f"{self.by}: {self.reason}"


class Dismissal(models.Model):
    """An operator's decision that a dead letter needs no more attention."""

    dead_letter = models.ForeignKey(DeadLetter, on_delete=models.PROTECT, related_name="dismissals")
    by = models.CharField(max_length=people.MAX_ADDRESS_CHARACTERS)
    reason = models.CharField(max_length=MAX_REASON_CHARACTERS)
    at = models.DateTimeField()

    class Meta:
        default_permissions = ("view",)
        constraints = [models.CheckConstraint(condition=~models.Q(reason=""), name="dismissal_reason")]

    def __str__(self) -> str:
        return f"{self.by}: {self.reason}"
