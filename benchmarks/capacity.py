"""Simulates a day of an auction house: how many processes of each role it needs, how busy they are, how long work waits for them, what
it stores in a year, and what breaks first.

It computes with the figures that `make bench` measured (docs/benchmarks), and with assumptions about the day, each of which is an
argument. Lists, sales and streams are in proportion to bids unless they are given. docs/scale.md explains the model and its limits.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks import growth_plot, report, sizing
from benchmarks.figures import rounded

RESULTS = Path("docs/benchmarks/embedded.json")
BIDS = (1e6, 10e6, 100e6)
COLUMNS = ("role", "processes", "busy", "wait, p99", "more do not help from", "")
WIDTH = 140  # of the table where there is no terminal
# A day's sales, lists and open streams for each bid of it, where no argument says otherwise.
SALES, LISTS, STREAMS = 0.02, 1.0, 0.002


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    try:
        constants = sizing.constants_of(report.read(options.figures))
    except sizing.Missing as error:
        sys.exit(str(error))
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    plans = [sizing.plan(_demand(options, bids), _site(options), constants) for bids in options.bids]
    for each in plans:
        if options.markdown:
            print(markdown(each))
        else:
            console.print(table(each))
    print(f"Costs measured on: {', '.join(constants.processors)}.")
    if options.plot:
        curve = [
            sizing.plan(_demand(options, bids), _site(options), constants) for bids in growth_plot.BIDS_A_DAY
        ]
        options.plot.write_text(growth_plot.draw(curve))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.capacity",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_day(parser)
    _add_site(parser)
    add = parser.add_argument
    add(
        "--figures",
        type=Path,
        default=RESULTS,
        metavar="FILE",
        help="what was measured (default: %(default)s)",
    )
    add("--plot", type=Path, metavar="FILE", help="draw processes by bids a day as SVG into this file")
    add("--markdown", action="store_true", help="print Markdown")
    return parser.parse_args(arguments)


def _add_day(parser: argparse.ArgumentParser) -> None:
    """The assumptions about the day: sizing.Demand."""
    add, day = parser.add_argument, sizing.Demand(bids=0, sales=0, lists=0)
    add(
        "bids",
        nargs="*",
        type=_positive,
        default=list(BIDS),
        metavar="BIDS",
        help="bids a day (default: 1e6 1e7 1e8)",
    )
    add("--sales", type=_positive, metavar="N", help=f"sales a day (default: {SALES:g} for each bid)")
    add(
        "--lists",
        type=_positive,
        metavar="N",
        help=f"requests for lists of lots a day (default: {LISTS:g} for each bid)",
    )
    add(
        "--streams",
        type=_positive,
        metavar="N",
        help=f"open streams at the peak (default: {STREAMS:g} for each bid)",
    )
    add(
        "--watching",
        type=_positive,
        default=day.watching,
        metavar="N",
        help="streams that show the lot of an average bid (default: %(default)g)",
    )
    add(
        "--peak-hour-share",
        type=_share,
        default=day.peak_hour_share,
        metavar="S",
        help="share of the day in its busiest hour (default: %(default)g)",
    )
    add(
        "--burst",
        type=_positive,
        default=day.burst,
        metavar="N",
        help="the busiest seconds of that hour, as a multiple of its mean (default: %(default)g)",
    )
    add(
        "--hot-share",
        type=_share,
        default=day.hot_share,
        metavar="S",
        help="share of the bids in these seconds that go to the hottest lot (default: %(default)g)",
    )


def _add_site(parser: argparse.ArgumentParser) -> None:
    """What the site has and wants: sizing.Site."""
    add, site = parser.add_argument, sizing.Site()
    add(
        "--utilisation",
        type=_share,
        default=site.utilisation,
        metavar="S",
        help="the most that a process is planned to be busy (default: %(default)g)",
    )
    add(
        "--partitions",
        type=int,
        default=site.partitions,
        metavar="N",
        help="partitions of each topic (default: %(default)d)",
    )
    add(
        "--mongodb-entries",
        type=_positive,
        default=site.mongodb_entries,
        metavar="N",
        help="entries a second that your MongoDB takes (default: %(default)g, an assumption)",
    )


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be above 0, not {text}")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most 1, not {text}")
    return value


def _demand(options: argparse.Namespace, bids: float) -> sizing.Demand:
    return sizing.Demand(
        bids=bids,
        sales=options.sales or SALES * bids,
        lists=options.lists or LISTS * bids,
        streams=round(options.streams or STREAMS * bids),
        peak_hour_share=options.peak_hour_share,
        burst=options.burst,
        watching=options.watching,
        hot_share=options.hot_share,
    )


def _site(options: argparse.Namespace) -> sizing.Site:
    return msgspec.convert(
        {name: getattr(options, name) for name in sizing.Site.__struct_fields__}, sizing.Site
    )


def row(need: sizing.Need) -> tuple[str, ...]:
    """The cells of COLUMNS."""
    wait = "grows without end" if math.isinf(need.wait_seconds) else f"{rounded(1000 * need.wait_seconds)} ms"
    breaks = "" if math.isinf(need.breaks_at) else f"{_bids(need.breaks_at)} bids a day"
    return need.role, f"{need.processes:,}", f"{100 * need.utilisation:.0f} %", wait, breaks, need.remark


def sentences(plan: sizing.Plan) -> list[str]:
    """What the table does not show: the day, storage, and the first thing that breaks."""
    demand = plan.demand
    return [
        f"{_bids(demand.bids)} bids, {_bids(demand.sales)} sales and {_bids(demand.lists)} lists a day: "
        f"{rounded(plan.bids_a_second)} bids a second in the busiest seconds, {demand.streams:,} streams.",
        f"After a year: bid log {_bytes(plan.log_bytes)}, PostgreSQL {_bytes(plan.rows_bytes)}, "
        f"and {_bytes(plan.week_bytes)} of events that are deleted after a week.",
        f"First to break: {plan.first.role}, at {_bids(plan.first.breaks_at)} bids a day ({plan.first.remark}).",
    ]


def table(plan: sizing.Plan) -> Table:
    """For the screen."""
    day, *rest = sentences(plan)
    drawn = Table(*COLUMNS, title=day, caption="\n".join(rest), title_justify="left", caption_justify="left")
    for need in plan.needs:
        drawn.add_row(*row(need))
    return drawn


def markdown(plan: sizing.Plan) -> str:
    """For docs/scale.md."""
    day, *rest = sentences(plan)
    cells = [COLUMNS, *map(row, plan.needs)]
    lines = [f"| {' | '.join(each)} |" for each in cells]
    return "\n".join([f"### {_bids(plan.demand.bids)} bids a day", "", day, "", lines[0], "|---" * len(COLUMNS) + "|", *lines[1:], "", *rest, ""])  # fmt: skip


def _bids(count: float) -> str:
    return f"{rounded(count / 1e6)} million" if count >= 1e6 else rounded(count)


def _bytes(count: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9)):
        if count >= size:
            return f"{rounded(count / size)} {unit}"
    return f"{rounded(count / 1e6)} MB"


if __name__ == "__main__":
    main()
