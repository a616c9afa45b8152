"""The arithmetic of the benchmarks: percentiles, goals, repeats, the table, the files and the plot. No figure is measured."""

import importlib
import re
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from auction_project.kernel import databases
from benchmarks import __main__ as command
from benchmarks import figures, flame, plot, profiles, report, scenarios, worlds
from benchmarks.__main__ import save
from benchmarks.figures import Figure

KEPT = worlds.ROOT / "docs" / "benchmarks"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([7.0], 50, 7.0),
        ([7.0], 99, 7.0),
        ([4.0, 1.0, 3.0, 2.0], 50, 2.0),
        ([1.0, 2.0, 3.0], 50, 2.0),
        (range(1, 101), 99, 99),
        (range(1, 101), 100, 100),
        (range(1, 201), 99, 198),
    ],
)
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(values, percent, expected):
    assert figures.percentile(values, percent) == expected


def test_no_values_have_no_percentile():
    with pytest.raises(ValueError, match="no values"):
        figures.percentile([], 50)


def test_repeats_are_joined_by_name_with_the_references_of_the_same_repeats():
    goal = figures.at_least_of_reference(0.4)

    def measured(value: float, reference: float, other: float) -> list[Figure]:
        return [
            Figure(
                name="bids",
                value=value,
                beside="echo",
                reference=reference,
                goal=goal,
                parts={"web": value / 2},
            ),
            Figure(name="other", value=other),
        ]

    bids, other = figures.join([measured(50, 100, 1), measured(30, 100, 2), measured(90, 150, 6)])

    assert (bids.values, bids.references) == ([50, 30, 90], [100, 100, 150])
    assert bids.ratios == [0.5, 0.3, 0.6]
    assert (bids.median, bids.reference, bids.parts) == (50, 100, {"web": 25})
    assert bids.judged == bids.ratios
    assert bids.is_met is True
    assert (other.values, other.median, other.is_met) == ([1, 2, 6], 2, None)


@pytest.mark.parametrize(
    ("goal", "values", "is_met"),
    [
        (figures.at_least(300), [290, 300, 310], True),
        (figures.at_least(300), [290, 299, 310], False),
        (figures.at_most(0), [0], True),
        (figures.at_most(0), [1], False),
        (figures.at_most(0.3), [0.31], False),
    ],
)
def test_the_median_meets_the_goal_or_not(goal, values, is_met):
    (series,) = figures.join([[Figure(name="a", value=value, goal=goal)] for value in values])

    assert series.is_met is is_met


def test_a_figure_with_one_repeat_that_was_not_verified_does_not_count():
    goal = figures.at_least(1)
    fine = Figure(name="sales/s", value=300, goal=goal)
    doubtful = Figure(name="sales/s", value=400, goal=goal, doubt="verify --settled ended with 1")

    (series,) = figures.join([[fine], [doubtful], [fine]])

    assert series.is_met is None
    assert report.row(series)[-1] == "does not count: verify --settled ended with 1"
    assert 'class="doubtful"' in plot.draw([series], title="t")


def test_a_row_shows_the_figure_beside_its_reference_and_its_goal():
    goal = figures.at_most_of_reference(1.2)
    runs = [
        [Figure(name="p99", value=value, unit="ms", beside="without", reference=20, goal=goal)]
        for value in (22, 30, 26)
    ]

    (series,) = figures.join(runs)

    assert report.row(series) == ("p99", "26 ms", "22 to 30", "without: 20 ms", "1.3", "<= 1.2 of it", "NO")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.12345, "0.123"), (1234.5, "1,234"), (98.76, "98.8"), (100.0, "100"), (12.0, "12")],
)
def test_a_value_is_shown_with_three_digits(value, text):
    assert figures.rounded(value) == text


@pytest.mark.parametrize(
    ("goal", "measured", "share"),
    [
        (figures.at_least(300), 150, 0.5),
        (figures.at_most(50), 100, 0.5),
        (figures.at_most(50), 1, plot.MOST),
        (figures.at_least(300), 9000, plot.MOST),
        (figures.at_most(0), 0, 1),
        (figures.at_most(0), 3, 0),
    ],
)
def test_a_bar_shows_how_much_of_the_goal_is_reached(goal, measured, share):
    assert plot.share(goal, measured) == share


def test_the_plot_is_well_formed_and_says_in_words_what_it_shows():
    met = figures.join([[Figure(name="bids & <more>", value=2, goal=figures.at_least(1))]])
    missed = figures.join([[Figure(name="slow", value=80, unit="ms", goal=figures.at_most(50))]])
    aimless = figures.join([[Figure(name="aimless", value=1)]])

    drawn = plot.draw([*met, *missed, *aimless], title="Shares & goals")

    tree = ElementTree.fromstring(drawn)  # noqa: S314 - our own text
    assert tree.findtext(f"{SVG}title") == "Shares & goals"
    assert tree.findtext(f"{SVG}desc") == "bids & <more>: 2 (>= 1); slow: 80 ms (<= 50) missed"
    assert [bar.get("class") for bar in tree.iter(f"{SVG}rect")] == ["met", "missed"]


def test_a_scenario_that_was_not_measured_keeps_its_figures_in_the_files(tmp_path):
    first = {
        name: report.measured(figures.join([[Figure(name=f"a figure of {name}", value=1)]]))
        for name in ("bids", "writer")
    }
    save(first, tmp_path, "embedded")
    again = {"writer": report.measured(figures.join([[Figure(name="a figure of writer", value=2)]]))}

    save(again, tmp_path, "embedded")

    results = report.read(tmp_path / "embedded.json")
    assert {name: scenario.figures[0].values for name, scenario in results.items()} == {
        "bids": [1],
        "writer": [2],
    }
    assert "| a figure of writer | 2 |" in (tmp_path / "embedded.md").read_text()
    assert (tmp_path / "embedded.svg").exists()


STACKS = [
    "<module> (manage.py);serve (/home/someone/gavel/.venv/lib/python3.11/site-packages/uvicorn/server.py:12);bid (bidding/rest/bid_endpoint.py:3) 60",
    "<module> (manage.py);serve (/home/someone/gavel/.venv/lib/python3.11/site-packages/uvicorn/server.py:9);<lambda> (/home/someone/secret.py:1) 38",
    "<module> (manage.py);main (<frozen runpy>) 2",
]


@pytest.mark.parametrize(
    ("frame", "name"),
    [
        ("bid (bidding/rest/bid_endpoint.py)", "bidding.rest.bid_endpoint.bid"),
        ("Committer._run (bidding/writer/committer.py:120)", "bidding.writer.committer.Committer._run"),
        ("connect (redis/asyncio/__init__.py)", "redis.asyncio.connect"),
        ("run (/home/someone/.venv/lib/python3.11/site-packages/uvicorn/server.py:7)", "uvicorn.server.run"),
        ("wait (/usr/lib/python3.12/threading.py:9)", "threading.wait"),
        ("main (/home/someone/elsewhere/script.py)", "script.main"),
        ("_run_code (<frozen runpy>)", "runpy._run_code"),
    ],
)
def test_a_frame_is_named_by_module_and_function_without_a_path_of_the_machine(frame, name):
    assert flame.frame_name(frame) == name


def test_stacks_fold_into_one_tree_in_which_lines_of_a_function_are_one_frame():
    root = flame.fold(STACKS)

    (module,) = root.callees.values()
    assert (root.samples, module.name, module.samples) == (100, "manage.<module>", 100)
    assert {name: frame.samples for name, frame in module.callees.items()} == {
        "uvicorn.server.serve": 98,
        "runpy.main": 2,
    }
    serve = module.callees["uvicorn.server.serve"]
    assert {name: frame.samples for name, frame in serve.callees.items()} == {
        "bidding.rest.bid_endpoint.bid": 60,
        "secret.<lambda>": 38,
    }
    assert flame.busiest(root)[:2] == [("bidding.rest.bid_endpoint.bid", 0.6), ("secret.<lambda>", 0.38)]


@pytest.mark.parametrize(
    "line",
    [
        " 28",
        "",
        "main (a.py);Reads a file of the operating",
        "system.",
        "main (a.py);/home/someone/gavel (b.py) 7",
        "main (a.py);torn 7",
    ],
)
def test_a_line_that_is_no_whole_stack_does_not_count(line):
    assert flame.fold([line, *STACKS]) == flame.fold(STACKS)


def test_a_flame_graph_is_well_formed_and_names_each_frame_without_a_script_or_a_path():
    drawn = flame.draw(flame.fold(STACKS), title="bids & web")

    tree = ElementTree.fromstring(drawn)  # noqa: S314 - our own text
    assert tree.findtext(f"{SVG}title") == "bids & web"
    assert "What ran most: bidding.rest.bid_endpoint.bid 60.0 %;" in tree.findtext(f"{SVG}desc")
    assert [frame.findtext(f"{SVG}title") for frame in tree.iter(f"{SVG}g")] == [
        "all: 100.0 %",
        "manage.<module>: 100.0 %",
        "runpy.main: 2.0 %",
        "uvicorn.server.serve: 98.0 %",
        "secret.<lambda>: 38.0 %",
        "bidding.rest.bid_endpoint.bid: 60.0 %",
    ]
    assert not list(tree.iter(f"{SVG}script"))
    assert "someone" not in drawn
    assert "site-packages" not in drawn


def test_a_callee_lies_below_its_caller_and_within_its_width():
    tree = ElementTree.fromstring(flame.draw(flame.fold(STACKS), title="t"))  # noqa: S314 - our own text

    boxes = {
        frame.findtext(f"{SVG}title").partition(":")[0]: {
            side: float(frame.find(f"{SVG}rect").get(side)) for side in ("x", "y", "width")
        }
        for frame in tree.iter(f"{SVG}g")
    }
    serve, bid, other = (
        boxes[name] for name in ("uvicorn.server.serve", "bidding.rest.bid_endpoint.bid", "secret.<lambda>")
    )
    assert bid["y"] == other["y"] == serve["y"] + flame.ROW
    assert bid["x"] == serve["x"]
    assert other["x"] == pytest.approx(bid["x"] + bid["width"], abs=0.2)
    assert other["x"] + other["width"] == pytest.approx(serve["x"] + serve["width"], abs=0.2)


def test_a_label_that_is_too_long_keeps_the_function():
    stacks = ["main (a.py);Committer.commit (bidding/writer/committer.py) 10", "main (a.py);rest (b.py) 90"]

    tree = ElementTree.fromstring(flame.draw(flame.fold(stacks), title="t"))  # noqa: S314 - our own text

    labels = [label.text for label in tree.iter(f"{SVG}text") if label.get("class") is None]
    assert labels == ["all", "a.main", "Committer.commit", "b.rest"]


def test_a_flame_graph_leaves_small_frames_out_until_it_is_small_enough():
    many = [f"main (a.py);step_{number} (b.py) 1" for number in range(40)]

    few = flame.draw(flame.fold([*many, "main (a.py);rest (b.py) 9960"]), title="t")
    large = flame.draw(
        flame.fold(
            ";".join(f"a_function_with_a_long_name_{number}_{depth} (b.py)" for depth in range(40)) + " 1"
            for number in range(150)
        ),
        title="t",
    )

    assert "step_7" not in few
    assert "b.rest: 99.6 %" in few
    assert len(large.encode()) <= flame.MOST_BYTES


def test_copies_of_a_role_are_one_and_its_graphs_replace_the_earlier_ones(tmp_path):
    for name in ("web.7", "web-2.8", "relay.9"):
        (tmp_path / f"{name}.raw").write_text("main (a.py) 5\n")
    (tmp_path / "bids-clock.svg").touch()
    (tmp_path / "lots-clock.svg").touch()

    roles = profiles.fold(tmp_path)
    profiles.draw("bids", {"web": roles["web"]}, tmp_path)

    assert {role: root.samples for role, root in roles.items()} == {"web": 10, "relay": 5}
    assert sorted(path.name for path in tmp_path.glob("*.svg")) == ["bids-web.svg", "lots-clock.svg"]


class _NoStores:
    def __enter__(self):
        return self

    def __exit__(self, *_error):
        pass


def _profiled(_name, _stores, more):
    """What a repeat of a scenario leaves under the profiler."""
    Path(more[profiles.DIRECTORY], "web.7.raw").write_text("\n".join(STACKS))
    return [Figure(name="bids", value=1, goal=figures.at_least(10))]


def test_a_profiled_run_writes_graphs_and_leaves_the_figures_as_they_were(tmp_path, monkeypatch, capsys):
    save({"bids": report.measured(figures.join([[Figure(name="bids", value=7, goal=figures.at_least(10))]]))},
         tmp_path, "embedded")  # fmt: skip
    before = report.read(tmp_path / "embedded.json")
    monkeypatch.setattr(worlds, "Worlds", _NoStores)
    monkeypatch.setattr(profiles, "doubt", lambda: "")
    monkeypatch.setattr(command, "_measure", _profiled)
    monkeypatch.setattr(
        sys, "argv", ["bench", "bids", "--profile", "--servers", "embedded", "--output", str(tmp_path)]
    )

    with pytest.raises(SystemExit) as ended:
        command.main()

    assert ended.value.code == 0
    assert report.read(tmp_path / "embedded.json") == before
    assert "someone" not in (tmp_path / "profiles" / "bids-web.svg").read_text()
    assert (
        "| bids | 7 |  |  |  | >= 10 | NO: [web](profiles/bids-web.svg) |"
        in (tmp_path / "embedded.md").read_text()
    )
    assert "not kept" in capsys.readouterr().out


def test_a_figure_that_keeps_its_goal_links_no_graph():
    met = report.measured(figures.join([[Figure(name="bids", value=12, goal=figures.at_least(10))]]))

    written = report.markdown(
        {"bids": met}, servers="embedded", graphs={"bids": [Path("profiles/bids-web.svg")]}
    )

    assert "profiles/" not in written


@pytest.mark.parametrize(
    ("program", "reason"),
    [("false", "may not read other processes"), ("no-such-profiler", "py-spy does not run here")],
)
def test_where_the_profiler_cannot_attach_nothing_is_measured(program, reason, monkeypatch, capsys):
    doubt = profiles.doubt(program)
    monkeypatch.setattr(profiles, "doubt", lambda: doubt)
    monkeypatch.setattr(worlds, "Worlds", lambda: pytest.fail("stores were made"))
    monkeypatch.setattr(sys, "argv", ["bench", "bids", "--profile"])

    with pytest.raises(SystemExit, match=reason) as ended:
        command.main()

    assert "\n" not in ended.value.code


def test_without_being_asked_nothing_is_recorded(monkeypatch):
    monkeypatch.delenv(profiles.DIRECTORY, raising=False)
    monkeypatch.setattr(profiles, "Recorder", lambda _directory: pytest.fail("a recorder was made"))

    with profiles.of_this_process():
        pass


def test_the_profiler_reads_a_process_of_ours_by_its_id_and_no_other(tmp_path):
    if profiles.doubt():
        pytest.skip("the profiler may not read other processes here")
    recorder = profiles.Recorder(tmp_path)
    busy = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True)\nwhile True: sum(range(999))"], stdout=subprocess.PIPE
    )
    other = subprocess.Popen(["sleep", "60"])
    try:
        busy.stdout.readline()
        recorder.record("web", busy.pid)
        recorder.record("gateway", other.pid)
        time.sleep(1.0)
        recorder.stop()
    finally:
        for process in (busy, other):
            process.kill()
            process.wait()
        busy.stdout.close()

    assert list(profiles.fold(tmp_path)) == ["web"]
    assert profiles.fold(tmp_path)["web"].samples > 20


def test_each_kept_figure_that_misses_its_goal_has_its_graphs_and_a_next_idea():
    results = report.read(KEPT / "embedded.json")
    rows = [
        line.strip("| \n").split(" | ")
        for line in (KEPT / "README.md").read_text().splitlines()
        if line.startswith("|")
    ]
    explained = {name: (graphs, idea) for name, _figures, graphs, idea in rows[2:]}

    for name in (name for name, scenario in results.items() if report.missed(scenario)):
        graphs, idea = explained[name]
        linked = {KEPT / link for link in re.findall(r"\((.*?)\)", graphs)}
        assert linked == set(profiles.of_scenario(name, KEPT / profiles.FOLDER))
        assert idea.endswith(".")


@pytest.mark.parametrize("graph", sorted((KEPT / profiles.FOLDER).glob("*.svg")), ids=lambda path: path.stem)
def test_a_kept_graph_is_small_and_names_no_path(graph):
    tree = ElementTree.fromstring(graph.read_text())  # noqa: S314 - our own text

    assert graph.stat().st_size <= flame.MOST_BYTES
    assert not [title.text for title in tree.iter(f"{SVG}title") if "/" in title.text]


@pytest.mark.parametrize("scenario", scenarios.SCENARIOS.values(), ids=scenarios.SCENARIOS)
def test_each_scenario_names_a_function(scenario):
    module, _, function = scenario.function.partition(":")

    assert callable(getattr(importlib.import_module(f"benchmarks.{module}"), function))


def test_a_world_has_databases_of_its_own_on_the_same_servers(monkeypatch):
    for alias in databases.ALIASES:
        url = f"postgres://gavel_{alias}:secret@db.example:6432/gavel_{alias}?sslmode=require"
        monkeypatch.setenv(f"DATABASE_URL_{alias.upper()}", url)
    monkeypatch.setenv("REDIS_URL", "redis://:secret@cache.example:6380/0")
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://:secret@cache.example:6380/1")

    environment = worlds.variables("bench_7")

    assert environment == {
        **{
            f"DATABASE_URL_{alias.upper()}": (
                f"postgres://gavel_{alias}:secret@db.example:6432/gavel_{alias}_bench_7?sslmode=require"
            )
            for alias in databases.ALIASES
        },
        "REDIS_URL": "redis://:secret@cache.example:6380/14",
        "CELERY_BROKER_URL": "redis://:secret@cache.example:6380/15",
        "MONGODB_DATABASE": "bench_7",
        "EVENTS_NAMESPACE": "bench_7",
    }
