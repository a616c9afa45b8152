"""The figures that have a goal as one bar chart (SVG): how far each is on the way to its goal, with the spread of its repeats.

A bar that reaches the line keeps its goal. Colours follow the reader's light or dark mode, and no meaning rests on a colour.
"""

import statistics
from collections.abc import Sequence
from xml.sax.saxutils import escape

from benchmarks.figures import Goal, Series, rounded

WIDTH, LABEL, BAR = 1060, 500, 320  # pixels; a bar of this length is twice the goal
ROW, TOP = 24, 60
MOST = 2.0  # times the goal; longer bars are cut
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.met { fill: #1a7f37 } .missed { fill: #bf5b04 } .doubtful { fill: none; stroke: #6e7781; stroke-dasharray: 3 }
.line { stroke: #1f2328 } .spread { stroke: #1f2328; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .line, .spread { stroke: #e6edf3 } .met { fill: #3fb950 } .missed { fill: #f0883e }
}
"""


def share(goal: Goal, measured: float) -> float:
    """How much of the goal is reached: 1 keeps it exactly, more is better, at most MOST."""
    if goal.bound == 0:
        return float(goal.is_met(measured))
    if goal.comparison == "<=":
        return MOST if measured <= 0 else min(MOST, goal.bound / measured)
    return min(MOST, max(0.0, measured / goal.bound))


def draw(figures: Sequence[Series], *, title: str) -> str:
    """The chart of those of the figures that have a goal."""
    rows = [series for series in figures if series.goal is not None]
    height, line = TOP + ROW * len(rows) + 16, LABEL + BAR / MOST
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title desc">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape("; ".join(map(_sentence, rows)))}</desc>',
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="12" y="24">{escape(title)}</text>',
        f'<text x="{line:g}" y="{TOP - 10}" text-anchor="middle">goal</text>',
    ]
    for number, series in enumerate(rows):
        drawn += _bar(series, TOP + ROW * number)
    drawn.append(f'<line class="line" x1="{line:g}" x2="{line:g}" y1="{TOP - 4}" y2="{height - 12}"/></svg>')
    return "\n".join(drawn) + "\n"


def _bar(series: Series, y: int) -> list[str]:
    goal = series.goal
    assert goal is not None
    least, middle, most = (
        LABEL + BAR / MOST * share(goal, measured)
        for measured in (min(series.judged), statistics.median(series.judged), max(series.judged))
    )
    kind = "doubtful" if series.doubts else "met" if series.is_met else "missed"
    return [
        f'<text x="{LABEL - 8}" y="{y + 14}" text-anchor="end">{escape(series.name)}</text>',
        f'<rect class="{kind}" x="{LABEL}" y="{y + 3}" width="{middle - LABEL:.1f}" height="14"/>',
        f'<line class="spread" x1="{least:.1f}" x2="{most:.1f}" y1="{y + 10}" y2="{y + 10}"/>',
        f'<text x="{LABEL + BAR + 8}" y="{y + 14}">{escape(_caption(series))}</text>',
    ]


def _caption(series: Series) -> str:
    unit = "" if series.goal is not None and series.goal.of_ratio else f" {series.unit}".rstrip()
    verdict = "does not count" if series.doubts else "" if series.is_met else "missed"
    return f"{rounded(statistics.median(series.judged))}{unit} ({series.goal}) {verdict}".rstrip()


def _sentence(series: Series) -> str:
    return f"{series.name}: {_caption(series)}"
