"""How many processes of each role a house needs for a number of bids a day, how long work waits for them, what it stores in a year,
and what breaks first. Pure: the constants come in as arguments.

The costs of one bid, sale, list and frame are those that benchmarks measured. The shape of a day (Demand) and what a MongoDB takes are
assumptions, which arguments change.
"""

import functools
import math
from collections.abc import Mapping

import msgspec

from benchmarks import figures, queueing, report
from benchmarks.queueing import Work

PERCENT = 99
STREAMS_OF_PROCESS = 10_000  # which a web process takes at most
PLACES = 32  # for the processes of a pool at a gateway (docker/gateway/haproxy.cfg)
DAYS, DAYS_OF_EVENTS = 365, 7  # a year; how long outboxes keep what was published
SCENARIOS = ("costs", "sales", "lists", "push")  # whose figures are the costs
_POOL = "bids"


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """A day of a house. `burst`: the busiest seconds of the peak hour, as a multiple of its mean. `watching`: the streams that show the
    lot of an average bid. `hot_share`: of all bids in these seconds, those on the hottest lot."""

    bids: float
    sales: float
    lists: float
    peak_hour_share: float = 0.15
    burst: float = 3.0
    streams: int = 10_000
    watching: float = 20.0
    hot_share: float = 0.05

    def each_second(self, a_day: float) -> float:
        """The rate in the busiest seconds of what comes so often a day."""
        return a_day * self.peak_hour_share / 3600 * self.burst


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What a site has and wants. `utilisation`: the most that a process is planned to be busy. `partitions`: of each topic.
    `mongodb_entries`: inserts a second that its primary takes, an assumption to be measured on the site's own servers."""

    utilisation: float = 0.6
    partitions: int = 8
    mongodb_entries: float = 10_000.0


class Constants(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured: CPU in seconds of a bid and a sale by process, of a list, of a frame to one stream; bytes."""

    bid: Mapping[str, float]
    sale: Mapping[str, float]
    list: float
    frame: float
    entry_bytes: float
    processors: tuple[str, ...]  # on which the costs were measured
    bid_rows: Mapping[str, float]  # bytes in PostgreSQL: "for good" and "for a week"
    sale_rows: Mapping[str, float]


class Need(msgspec.Struct, frozen=True):
    """What a role needs in the busiest seconds. `wait_seconds`: the 99th percentile of the wait for a process. `breaks_at`: the bids
    a day, with all else in proportion, at which more processes do not help; infinite where they always do."""

    role: str
    processes: int
    utilisation: float
    wait_seconds: float
    breaks_at: float
    remark: str = ""


class Plan(msgspec.Struct, frozen=True):
    """`first`: the need that breaks first. Bytes after a year, of what stays, and of what is deleted after a week."""

    demand: Demand
    bids_a_second: float
    needs: list[Need]
    first: Need
    log_bytes: float
    rows_bytes: float
    week_bytes: float


def plan(demand: Demand, site: Site, constants: Constants) -> Plan:
    """Size every role for the busiest seconds of the day."""
    bids, sales = demand.each_second(demand.bids), demand.each_second(demand.sales)
    lists = demand.each_second(demand.lists)

    def both(process: str) -> list[Work]:
        works = [Work(bids, constants.bid.get(process, 0)), Work(sales, constants.sale.get(process, 0))]
        return [work for work in works if work.rate * work.seconds > 0]

    bidding = [
        Work(bids, constants.bid[_POOL]),
        Work(sales, constants.sale["web"]),
        Work(lists, constants.list),
    ]
    hot = [Work(bids * demand.hot_share, constants.bid[_POOL])]
    frames = [Work(bids * demand.watching, constants.frame)]
    need = functools.partial(_need, demand, site)
    needs = [
        need("gateway", [Work(bids + lists, constants.bid["gateway"])], remark="cores; HAProxy has a thread on each"),
        need(_POOL, bidding, most=PLACES, each_its_own=True, remark=f"bids, purchases and lists; {PLACES} places at a gateway"),
        need("a hot lot", hot, most=1, remark="all bids of a lot go to one process of bids"),
        need(
            "push", frames, most=PLACES, occupied=demand.streams / STREAMS_OF_PROCESS,
            remark=f"{STREAMS_OF_PROCESS:,} streams of a process at most; {PLACES} places",
        ),
        need("relay", both("relay"), most=1, remark="one at a time; a second one waits to take over"),
        need("consume", both("consume"), most=site.partitions, remark="one for each partition at most"),
        need("worker", both("worker")),
        need("mail", both("mail")),
        need("PostgreSQL", both("postgres"), remark="cores; five databases, which may have a server each"),
        need("Redis", both("valkey"), most=1, remark="one thread; not sharded"),
        need("MongoDB", [Work(bids, 1 / site.mongodb_entries)], most=1, remark="its primary, as assumed; not sharded"),
    ]  # fmt: skip
    return Plan(
        demand=demand,
        bids_a_second=bids,
        needs=needs,
        first=min(needs, key=lambda each: each.breaks_at),
        log_bytes=DAYS * demand.bids * constants.entry_bytes,
        rows_bytes=DAYS * _rows(demand, constants, "for good"),
        week_bytes=DAYS_OF_EVENTS * _rows(demand, constants, "for a week"),
    )


def _rows(demand: Demand, constants: Constants, part: str) -> float:
    """Bytes a day in PostgreSQL."""
    return demand.bids * constants.bid_rows[part] + demand.sales * constants.sale_rows[part]


def _need(
    demand: Demand,
    site: Site,
    role: str,
    works: list[Work],
    *,
    occupied: float = 0.0,
    most: int | None = None,
    each_its_own: bool = False,
    remark: str = "",
) -> Need:
    """The fewest processes that are busy for `utilisation` of the time at most. `each_its_own`: work cannot go to another process that
    is free, because a hash chooses. `occupied`: so many processes are full of something else than work."""
    erlangs = queueing.load(works)
    full = max(erlangs, occupied)
    enough = max(1, math.ceil(occupied), math.ceil(round(erlangs / site.utilisation, 9)))
    processes = enough if most is None else min(enough, most)
    if each_its_own:
        share = [Work(work.rate / processes, work.seconds) for work in works]
        wait = queueing.wait_seconds(share, 1, PERCENT)
    else:
        wait = queueing.wait_seconds(works, processes, PERCENT) if works else 0.0
    return Need(
        role=role,
        processes=processes,
        utilisation=erlangs / processes,
        wait_seconds=wait,
        breaks_at=math.inf if most is None or not full else demand.bids * most / full,
        remark=remark,
    )


class Missing(LookupError):
    """A figure that the simulation needs was not measured."""


def constants_of(results: report.Results) -> Constants:
    """The constants among measured figures, each the median of its repeats. Raises Missing."""

    def parts(scenario: str, figure: str, scale: float = 1.0) -> dict[str, float]:
        return {name: scale * value for name, value in _series(results, scenario, figure).parts.items()}

    def median(scenario: str, figure: str) -> float:
        return _series(results, scenario, figure).median

    milli, micro = 1e-3, 1e-6
    return Constants(
        bid=parts("costs", "CPU of a bid until its notices are stored", milli),
        sale=parts("sales", "CPU of a sale, sustained", milli),
        list=milli * median("lists", "a list of 20,000 open lots, CPU of the web process"),
        frame=micro * median("push", "bid to 1,000 sockets, CPU of the web process a frame"),
        entry_bytes=median("costs", "bytes of a bid in the log"),
        processors=tuple(sorted({results[scenario].processor for scenario in SCENARIOS})),
        bid_rows=parts("costs", "bytes that a bid leaves in PostgreSQL"),
        sale_rows=parts("costs", "bytes that a sale leaves in PostgreSQL"),
    )


def _series(results: report.Results, scenario: str, figure: str) -> figures.Series:
    series = (
        [each for each in results[scenario].figures if each.name == figure] if scenario in results else []
    )
    if not series:
        raise Missing(f"{figure!r} was not measured: run make bench ARGS={scenario}")
    return series[0]
