"""A run's figures as one table, on the screen and as Markdown, and as JSON, which keeps the scenarios of earlier runs."""

import math
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.table import Table

from benchmarks.figures import Series, rounded

COLUMNS = ("figure", "median", "spread", "beside", "ratio", "goal", "met")


class Measured(msgspec.Struct, frozen=True):
    """One scenario: when and where it was measured, how often, and its figures."""

    at: str
    python: str
    cores: int
    processor: str
    figures: list[Series]


Results = dict[str, Measured]  # by the name of the scenario


def measured(series: Sequence[Series]) -> Measured:
    """The figures, measured now on this machine."""
    return Measured(
        at=datetime.now(UTC).isoformat(timespec="minutes"),
        python=platform.python_version(),
        cores=len(os.sched_getaffinity(0)),
        processor=_processor(),
        figures=list(series),
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")


def read(path: Path) -> Results:
    """The results of the file; none without a file."""
    return msgspec.json.decode(path.read_bytes(), type=Results) if path.exists() else {}


def write(path: Path, results: Results) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def row(series: Series) -> tuple[str, ...]:
    """The cells of COLUMNS."""
    reference, ratios = series.reference, series.ratios
    return (
        series.name,
        _with_unit(series.median, series.unit),
        f"{rounded(min(series.values))} to {rounded(max(series.values))}" if len(series.values) > 1 else "",
        "" if reference is None else f"{series.beside}: {_with_unit(reference, series.unit)}",
        "" if not ratios or math.inf in ratios else rounded(statistics.median(ratios)),
        "" if series.goal is None else f"{series.goal}",
        _verdict(series),
    )


def _with_unit(value: float, unit: str) -> str:
    return f"{rounded(value)} {unit}".rstrip()


def _verdict(series: Series) -> str:
    if series.doubts:
        return f"does not count: {series.doubts[0]}"
    return {None: "", True: "yes", False: "NO"}[series.is_met]


def parts(series: Series) -> str:
    """What the figure is made of, the largest part first."""
    ordered = sorted(series.parts.items(), key=lambda part: -part[1])
    return ", ".join(f"{name} {rounded(value)}" for name, value in ordered if value > 0)


def table(results: Mapping[str, Measured]) -> Table:
    """For the screen."""
    drawn = Table("scenario", *COLUMNS, title="Gavel, measured beside reference points of the same run")
    for name, scenario in results.items():
        drawn.add_section()
        for number, series in enumerate(scenario.figures):
            figure, *others = row(series)
            detail = f"\n[dim]{parts(series)}[/]" if series.parts else ""
            drawn.add_row("" if number else name, f"{figure}{detail}", *others)
    return drawn


def missed(scenario: Measured) -> list[str]:
    """The figures whose median misses its goal."""
    return [series.name for series in scenario.figures if series.is_met is False]


def markdown(
    results: Mapping[str, Measured], *, servers: str, graphs: Mapping[str, Sequence[Path]] | None = None
) -> str:
    """For docs/benchmarks/. A figure that misses its goal links to the `graphs` of its scenario: what the CPU did."""
    lines = [
        f"# Figures of one machine, {servers} servers",
        "",
        "Written by `make bench`; do not edit. Compare the ratios: absolute figures are those of the machine. Each is the median",
        "of its repeats, with the least and the largest. A figure whose load was not followed by a `verify --settled` that holds",
        "does not count.",
        "",
        f"![Each figure as a share of its goal]({servers}.svg)",
    ]
    for name, scenario in results.items():
        links = [f"[{path.stem.removeprefix(f'{name}-')}]({path})" for path in (graphs or {}).get(name, ())]
        repeats = max((len(series.values) for series in scenario.figures), default=0)
        where = (
            f"{scenario.cores} cores ({scenario.processor})"
            if scenario.processor
            else f"{scenario.cores} cores"
        )
        lines += [
            "",
            f"## {name}",
            "",
            f"{scenario.at}, Python {scenario.python}, {where}, repeats: {repeats}",
            "",
            f"| {' | '.join(COLUMNS)} |",
            "|" + "---|" * len(COLUMNS),
            *(
                f"| {' | '.join(cell.replace('|', '/') for cell in _linked(series, links))} |"
                for series in scenario.figures
            ),
        ]
        for series in scenario.figures:
            if series.parts:
                lines += ["", f"{series.name}: {parts(series)}{series.unit and f' ({series.unit})'}."]
    return "\n".join(lines) + "\n"


def _linked(series: Series, links: Sequence[str]) -> tuple[str, ...]:
    *cells, verdict = row(series)
    return (*cells, f"{verdict}: {', '.join(links)}" if links and series.is_met is False else verdict)
