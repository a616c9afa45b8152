"""The simulation of capacity, from constants that are given: queues, processes by role, what breaks first, the command and its plot."""

import heapq
import math
import random
import re
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from benchmarks import capacity, figures, growth_plot, queueing, report, sizing
from benchmarks.figures import Figure
from benchmarks.queueing import Work

ROOT = Path(__file__).resolve().parents[1]
SVG = "{http://www.w3.org/2000/svg}"
CONSTANTS = sizing.Constants(
    bid={"bids": 0.00025, "gateway": 0.0002, "relay": 0.0004, "consume": 0.002, "postgres": 0.001, "valkey": 0.0002},
    sale={"web": 0.001, "relay": 0.004, "consume": 0.006, "worker": 0.015, "mail": 0.004, "postgres": 0.009, "valkey": 0.002},
    list=0.006,
    frame=0.00002,
    entry_bytes=1000,
    processors=("this one",),
    bid_rows={"for good": 500, "for a week": 0},
    sale_rows={"for good": 10_000, "for a week": 20_000},
)  # fmt: skip
# 100 bids, 10 sales and 20 lists in each of the busiest seconds.
DAY = sizing.Demand(
    bids=2_400_000, sales=240_000, lists=480_000, peak_hour_share=0.1, burst=1.5, streams=25_000, watching=50, hot_share=0.2
)  # fmt: skip
SITE = sizing.Site(utilisation=0.5, partitions=8, mongodb_entries=10_000)


@pytest.mark.parametrize(
    ("servers", "erlangs", "expected"),
    [(1, 0.5, 0.5), (2, 1.0, 1 / 3), (10, 8.0, 0.409180), (1, 0.0, 0.0), (3, 3.0, 1.0), (3, 4.0, 1.0)],
)
def test_erlangs_formula_gives_the_share_of_work_that_waits(servers, erlangs, expected):
    assert queueing.erlang_c(servers, erlangs) == pytest.approx(expected, abs=1e-6)


def test_the_wait_for_one_process_falls_exponentially():
    # P(wait > t) = 0.5 exp(-50 t) is 0.01 after ln(50) / 50.
    assert queueing.wait_seconds([Work(50, 0.01)], 1, 99) == pytest.approx(math.log(50) / 50)
    assert queueing.wait_seconds([Work(50, 0.01)], 1, 40) == 0
    assert queueing.wait_seconds([Work(100, 0.01)], 1, 99) == math.inf


def test_long_work_among_short_makes_all_wait_as_pollaczek_and_khinchine_say():
    works = [Work(1, 0.1), Work(1, 0.3)]

    # Busy 0.4 of the time; the mean wait is 2 * 0.1 / (2 * 0.6) = 1/6, and so 1/6 / 0.4 of those that wait.
    assert queueing.wait_seconds(works, 1, 99) == pytest.approx(1 / 6 / 0.4 * math.log(40))


@pytest.mark.parametrize(("servers", "rate"), [(1, 60.0), (4, 320.0)])
def test_the_formula_agrees_with_a_simulated_queue(servers, rate):
    chance, now, waits = random.Random(7), 0.0, []
    free = [0.0] * servers  # when each process is free again
    for _ in range(200_000):
        now += chance.expovariate(rate)
        began = max(now, heapq.heappop(free))
        waits.append(began - now)
        heapq.heappush(free, began + chance.expovariate(100))

    expected = queueing.wait_seconds([Work(rate, 0.01)], servers, 99)

    assert figures.percentile(waits, 99) == pytest.approx(expected, rel=0.05)


def test_a_role_gets_the_fewest_processes_that_are_busy_for_the_planned_share_at_most():
    plan = sizing.plan(DAY, SITE, CONSTANTS)

    assert plan.bids_a_second == pytest.approx(100)
    assert {need.role: (need.processes, round(need.utilisation, 6)) for need in plan.needs} == {
        "gateway": (1, 0.024),
        "bids": (1, 0.155),
        "a hot lot": (1, 0.005),
        "push": (3, 0.033333),  # by streams, not by frames
        "relay": (1, 0.08),
        "consume": (1, 0.26),
        "worker": (1, 0.15),
        "mail": (1, 0.04),
        "PostgreSQL": (1, 0.19),
        "Redis": (1, 0.04),
        "MongoDB": (1, 0.01),
    }


def test_at_fifty_times_the_bids_processes_grow_in_proportion_until_more_do_not_help():
    large = msgspec.structs.replace(
        DAY, **{name: 50 * getattr(DAY, name) for name in ("bids", "sales", "lists", "streams")}
    )

    needs = {need.role: need for need in sizing.plan(large, SITE, CONSTANTS).needs}

    assert {role: need.processes for role, need in needs.items()} == {
        "gateway": 3, "bids": 16, "a hot lot": 1, "push": 32, "relay": 1, "consume": 8, "worker": 15, "mail": 4,
        "PostgreSQL": 19, "Redis": 1, "MongoDB": 1,
    }  # fmt: skip
    assert needs["push"].breaks_at == pytest.approx(
        32 / 125 * large.bids
    )  # 1,250,000 streams, and 10,000 a process
    assert needs["relay"].utilisation == pytest.approx(4)
    assert needs["relay"].wait_seconds == needs["consume"].wait_seconds == math.inf
    assert needs["bids"].wait_seconds == pytest.approx(
        queueing.wait_seconds(
            [Work(5000 / 16, 0.00025), Work(500 / 16, 0.001), Work(1000 / 16, 0.006)], 1, 99
        )
    )


def test_what_breaks_first_is_full_at_the_fewest_bids():
    plan = sizing.plan(DAY, SITE, CONSTANTS)

    assert (plan.first.role, plan.first.breaks_at) == ("relay", pytest.approx(2_400_000 / 0.08))
    slow = sizing.plan(DAY, msgspec.structs.replace(SITE, mongodb_entries=1000), CONSTANTS)
    assert (slow.first.role, slow.first.breaks_at) == ("MongoDB", pytest.approx(24_000_000))
    hot = sizing.plan(msgspec.structs.replace(DAY, hot_share=1.0, sales=1), SITE, CONSTANTS)
    assert {need.role: need.breaks_at for need in hot.needs}["a hot lot"] == pytest.approx(96_000_000)


def test_a_gateway_has_as_many_places_for_a_pool_as_the_simulation_says():
    text = (ROOT / "docker/gateway/haproxy.cfg").read_text()

    assert set(re.findall(r"server-template \S+ (\d+) ", text)) == {str(sizing.PLACES)}


def test_storage_is_what_a_year_leaves_and_what_a_week_holds():
    plan = sizing.plan(DAY, SITE, CONSTANTS)

    assert plan.log_bytes == 365 * 2_400_000 * 1000
    assert plan.rows_bytes == 365 * (2_400_000 * 500 + 240_000 * 10_000)
    assert plan.week_bytes == 7 * 240_000 * 20_000


def measured(path: Path, *, without: str = "") -> Path:
    """A file of figures, as `make bench` writes it."""
    everything = {
        "costs": [
            Figure(name="CPU of a bid until its notices are stored", value=1, unit="ms", parts={name: 1000 * value for name, value in CONSTANTS.bid.items()}),
            Figure(name="bytes of a bid in the log", value=1000, unit="B"),
            Figure(name="bytes that a bid leaves in PostgreSQL", value=500, unit="B", parts=dict(CONSTANTS.bid_rows)),
            Figure(name="bytes that a sale leaves in PostgreSQL", value=1, unit="B", parts=dict(CONSTANTS.sale_rows)),
        ],
        "sales": [Figure(name="CPU of a sale, sustained", value=1, unit="ms", parts={name: 1000 * value for name, value in CONSTANTS.sale.items()})],
        "lists": [Figure(name="a list of 20,000 open lots, CPU of the web process", value=6, unit="ms")],
        "push": [Figure(name="bid to 1,000 sockets, CPU of the web process a frame", value=20, unit="us")],
    }  # fmt: skip
    series = {name: figures.join([each]) for name, each in everything.items() if name != without}
    report.write(path, {name: report.measured(each) for name, each in series.items()})
    return path


def test_the_command_prints_the_plan_of_the_measured_figures(tmp_path, capsys):
    day = ["2.4e6", "--sales", "240000", "--lists", "480000", "--streams", "25000", "--watching", "50"]
    shape = ["--peak-hour-share", "0.1", "--burst", "1.5", "--hot-share", "0.2", "--utilisation", "0.5"]

    capacity.main([*day, *shape, "--figures", str(measured(tmp_path / "figures.json")), "--markdown"])

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "### 2.4 million bids a day"
    assert lines[2] == (
        "2.4 million bids, 240,000 sales and 480,000 lists a day: 100 bids a second in the busiest seconds, 25,000 streams."
    )
    relay = next(line for line in lines if line.startswith("| relay"))
    assert relay == (
        f"| relay | 1 | 8 % | {figures.rounded(1000 * queueing.wait_seconds([Work(100, 0.0004), Work(10, 0.004)], 1, 99))} ms "
        "| 30 million bids a day | one at a time; a second one waits to take over |"
    )
    assert (
        "After a year: bid log 876 GB, PostgreSQL 1.31 TB, and 33.6 GB of events that are deleted after a week."
        in lines
    )
    assert (
        "First to break: relay, at 30 million bids a day (one at a time; a second one waits to take over)."
        in lines
    )


def test_without_a_figure_the_command_says_which_benchmark_measures_it(tmp_path):
    with pytest.raises(
        SystemExit, match=r"'a list of 20,000 open lots.*' was not measured: run make bench ARGS=lists"
    ):
        capacity.main(["--figures", str(measured(tmp_path / "figures.json", without="lists"))])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["0"], "argument BIDS: must be above 0, not 0"),
        (["--hot-share", "1.5"], "argument --hot-share: must be above 0 and at most 1, not 1.5"),
        (["--utilisation", "0"], "argument --utilisation: must be above 0 and at most 1, not 0"),
    ],
)
def test_an_argument_that_makes_no_sense_is_refused_by_its_name(arguments, message, capsys):
    with pytest.raises(SystemExit):
        capacity.main(arguments)

    assert message in capsys.readouterr().err


def test_the_plot_names_each_role_and_ends_its_line_where_more_do_not_help(tmp_path):
    path = tmp_path / "growth.svg"

    capacity.main(["1e6", "--figures", str(measured(tmp_path / "figures.json")), "--plot", str(path)])

    tree = ElementTree.parse(path).getroot()  # noqa: S314 - our own text
    said = tree.findtext(f"{SVG}desc").split("; ")
    assert tree.findtext(f"{SVG}title") == growth_plot.TITLE
    assert len(list(tree.iter(f"{SVG}path"))) == len(said) == 11
    # A million bids a day are 125 bids and 2.5 sales a second, which keep it busy for 0.06 of the time: full at 16.7 million.
    assert "relay breaks with 1 at 15.8 million" in said
    assert len(list(tree.iter(f"{SVG}circle"))) == sum(" breaks with " in each for each in said)


def test_the_figures_of_this_repository_have_all_that_the_simulation_needs():
    constants = sizing.constants_of(report.read(ROOT / capacity.RESULTS))

    assert (
        min(
            constants.list,
            constants.frame,
            constants.entry_bytes,
            constants.bid["bids"],
            constants.sale["worker"],
        )
        > 0
    )
