"""Fakes of inventory's and orders' services: real steps (stored answers, one undoing, tombstones) on real PostgreSQL
rows (`models.Once`), which all processes share, and a script that a sale carries in its title.

The script: `<call>=<act>` separated by blanks, acts: refuse, away:N (N outages), fail:N (N faults), hang:SECONDS.
An effect is a row `saga:<id>:<step>` in state DONE; its undoing is the row `<key>:undo`.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
from django.db import transaction

from auction_project.kernel import errors
from auction_project.kernel.messaging import once
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
    steps.PARTICIPANTS = fakes


def effects(sale_id: str) -> list[str]:
    """The steps whose effect stands: done, and not undone. In the order of the definition."""
    keys = {step: f"saga:{sale_id}:{step}" for step in ACTIONS}
    states = dict(models.Once.objects.filter(key__startswith=f"saga:{sale_id}:").values_list("key", "state"))
    return [s for s, key in keys.items() if states.get(key) == "DONE" and f"{key}:undo" not in states]


def calls(sale_id: str) -> list[str]:
    """Every call that reached a participant, repeats too, in order."""
    rows = models.Once.objects.filter(key__startswith=f"call:{sale_id}:").order_by("created_at", "key")
    return [row.key.split(":")[2] for row in rows]


def _action(name: str) -> Callable[[models.Saga, str, datetime], Done]:
    def act(sale: models.Saga, key: str, now: datetime) -> Done:
        refuses = _play(sale, name)
        return STEPS.perform(
            key, lambda: Declined(f"{name} was declined") if refuses else Done(), Done, now=now
        )

    return act


def _compensation(name: str) -> Callable[[models.Saga, str, datetime], Done | None]:
    def undo(sale: models.Saga, key: str, now: datetime) -> Done | None:
        if _play(sale, name):
            raise Declined(f"{name} was declined")
        return STEPS.undo(key, Done, Done, now=now)

    return undo


def _play(sale: models.Saga, call: str) -> bool:
    """Do what the sale's script says of `call`; whether the call is to be refused."""
    with transaction.atomic(using="sagas"):
        number = models.Once.objects.filter(key__startswith=f"call:{sale.sale_id}:{call}:").count() + 1
        once.claim(models.Once, f"call:{sale.sale_id}:{call}:{number}", now=datetime.now(UTC))
    act = dict(part.split("=") for part in sale.title.split()).get(call, "")
    kind, _, argument = act.partition(":")
    if kind == "hang":
        time.sleep(float(argument))
    if kind == "away" and number <= int(argument):
        raise errors.Unavailable
    if kind == "fail" and number <= int(argument):
        raise ValueError(f"{call} is broken")
    return kind == "refuse"
