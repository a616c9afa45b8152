"""Measures Gavel beside reference points of the same run, and prints one table.

JSON, Markdown and a plot go to docs/benchmarks/, named by the kind of servers. A scenario that was not measured this time
keeps its earlier figures there. Each repeat runs all scenarios once, so that a slow moment of the machine does not meet all
repeats of one of them.

With `--profile`, the run writes flame graphs to docs/benchmarks/profiles/ in place of figures, because the profiler slows what
it records. The Markdown links them from each figure that misses its goal.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
from rich.console import Console

from benchmarks import figures, plot, profiles, report, scenarios, worlds

REPEATS = 5
MOST_SECONDS = 2400.0  # of one repeat of one scenario
RESULTS = Path("docs/benchmarks")
WIDTH = 170  # of the table where there is no terminal


def main() -> None:
    options = _parse()
    if options.profile and (doubt := profiles.doubt()):
        sys.exit(f"not profiled: {doubt}")
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    repeats: dict[str, list[list[figures.Figure]]] = {name: [] for name in options.names}
    failed = []
    with worlds.Worlds() as stores:
        for number in range(1, options.repeats + 1):
            for name in options.names:
                began = time.monotonic()
                try:
                    if options.profile:
                        repeats[name].append(_profile(name, stores, options.output, console))
                    else:
                        repeats[name].append(_measure(name, stores))
                except subprocess.SubprocessError as error:
                    failed.append(f"{name}, repeat {number}: {error}")
                seconds = time.monotonic() - began
                console.print(f"repeat {number} of {options.repeats}: {name}, {seconds:.0f} s")
                measured = {
                    name: report.measured(figures.join(runs)) for name, runs in repeats.items() if runs
                }
                # Now, because a run takes hours and may be ended early. Figures of a profiled run are not kept.
                save({} if options.profile else measured, options.output, options.servers)
    console.print(report.table(measured))
    if options.profile:
        console.print("The profiler has slowed these figures, so they are not kept.")
    else:
        for name, scenario in measured.items():
            _explain(name, report.missed(scenario), options.output, console)
    for failure in failed:
        console.print(f"[red]not measured: {failure}[/]")
    sys.exit(1 if failed else 0)


def _parse() -> argparse.Namespace:
    names = "\n".join(f"  {name:<10} {scenario.purpose}" for name, scenario in scenarios.SCENARIOS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=f"names:\n{names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to measure (default: all)")
    parser.add_argument(
        "--repeats",
        type=int,
        metavar="N",
        help=f"default: {REPEATS}, and 1 with --profile, which keeps the last",
    )
    parser.add_argument("--profile", action="store_true", help="write flame graphs in place of figures")
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="DIR", help="default: %(default)s")
    parser.add_argument(
        "--servers",
        choices=("embedded", "real"),
        default=_servers(),
        help="what the files are named (default: as it is)",
    )
    options = parser.parse_args()
    options.names = options.names or list(scenarios.SCENARIOS)
    if options.repeats is None:
        options.repeats = 1 if options.profile else REPEATS
    unknown = sorted(set(options.names) - set(scenarios.SCENARIOS))
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(scenarios.SCENARIOS)}")
    if options.repeats < 1:
        parser.error("--repeats must be at least 1")
    return options


def _servers() -> str:
    """The embedded servers hand on how they are controlled."""
    return "embedded" if "tools.embedded" in os.environ.get("GAVEL_SERVICE_CONTROL", "") else "real"


def _profile(name: str, stores: worlds.Worlds, output: Path, console: Console) -> list[figures.Figure]:
    """One repeat of a scenario, with graphs of the roles that explain its figures. Raises SubprocessError as `_measure` does."""
    with tempfile.TemporaryDirectory() as stacks:
        measured = _measure(name, stores, {profiles.DIRECTORY: stacks})
        roles = profiles.fold(Path(stacks))
    samples = sum(root.samples for root in roles.values())
    shares = ", ".join(
        f"{role} {100 * root.samples / samples:.0f} %" for role, root in roles.items() if samples
    )
    console.print(f"{name}: {samples:,} samples{shares and f': {shares}'}")
    explaining = {role: roles[role] for role in scenarios.SCENARIOS[name].profiled if role in roles}
    profiles.draw(name, explaining, output / profiles.FOLDER)
    return measured


def _explain(name: str, missed: list[str], output: Path, console: Console) -> None:
    """Say where to look when figures of a scenario miss their goals."""
    if missed:
        graphs = profiles.of_scenario(name, output / profiles.FOLDER)
        where = ", ".join(map(str, graphs)) or f"recorded by `make bench ARGS='{name} --profile'`"
        console.print(f"{name} misses {len(missed)} goals; what the CPU did: {where}")


def _measure(name: str, stores: worlds.Worlds, more: Mapping[str, str] | None = None) -> list[figures.Figure]:
    """One repeat of a scenario, with `more` in its environment. Raises SubprocessError when it fails, or does not end in
    MOST_SECONDS."""
    with stores.fresh() as environment, tempfile.NamedTemporaryFile(suffix=".json") as file:
        subprocess.run(
            [sys.executable, "-m", "benchmarks.measure", name, file.name],
            cwd=worlds.ROOT,
            env={**os.environ, **environment, **(more or {})},
            check=True,
            timeout=MOST_SECONDS,
        )
        return msgspec.json.decode(Path(file.name).read_bytes(), type=list[figures.Figure])


def save(measured: report.Results, directory: Path, servers: str) -> None:
    """Write JSON, Markdown and the plot. Scenarios that were not measured keep the figures of an earlier run."""
    directory.mkdir(parents=True, exist_ok=True)
    earlier = report.read(directory / f"{servers}.json")
    all_results = earlier | measured
    results = {name: all_results[name] for name in scenarios.SCENARIOS if name in all_results}
    if not results:
        return  # the run was profiled, and there are no earlier figures
    report.write(directory / f"{servers}.json", results)
    graphs = {
        name: [
            path.relative_to(directory) for path in profiles.of_scenario(name, directory / profiles.FOLDER)
        ]
        for name in results
    }
    (directory / f"{servers}.md").write_text(report.markdown(results, servers=servers, graphs=graphs))
    chart = plot.draw(
        [series for scenario in results.values() for series in scenario.figures],
        title=f"Each figure as a share of its goal ({servers} servers)",
    )
    (directory / f"{servers}.svg").write_text(chart)


if __name__ == "__main__":
    main()
