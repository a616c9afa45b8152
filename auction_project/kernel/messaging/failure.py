"""The one failure policy: what kind of failure an error is (`classify`, `Fate`), and how long to wait for the next try.

It holds for all that is tried again: consumers of events, steps of longer work, the loops of a process. A consumer that
gives up on MAX_DEAD_LETTERS_IN_A_ROW messages of one topic halts, because then the handler is at fault and not the
messages.
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
    redis.exceptions.ReadOnlyError,
    redis.exceptions.OutOfMemoryError,
    kombu.exceptions.OperationalError,
    ConnectionError,
    TimeoutError,
)
_REDIS_OUTAGE_CODES = ("MISCONF", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY ")


class Fate(enum.Enum):
    """What follows from a failure.

    OUTAGE: a store, broker or provider is unavailable, or a lock did not come free in time. Try again without end, at
    most MAX_PAUSE_SECONDS apart; it uses no attempt.
    REFUSED: a rule said no. Store the answer; it is final.
    FAULT: any other error. After MAX_ATTEMPTS, give up in the way of the caller.
    """

    OUTAGE = "outage"
    REFUSED = "refused"
    FAULT = "fault"


def classify(error: BaseException) -> Fate:
    """The fate of `error`, by its type: OUTAGE for errors.Unavailable, for lost connections and time-outs of stores and
    brokers, and for a Redis that cannot write; REFUSED for any other errors.DomainError; FAULT for the rest. Never raises."""
    if isinstance(error, _OUTAGES):
        return Fate.OUTAGE
    if isinstance(error, redis.ResponseError) and str(error).startswith(_REDIS_OUTAGE_CODES):
        return Fate.OUTAGE
    if isinstance(error, errors.DomainError):
        return Fate.REFUSED
    if isinstance(error.__cause__, psycopg.errors.IdleInTransactionSessionTimeout):
        return Fate.OUTAGE  # this process was suspended, and the server ended its session
    return Fate.FAULT


def pause_seconds(tries: int) -> float:
    """How long to wait after the try number `tries` (1, 2, …): doubles from FIRST_PAUSE_SECONDS up to MAX_PAUSE_SECONDS,
    minus a random part of at most a quarter."""
    pause = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(tries - 1, 16))
    return pause * random.uniform(0.75, 1.0)  # noqa: S311 - spreads retries, guards nothing
