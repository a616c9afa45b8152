"""The arithmetic of the benchmarks: percentiles, goals, repeats, the table, the files and the plot. No figure is measured."""

import importlib
from xml.etree import ElementTree

import pytest

from auction_project.kernel import databases
from benchmarks import figures, plot, report, scenarios, worlds
from benchmarks.__main__ import save
from benchmarks.figures import Figure

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
