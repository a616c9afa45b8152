"""The list of dead letters, in the database `default`: what consumers gave up on, and who sent it again and why."""

from datetime import datetime

from django.db import models

from auction_project.messaging import dead_letters

MAX_REASON_CHARACTERS = 500


class DeadLetter(models.Model):
    """One message that one group gave up on; one row however often it comes back."""

    class Status(models.TextChoices):
        WAITING = "WAITING"
        REPLAYED = "REPLAYED"

    digest = models.CharField(max_length=64, unique=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.WAITING)
    topic = models.TextField()
    key = models.TextField()
    group = models.TextField(help_text="who gave up; empty: this was no dead letter of ours")
    event_type = models.TextField(help_text="empty: undecodable")
    event_id = models.TextField()
    partition = models.IntegerField()
    position = models.TextField()
    error = models.TextField()
    attempts = models.IntegerField()
    times = models.IntegerField(default=1, help_text="how often it came here")
    first_at = models.DateTimeField()
    last_at = models.DateTimeField(db_index=True)
    value = models.BinaryField()
    whole_bytes = models.IntegerField(
        default=0, help_text="not 0: so long was the message of which only the beginning is kept"
    )

    class Meta:
        default_permissions = ("view",)
        permissions = [("replay_deadletter", "Can send a dead letter again")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=["WAITING", "REPLAYED"]), name="deadletter_status"
            ),
            models.CheckConstraint(condition=models.Q(times__gte=1), name="deadletter_times"),
        ]
        indexes = [models.Index(fields=["status", "topic"], name="deadletter_waiting")]

    def __str__(self) -> str:
        return f"{self.event_type or 'message'} {self.key} in {self.topic}, given up by {self.group}"

    # --- Mutators -----------------------------------------------------------------------------------------------

    def come_back(self, letter: dead_letters.Letter) -> None:
        """The group gave up on it once more; a repetition of the same letter changes nothing."""
        if letter.at <= self.last_at:
            return
        self.status = self.Status.WAITING
        self.error, self.attempts, self.last_at = letter.error, letter.attempts, letter.at
        self.partition, self.position = letter.partition, letter.position
        self.times += 1
        self.save()

    def begin_replay(self, *, by: str, reason: str, now: datetime) -> "Replay":
        replay: Replay = self.replays.create(by=by, reason=reason, at=now)
        return replay

    def end_replay(self, replay: "Replay", *, now: datetime) -> None:
        """It was sent. What came back meanwhile goes on waiting."""
        Replay.objects.filter(pk=replay.pk).update(sent_at=now)
        seen = DeadLetter.objects.filter(pk=self.pk, last_at=self.last_at)
        seen.update(status=self.Status.REPLAYED)


class Replay(models.Model):
    """Somebody had a dead letter sent again. `sent_at` is empty where the transport did not take it."""

    dead_letter = models.ForeignKey(DeadLetter, on_delete=models.PROTECT, related_name="replays")
    by = models.CharField(max_length=200)
    reason = models.CharField(max_length=MAX_REASON_CHARACTERS)
    at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ("view",)
        constraints = [models.CheckConstraint(condition=~models.Q(reason=""), name="replay_reason")]

    def __str__(self) -> str:
        return f"{self.by}: {self.reason}"
