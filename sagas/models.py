"""The saga log: one row per saga (where it is) and its timeline (what happened, append-only), with outbox and once.

Promises: `revision` grows with every transition, and every transition names the revision that it was decided on. So of
two writers one wins, and the other one learns that it lost. `due_at` alone may move without a revision: it only says
when the sweep sends the saga's task again. The engine decides; this module only stores what it decided.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import models, transaction

from auction_project.kernel import people
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import once, outbox
from sagas import engine

LEASE_SECONDS = 10.0  # an attempt without an outcome counts as lost after this time
MAX_TEXT_CHARACTERS = 2000

# The first step is still ahead, or under way (see engine.Transition.leaves_beginning).
BEGINNING = models.Q(status=engine.Status.RUNNING.value, position=0)
_TEXTS = ("failure_detail", "parked_detail", "worker")
# The columns that a transition changes, and their types in an array of PostgreSQL.
_MOVING = {
    "status": "text",
    "direction": "text",
    "position": "smallint",
    "tries": "integer",
    "faults": "smallint",
    "lost": "smallint",
    "started_at": "timestamptz",
    "moved_at": "timestamptz",
    "due_at": "timestamptz",
    "finished_at": "timestamptz",
    "failure_reason": "text",
    **dict.fromkeys(_TEXTS, "text"),
}
LIVE = sorted(status.value for status in engine.LIVE)
_FINAL = sorted(status.value for status in engine.FINAL)
# The columns of a line of the timeline, and their types in an array of PostgreSQL.
_LINE = {
    "saga_id": "text",
    "step": "text",
    "direction": "text",
    "attempt": "integer",
    "event": "text",
    "error": "text",
    "who": "text",
    "started_at": "timestamptz",
    "finished_at": "timestamptz",
}


class Outbox(outbox.OutboxRow):
    """SaleSettled and BidFailed, in the transaction of the end that they announce."""


class Once(once.OnceRow):
    """The events that have started a saga."""


class Status(models.TextChoices):
    """The engine's statuses, for people."""

    RUNNING = engine.Status.RUNNING.value, "running"
    COMPENSATING = engine.Status.COMPENSATING.value, "being undone"
    COMPLETED = engine.Status.COMPLETED.value, "completed"
    COMPENSATED = engine.Status.COMPENSATED.value, "undone"
    PARKED = engine.Status.PARKED.value, "needs attention"


class Direction(models.TextChoices):
    """The engine's directions, for people."""

    FORWARD = engine.Direction.FORWARD.value, "forward"
    BACKWARD = engine.Direction.BACKWARD.value, "undoing"


class Event(models.TextChoices):
    """What a line of the timeline records: the outcome of an attempt, or an operator's command."""

    DONE = engine.Outcome.DONE.value, "done"
    REFUSED = engine.Outcome.REFUSED.value, "refused"
    FAULT = engine.Outcome.FAULT.value, "failed"
    OUTAGE = engine.Outcome.OUTAGE.value, "service unavailable"
    LOST = engine.Outcome.LOST.value, "worker stopped"
    RETRIED = engine.Command.RETRY.value, "retried by an operator"
    TURNED = engine.Command.TURN.value, "undone by an operator"
    RESUMED = engine.Command.RESUME.value, "resumed by an operator"


class Saga(models.Model):
    """One sale that is being settled. Its id is the sale's.

    `price` is the total in minor units of `currency`: all `lines` and the `shipping`. `product_id` is the first line's. `moved_at`: the last transition. `due_at`: when the sweep sends the
    saga's task again; null once it is parked or has ended. `started_at`, `worker`: of the attempt under way.
    `failure_detail` is for the buyer, `parked_detail` for operators.
    """

    sale_id = models.CharField(max_length=100, primary_key=True)
    definition = models.CharField(max_length=50)
    version = models.PositiveSmallIntegerField()

    status = models.CharField(max_length=12, choices=Status.choices, default=Status.RUNNING)
    direction = models.CharField(max_length=8, choices=Direction.choices, default=Direction.FORWARD)
    position = models.PositiveSmallIntegerField(default=0)
    tries = models.PositiveIntegerField(default=0)
    faults = models.PositiveSmallIntegerField(default=0)
    lost = models.PositiveSmallIntegerField(default=0)
    started_at = models.DateTimeField(null=True)
    worker = models.CharField(max_length=150, blank=True, default="")
    moved_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    revision = models.PositiveIntegerField(default=0)

    failure_reason = models.CharField(max_length=20, blank=True, default="")
    failure_detail = models.CharField(max_length=MAX_TEXT_CHARACTERS, blank=True, default="")
    parked_detail = models.CharField(max_length=MAX_TEXT_CHARACTERS, blank=True, default="")

    order_number = models.CharField(max_length=40)
    auction_id = models.CharField(max_length=100, blank=True, default="")
    checkout_id = models.CharField(max_length=100, blank=True, default="")
    product_id = models.CharField(max_length=100)
    user_id = models.CharField(max_length=100)
    lines = models.JSONField()
    shipping = models.BigIntegerField(default=0)
    price = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    title = models.CharField(max_length=500, blank=True, default="")
    correlation_id = models.CharField(max_length=100)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "sale_id"]
        permissions = [("operate_saga", "Can retry, undo and resume sagas")]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["due_at"], name="sagas_due", condition=models.Q(status__in=LIVE)),
            models.Index(fields=["product_id"], name="sagas_turns_product", condition=BEGINNING),
            models.Index(fields=["user_id"], name="sagas_turns_user", condition=BEGINNING),
            models.Index(fields=["sale_id"], name="sagas_parked", condition=models.Q(status="PARKED")),
            models.Index(fields=["-created_at", "sale_id"], name="sagas_newest"),
            models.Index(fields=["order_number"], name="sagas_order_number"),
        ]
        constraints = [
            models.CheckConstraint(name="saga_status", condition=models.Q(status__in=Status.values)),
            models.CheckConstraint(
                name="saga_walks_as_its_status_says",
                condition=models.Q(direction="FORWARD", status__in=["RUNNING", "COMPLETED", "PARKED"])
                | models.Q(direction="BACKWARD", status__in=["COMPENSATING", "COMPENSATED", "PARKED"]),
            ),
            models.CheckConstraint(
                name="saga_is_due_while_it_lives",
                condition=models.Q(status__in=LIVE, due_at__isnull=False)
                | models.Q(~models.Q(status__in=LIVE), due_at__isnull=True, started_at__isnull=True),
            ),
            models.CheckConstraint(
                name="saga_finishes_with_its_final_status",
                condition=models.Q(status__in=_FINAL, finished_at__isnull=False)
                | models.Q(~models.Q(status__in=_FINAL), finished_at__isnull=True),
            ),
            models.CheckConstraint(
                name="saga_says_why_it_turned",
                condition=models.Q(direction="FORWARD", failure_reason="")
                | (models.Q(direction="BACKWARD") & ~models.Q(failure_reason="")),
            ),
            models.CheckConstraint(
                name="saga_attempts_are_bounded",
                condition=models.Q(faults__lte=engine.MAX_FAULTS, lost__lte=engine.MAX_LOST),
            ),
            models.CheckConstraint(
                name="saga_sells_something",
                condition=~models.Q(lines=[]) & models.Q(price__gte=0, shipping__gte=0),
            ),
            models.CheckConstraint(
                name="saga_is_of_an_auction_or_a_checkout",
                condition=models.Q(auction_id="") ^ models.Q(checkout_id=""),
            ),
        ]

    def __str__(self) -> str:
        return self.sale_id

    # --- factories ---------------------------------------------------------------------------------------------------

    @classmethod
    def new(
        cls,
        sale: events.SaleConfirmed,
        definition: engine.Definition,
        *,
        correlation_id: str,
        now: datetime,
        due_at: datetime,
    ) -> "Saga":
        """A saga before its first step; not stored yet."""
        saga = cls(
            sale_id=sale.sale_id,
            definition=definition.name,
            version=definition.version,
            due_at=due_at,
            moved_at=now,
            order_number=sale.order_number,
            auction_id=sale.auction_id,
            checkout_id=sale.checkout_id,
            product_id=sale.lines[0].product_id,
            user_id=sale.user_id,
            lines=msgspec.to_builtins(sale.lines),
            shipping=sale.shipping,
            price=sale.price,
            currency=sale.currency,
            title=sale.title,
            correlation_id=correlation_id,
            created_at=now,
        )
        for name, value in _columns(engine.start(definition).state, now).items():
            setattr(saga, name, value)
        return saga

    # --- mutators ----------------------------------------------------------------------------------------------------

    @classmethod
    def move(cls, moves: "Sequence[Move]", *, now: datetime) -> "set[str]":
        """Store the transitions of these sagas, each a different one, and their lines; the ids of the sagas that were moved.

        A saga that another writer has moved since is not moved and gets no line, and its object stays as it is. One
        conditional statement: it needs no transaction of its own.
        """
        if not moves:
            return set()
        changes = {move.saga.pk: move.columns(now) for move in moves}
        rows = [(move.saga.pk, move.saga.revision, *changes[move.saga.pk].values()) for move in moves]
        lines = [move.line for move in moves if move.line is not None]
        with transaction.get_connection(cls.objects.db).cursor() as cursor:
            cursor.execute(
                _MOVE,
                [
                    *(list(column) for column in zip(*rows, strict=True)),
                    *([getattr(line, name) for line in lines] for name in _LINE),
                ],
            )
            moved = {sale_id for (sale_id,) in cursor.fetchall()}
        for move in moves:
            if move.saga.pk in moved:
                move.apply(changes[move.saga.pk])
        return moved

    @classmethod
    def make_due(cls, sale_ids: Sequence[str]) -> None:
        """Let the sweep send these sagas at once, except those of which an attempt is under way."""
        waiting = cls.objects.filter(pk__in=sale_ids, status__in=LIVE, started_at=None)
        waiting.update(due_at=models.F("moved_at"))

    # --- queries -----------------------------------------------------------------------------------------------------

    @property
    def sold(self) -> tuple[events.SaleLine, ...]:
        """What is sold, line by line."""
        return msgspec.convert(self.lines, tuple[events.SaleLine, ...])

    @property
    def state(self) -> engine.State:
        """The row as the engine sees it."""
        return engine.State(
            status=engine.Status(self.status),
            direction=engine.Direction(self.direction),
            position=self.position,
            is_started=self.started_at is not None,
            tries=self.tries,
            faults=self.faults,
            lost=self.lost,
            reason=self.failure_reason or None,
        )

    def has_lost_its_attempt(self, now: datetime) -> bool:
        """Whether the attempt under way has had no outcome for longer than its lease."""
        return self.started_at is not None and now >= self.started_at + timedelta(seconds=LEASE_SECONDS)


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A transition of a saga that is to be stored with its `line` of the timeline. `texts` are further columns of the row."""

    saga: Saga
    transition: engine.Transition
    due_at: datetime | None
    line: "SagaStep | None" = None
    texts: Mapping[str, str] = {}

    @property
    def is_announced(self) -> bool:
        """Whether others learn of it: the saga ends, or is parked."""
        return self.transition.end is not None or self.transition.is_parked

    def columns(self, now: datetime) -> dict[str, Any]:
        """What the row holds afterwards, in the order of _MOVING."""
        values: dict[str, Any] = {name: getattr(self.saga, name) for name in _TEXTS}
        values |= {name: storable(text) for name, text in self.texts.items()}
        values |= _columns(self.transition.state, now)
        values |= {
            "moved_at": now,
            "due_at": self.due_at,
            "finished_at": now if self.transition.end else None,
        }
        return {name: values[name] for name in _MOVING}

    def apply(self, columns: dict[str, Any]) -> None:
        """Bring the saga's object to what was stored."""
        for name, value in columns.items():
            setattr(self.saga, name, value)
        self.saga.revision += 1


def end_event_id(saga_id: str, end: str) -> str:
    """The id of the event that announces this end, so that an end is announced once."""
    return f"{saga_id}:{end}"


def storable(text: str) -> str:
    """The text without NUL, which PostgreSQL refuses, cut to MAX_TEXT_CHARACTERS."""
    return text.replace("\x00", "")[:MAX_TEXT_CHARACTERS]


def _columns(state: engine.State, now: datetime) -> dict[str, Any]:
    return {
        "status": state.status.value,
        "direction": state.direction.value,
        "position": state.position,
        "tries": state.tries,
        "faults": state.faults,
        "lost": state.lost,
        "started_at": now if state.is_started else None,
        "failure_reason": state.reason or "",
    }


_NAMES = ", ".join(_MOVING)
_ARRAYS = ", ".join(f"%s::{kind}[]" for kind in ("text", "integer", *_MOVING.values()))
_CHANGES = ", ".join(f"{name} = moves.{name}" for name in _MOVING)
_LINE_NAMES = ", ".join(_LINE)
_LINE_ARRAYS = ", ".join(f"%s::{kind}[]" for kind in _LINE.values())
# It locks the rows in primary-key order, so that two groups with common sagas do not block each other for ever.
_MOVE = f"""
    WITH moves AS (SELECT * FROM unnest({_ARRAYS}) AS moves (sale_id, revision, {_NAMES})),
        locked AS (
            SELECT sale_id FROM sagas_saga WHERE sale_id IN (SELECT sale_id FROM moves) ORDER BY sale_id FOR UPDATE
        ),
        moved AS (
            UPDATE sagas_saga AS saga SET {_CHANGES}, revision = saga.revision + 1
            FROM moves JOIN locked USING (sale_id)
            WHERE saga.sale_id = moves.sale_id AND saga.revision = moves.revision RETURNING saga.sale_id
        ),
        lines AS (
            INSERT INTO sagas_sagastep ({_LINE_NAMES})
            SELECT {_LINE_NAMES} FROM unnest({_LINE_ARRAYS}) AS lines ({_LINE_NAMES})
            WHERE saga_id IN (SELECT sale_id FROM moved)
        )
    SELECT sale_id FROM moved
"""  # noqa: S608 - names of columns


class SagaStep(models.Model):
    """One line of the timeline: an attempt that has ended, or an operator's command. Written once, never changed.

    `error` is the attempt's error or the operator's reason; `who` is the worker or the operator.
    """

    id = models.BigAutoField(primary_key=True)
    saga = models.ForeignKey(Saga, on_delete=models.PROTECT, related_name="timeline")
    step = models.CharField(max_length=50)
    direction = models.CharField(max_length=8, choices=Direction.choices)
    attempt = models.PositiveIntegerField()
    event = models.CharField(max_length=10, choices=Event.choices)
    error = models.CharField(max_length=MAX_TEXT_CHARACTERS, blank=True, default="")
    who = models.CharField(max_length=people.MAX_ADDRESS_CHARACTERS)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        default_permissions = ("view",)
        verbose_name = "timeline entry"
        verbose_name_plural = "timeline"
        constraints = [
            models.CheckConstraint(name="timeline_event", condition=models.Q(event__in=Event.values)),
            models.CheckConstraint(
                name="timeline_direction", condition=models.Q(direction__in=Direction.values)
            ),
            models.UniqueConstraint(
                name="timeline_step_is_done_once",
                fields=["saga", "step", "direction"],
                condition=models.Q(event="DONE"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.saga_id} {self.step} {self.event}"
