"""Fakes of inventory's and orders' services: real steps (stored answers, one undoing, tombstones) on real PostgreSQL
rows (`models.Once`), which all processes share, and a script that a sale carries in its title.

The script: `<call>=<act>` separated by blanks, acts: refuse, away:N (N outages), fail:N (N faults), hang:SECONDS.
An effect is a row `saga:<id>:<step>` in state DONE; its undoing is the row `<key>:undo`.
"""

import functools
import operator
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import Q

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
    steps.PARTICIPANTS = {name: steps.Participant(fake, _request) for name, fake in fakes.items()}


def effects(sale_id: str) -> list[str]:
    """The steps whose effect stands: done, and not undone. In the order of the definition."""
    keys = {step: f"saga:{sale_id}:{step}" for step in ACTIONS}
    states = dict(models.Once.objects.filter(key__startswith=f"saga:{sale_id}:").values_list("key", "state"))
    return [s for s, key in keys.items() if states.get(key) == "DONE" and f"{key}:undo" not in states]


def calls(sale_id: str) -> list[str]:
    """Every call that reached a participant, repeats too, in order."""
    rows = models.Once.objects.filter(key__startswith=f"call:{sale_id}:").order_by("created_at", "key")
    return [row.key.split(":")[2] for row in rows]


class _Request(messaging_steps.Request, frozen=True, kw_only=True):
    """What a fake needs of a sale; the script is in its title."""

    sale: Any


def _request(sale: models.Saga, key: str) -> _Request:
    return _Request(sale=sale, key=key, correlation_id=sale.correlation_id)


def _action(name: str) -> steps.Service:
    def act(requests: Sequence[_Request], *, now: datetime) -> list[object]:
        acts = _play(requests, name)
        ready = [request for request in requests if not isinstance(acts[request.key], Exception)]

        def outcomes(members: Sequence[messaging_steps.Request]) -> list[Done | Declined]:
            return [Declined(f"{name} was declined") if acts[member.key] else Done() for member in members]

        done = STEPS.perform(ready, outcomes, Done, now=now)
        return _in_order(requests, acts, ready, done)

    return act


def _compensation(name: str) -> steps.Service:
    def undo(requests: Sequence[_Request], *, now: datetime) -> list[object]:
        acts = _play(requests, name)
        acts |= {key: Declined(f"{name} was declined") for key, refuses in acts.items() if refuses is True}
        ready = [request for request in requests if not isinstance(acts[request.key], Exception)]
        done = STEPS.undo(ready, lambda members: [Done()] * len(members), Done, now=now)
        return _in_order(requests, acts, ready, done)

    return undo


def _in_order(
    requests: Sequence[_Request],
    acts: dict[str, bool | Exception],
    ready: Sequence[_Request],
    done: Sequence[object],
) -> list[object]:
    """The outcome of each request: its error, or what its step has answered."""
    outcomes = {**acts, **dict(zip([request.key for request in ready], done, strict=True))}
    return [outcomes[request.key] for request in requests]


def _play(requests: Sequence[_Request], call: str) -> dict[str, bool | Exception]:
    """Do what each sale's script says of `call`; by key, whether the call is to be refused, or the error that it meets."""
    with transaction.atomic(using="sagas"):
        prefixes = [f"call:{request.sale.sale_id}:{call}:" for request in requests]
        earlier = functools.reduce(operator.or_, (Q(key__startswith=prefix) for prefix in prefixes))
        rows = models.Once.objects.filter(earlier).values_list("key", flat=True)
        numbers = Counter(key.rpartition(":")[0] + ":" for key in rows)
        once.claim(
            models.Once, [f"{prefix}{numbers[prefix] + 1}" for prefix in prefixes], now=datetime.now(UTC)
        )
    return {
        request.key: _act(request.sale, call, numbers[prefix] + 1)
        for request, prefix in zip(requests, prefixes, strict=True)
    }


def _act(sale: models.Saga, call: str, number: int) -> bool | Exception:
    """The `number`-th call: whether it is to be refused, or the error that it meets."""
    act = dict(part.split("=") for part in sale.title.split()).get(call, "")
    kind, _, argument = act.partition(":")
    if kind == "hang":
        time.sleep(float(argument))
    if kind == "away" and number <= int(argument):
        return errors.Unavailable()
    if kind == "fail" and number <= int(argument):
        return ValueError(f"{call} is broken")
    return kind == "refuse"
