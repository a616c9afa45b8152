"""How long work waits for one of several equal processes, by the textbook formulas of open queues.

Arrivals are a Poisson process. For exponential service times (M/M/c) the waiting time is Erlang's: it is above t with the probability
C(c, a) * exp(-(c - a) t / s), where s is the mean service time, a = rate * s the load, and C Erlang's formula (Kleinrock, Queueing
Systems 1, 1975, section 3.5). For other service times the mean wait grows by (1 + v) / 2, where v is the squared coefficient of
variation (Allen and Cunneen; Bolch et al., Queueing Networks and Markov Chains, 2006, section 6.3.6). For one process that is the
exact mean of Pollaczek and Khinchine; for its percentiles it is an approximation.
"""

import math
from collections.abc import Sequence

import msgspec


class Work(msgspec.Struct, frozen=True):
    """One kind of work: how often it comes (1/s), and how long it keeps a process busy (s)."""

    rate: float
    seconds: float


def load(works: Sequence[Work]) -> float:
    """How many processes it keeps busy on average (erlang)."""
    return sum(work.rate * work.seconds for work in works)


def erlang_c(servers: int, erlangs: float) -> float:
    """The probability that all of `servers` are busy when work arrives; 1 when they can never catch up."""
    if erlangs >= servers:
        return 1.0
    blocked = 1.0  # Erlang's B, by its recursion
    for number in range(1, servers + 1):
        blocked = erlangs * blocked / (number + erlangs * blocked)
    return blocked / (1 - erlangs / servers * (1 - blocked))


def wait_seconds(works: Sequence[Work], servers: int, percent: float) -> float:
    """The wait for a process that so many percent of all work do not exceed. Each kind has exponential service times; the mix has
    not."""
    erlangs, rate = load(works), sum(work.rate for work in works)
    if erlangs >= servers:
        return math.inf
    waits = erlang_c(servers, erlangs)
    if waits <= 1 - percent / 100:
        return 0.0
    mean = erlangs / rate
    square = sum(work.rate * 2 * work.seconds**2 for work in works) / rate
    variation = square / mean**2 - 1
    mean_of_those_that_wait = mean / (servers - erlangs) * (1 + variation) / 2
    return mean_of_those_that_wait * math.log(waits / (1 - percent / 100))
