"""The one classifier of failures, for consumers and sagas alike.

OUTAGE  a store, broker or provider is away, or a lock was not to be had in time: again without end, at most
        MAX_PAUSE_SECONDS apart, no attempt used.
REFUSED a rule said no: store the answer, never ask again.
FAULT   anything else: MAX_ATTEMPTS, then the dead-letter topic (consumer) or turn and park (saga). A consumer that
        gives up on MAX_DEAD_LETTERS_IN_A_ROW of one topic stops: the handler is at fault, not the messages.
"""

import enum
import random

import django.db
import kombu.exceptions
import psycopg
import redis

from auction_project.kernel import errors

MAX_ATTEMPTS = 5
MAX_DEAD_LETTERS_IN_A_ROW = 20
FIRST_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 15.0

_OUTAGES = (
    errors.Unavailable,
    django.db.OperationalError,
    django.db.InterfaceError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    redis.ConnectionError,
    redis.TimeoutError,
    kombu.exceptions.OperationalError,
    ConnectionError,
    TimeoutError,
)


class Fate(enum.Enum):
    """How a failure is handled; see the module."""

    OUTAGE = "outage"
    REFUSED = "refused"
    FAULT = "fault"


def classify(error: BaseException) -> Fate:
    """The fate of a failure by the type of `error`: any error of a store, broker or network that may pass is an OUTAGE,
    any other DomainError is REFUSED, and all else, bugs included, is a FAULT. Raises nothing.
    """
    if isinstance(error, _OUTAGES):
        return Fate.OUTAGE
    if isinstance(error, errors.DomainError):
        return Fate.REFUSED
    if isinstance(error.__cause__, psycopg.errors.IdleInTransactionSessionTimeout):
        return Fate.OUTAGE  # this process stood still, and the server ended its session
    return Fate.FAULT


def pause_seconds(tries: int) -> float:
    """How long to wait before the try after `tries` (1, 2, …): doubling, bounded, with jitter below a quarter."""
    pause = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(tries - 1, 16))
    return pause * random.uniform(0.75, 1.0)  # noqa: S311 - spreads retries, guards nothing
