"""What buyers ask to return. A request is of lines of one part of an order, and is a state machine: `MOVES` is all that may happen
to it, each move leaves a fact, and a final state stays. A part has one running request at a time (a constraint). Triggers keep the
figures, and refuse units that were not shipped or have come back.
"""

from datetime import datetime
from typing import ClassVar

from django.db import models

from orders.models.fulfilment import MAX_REASON_CHARACTERS, Return
from orders.models.orders import Order, OrderLine


class ReturnState(models.TextChoices):
    """ASKED: its seller or an operator must decide. ACCEPTED: the units are on their way back. RETURNED: they are noted as back.
    WITHDRAWN: the buyer keeps them."""

    ASKED = "ASKED"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    RETURNED = "RETURNED"
    WITHDRAWN = "WITHDRAWN"


# A state without moves is final.
MOVES: dict[str, frozenset[str]] = {
    ReturnState.ASKED: frozenset({ReturnState.ACCEPTED, ReturnState.DECLINED, ReturnState.WITHDRAWN}),
    ReturnState.ACCEPTED: frozenset({ReturnState.DECLINED, ReturnState.RETURNED, ReturnState.WITHDRAWN}),
    ReturnState.DECLINED: frozenset(),
    ReturnState.RETURNED: frozenset(),
    ReturnState.WITHDRAWN: frozenset(),
}
RUNNING = (ReturnState.ASKED, ReturnState.ACCEPTED)


class ReturnRequest(models.Model):
    """The buyer asks to return lines of `owner_id`, because of `reason`. `key` is the Idempotency-Key of the request, and `digest`
    names what it asked for. `returned` is the return that ended it."""

    id = models.CharField(primary_key=True, max_length=32)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="return_requests")
    owner_id = models.CharField("seller", max_length=64, blank=True)
    key = models.CharField(max_length=128)
    digest = models.CharField(max_length=64)
    reason = models.CharField(max_length=MAX_REASON_CHARACTERS)
    state = models.CharField(max_length=10, choices=ReturnState.choices, default=ReturnState.ASKED)
    returned = models.ForeignKey(Return, on_delete=models.PROTECT, null=True, related_name="requests")
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["at", "id"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["order", "owner_id", "key"], name="orders_return_request_once"),
            models.UniqueConstraint(
                fields=["order", "owner_id"],
                condition=models.Q(state__in=["ASKED", "ACCEPTED"]),
                name="orders_return_request_one_running",
            ),
            models.CheckConstraint(condition=~models.Q(reason=""), name="orders_return_request_reason"),
            models.CheckConstraint(
                condition=models.Q(state="RETURNED", returned__isnull=False)
                | models.Q(state__in=["ASKED", "ACCEPTED", "DECLINED", "WITHDRAWN"], returned__isnull=True),
                name="orders_return_request_state",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.state}"

    @classmethod
    def ask(cls, request: "ReturnRequest", units: dict[OrderLine, int]) -> "ReturnRequest":
        """Store this new request of so many units of each line, with the fact of it."""
        request.save(force_insert=True)
        ReturnRequestLine.objects.bulk_create(
            ReturnRequestLine(request=request, line=line, quantity=quantity)
            for line, quantity in units.items()
        )
        request._note(request.at, actor=request.order.user_id, detail=request.reason)
        return request

    def become(
        self, state: str, *, now: datetime, actor: str, detail: str, returned: Return | None = None
    ) -> None:
        """Move to `state`, and store the fact of it. Raises ValueError for a move that is not in MOVES."""
        if not self.may_become(state):
            raise ValueError(f"return request {self.pk}: {self.state} cannot become {state}")
        self.state, self.returned = state, returned
        self.save(update_fields=["state", "returned"], force_update=True)
        self._note(now, actor=actor, detail=detail)

    def may_become(self, state: str) -> bool:
        return state in MOVES[self.state]

    def is_decided_by(self, user_id: str, *, is_operator: bool) -> bool:
        """Whether this user is one of those who decide it: its seller, or an operator who is not its buyer."""
        return user_id == self.owner_id or (is_operator and user_id != self.order.user_id)

    def may_be_decided(self, target: str, user_id: str, *, is_operator: bool) -> bool:
        """Whether this user may accept or decline it now. Operators alone may decline what was accepted, because nothing came back."""
        is_theirs = self.is_decided_by(user_id, is_operator=is_operator)
        return is_theirs and (self.state == ReturnState.ASKED or (is_operator and self.may_become(target)))

    def may_be_withdrawn(self, user_id: str) -> bool:
        """Whether this user may withdraw it now: its buyer, while nothing of it has come back."""
        return user_id == self.order.user_id and self.may_become(ReturnState.WITHDRAWN)

    @property
    def is_running(self) -> bool:
        """Whether the part can have no other request now."""
        return self.state in RUNNING

    @property
    def decision(self) -> "ReturnRequestFact | None":
        """The last word on it; None until there is one."""
        decided = (ReturnState.ACCEPTED, ReturnState.DECLINED)
        return next((fact for fact in reversed(list(self.facts.all())) if fact.kind in decided), None)

    def _note(self, now: datetime, *, actor: str, detail: str) -> None:
        ReturnRequestFact.objects.create(request=self, kind=self.state, at=now, actor=actor, detail=detail)


class ReturnRequestLine(models.Model):
    """So many units of a line are to go back."""

    request = models.ForeignKey(ReturnRequest, on_delete=models.PROTECT, related_name="lines")
    line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="return_requests")
    quantity = models.PositiveIntegerField()

    class Meta:
        ordering: ClassVar = ["id"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["request", "line"], name="orders_return_request_line_once"),
            models.CheckConstraint(
                condition=models.Q(quantity__gt=0), name="orders_return_request_line_units"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.line.title}"


class ReturnRequestFact(models.Model):
    """One thing that happened to a request. `detail` is the reason of the buyer, or the answer to it."""

    request = models.ForeignKey(ReturnRequest, on_delete=models.PROTECT, related_name="facts")
    kind = models.CharField(max_length=10, choices=ReturnState.choices)
    actor = models.CharField("by", max_length=64)
    at = models.DateTimeField()
    detail = models.CharField(max_length=MAX_REASON_CHARACTERS, blank=True)

    class Meta:
        ordering: ClassVar = ["at", "id"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["request", "kind"], name="orders_return_request_fact_once"),
        ]

    def __str__(self) -> str:
        return f"{self.request_id} {self.kind}"
