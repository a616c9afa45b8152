"""Fakes of inventory's and orders' services: real steps (stored answers, one undoing, tombstones) on real PostgreSQL
rows (`models.Once`), which all processes share, and a script that a sale carries in its title.

The script: `<call>=<act>` separated by blanks, acts: refuse, away:N (N outages), fail:N (N faults), hang:SECONDS.
An effect is a row `saga:<id>:<step>` in state DONE; its undoing is the row `<key>:undo`.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from django.db import transaction

from auction_project.kernel import errors
from auction_project.kernel.messaging import groups, once
from auction_project.kernel.messaging import steps as messaging_steps
from sagas import models, steps


class Declined(errors.Refused):
    """The participant says no."""


class Done(msgspec.Struct, frozen=True):
    """The result of every call."""


STEPS = messaging_steps.Steps(models.Once, [Declined])
ACTIONS = ("reserve_stock", "assess_risk", "capture_payment", "place_order", "commit_stock", "confirm_order")
COMPENSATIONS = ("release_stock", "refund_payment", "cancel_order", "restock")


def install() -> None:
    """Put the fakes in the place of the apps' services, for this process."""
    fakes = {name: _action(name) for name in ACTIONS} | {name: _compensation(name) for name in COMPENSATIONS}
    steps.PARTICIPANTS = {name: steps.Participant(_in_group(fake), _Request) for name, fake in fakes.items()}


def effects(sale_id: str) -> list[str]:
    """The steps whose effect stands: done, and not undone. In the order of the definition."""
    keys = {step: f"saga:{sale_id}:{step}" for step in ACTIONS}
    states = dict(models.Once.objects.filter(key__startswith=f"saga:{sale_id}:").values_list("key", "state"))
    return [s for s, key in keys.items() if states.get(key) == "DONE" and f"{key}:undo" not in states]


def calls(sale_id: str) -> list[str]:
    """Every call that reached a participant, repeats too, in order."""
    rows = models.Once.objects.filter(key__startswith=f"call:{sale_id}:").order_by("created_at", "key")
    return [row.key.split(":")[2] for row in rows]


class _Request(NamedTuple):
    """What a fake needs of a sale; the script is in its title."""

    sale: models.Saga
    key: str


def _in_group(fake: Callable[[_Request, datetime], object]) -> steps.Service:
    """A service that plays the script of each member of a group."""

    def play_each(requests: Sequence[_Request], *, now: datetime) -> list[object]:
        outcomes: list[object] = []
        for request in requests:
            try:
                outcomes.append(fake(request, now))
            except Exception as error:
                outcomes.append(error)
        return outcomes

    return play_each


def _action(name: str) -> Callable[[_Request, datetime], Done]:
    def act(request: _Request, now: datetime) -> Done:
        outcome = Declined(f"{name} was declined") if _play(request.sale, name) else Done()
        return groups.only(STEPS.perform([_step(request)], lambda _members: [outcome], Done, now=now))

    return act


def _compensation(name: str) -> Callable[[_Request, datetime], Done | None]:
    def undo(request: _Request, now: datetime) -> Done | None:
        if _play(request.sale, name):
            raise Declined(f"{name} was declined")
        return groups.only(STEPS.undo([_step(request)], lambda _members: [Done()], Done, now=now))

    return undo


def _step(request: _Request) -> messaging_steps.Request:
    return messaging_steps.Request(key=request.key, correlation_id=request.sale.correlation_id)


def _play(sale: models.Saga, call: str) -> bool:
    """Do what the sale's script says of `call`; whether the call is to be refused."""
    with transaction.atomic(using="sagas"):
        number = models.Once.objects.filter(key__startswith=f"call:{sale.sale_id}:{call}:").count() + 1
        once.claim(models.Once, [f"call:{sale.sale_id}:{call}:{number}"], now=datetime.now(UTC))
    act = dict(part.split("=") for part in sale.title.split()).get(call, "")
    kind, _, argument = act.partition(":")
    if kind == "hang":
        time.sleep(float(argument))
    if kind == "away" and number <= int(argument):
        raise errors.Unavailable
    if kind == "fail" and number <= int(argument):
        raise ValueError(f"{call} is broken")
    return kind == "refuse"
