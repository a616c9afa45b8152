"""How the processes of each role grow with the bids a day, as one line chart on logarithmic axes (SVG). A line ends where more
processes do not help.

Colours follow the reader's light or dark mode. No meaning rests on a colour, because each line is named at its end.
"""

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from benchmarks import sizing
from benchmarks.figures import rounded

BIDS_A_DAY = tuple(10 ** (6 + step / 10) for step in range(26))  # 1 million to 316 million
WIDTH, HEIGHT = 860, 480
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 48, 84  # pixels around the chart; names of lines reach below it
LABEL = 15  # pixels between the names of two lines
MOST = 1000
_COLOURS = ("#0969da", "#bf5b04", "#1a7f37", "#8250df", "#cf222e", "#57606a", "#0a7ea4", "#9a6700")
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-size: 15px; font-weight: 600 }
.grid { stroke: #d0d7de } path { fill: none; stroke-width: 2 } .end { stroke-width: 2; fill: none }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .grid { stroke: #30363d } }
"""
TITLE = "Processes of each role by bids a day"


def draw(plans: Sequence[sizing.Plan]) -> str:
    """The chart of plans in ascending order of bids a day."""
    lines = [
        _Line(number, [plan.needs[number] for plan in plans], plans) for number in range(len(plans[0].needs))
    ]
    lines.sort(key=lambda line: -line.points[-1][1])
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title desc">',
        f'<title id="title">{TITLE}</title>',
        f'<desc id="desc">{escape("; ".join(line.sentence for line in lines))}</desc>',
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="12" y="24">{TITLE}</text>',
        f'<text x="12" y="{TOP - 6}">processes; a circle: more do not help</text>',
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - BOTTOM + 32}" text-anchor="end">bids a day</text>',
    ]
    for bids in (1e6, 1e7, 1e8):
        x = _x(bids)
        drawn.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        drawn.append(
            f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{bids / 1e6:g} million</text>'
        )
    for count in (1, 10, 100, 1000):
        y = _y(count)
        drawn.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        drawn.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{count:,}</text>')
    below = 0.0
    for line in lines:
        below = max(_y(line.points[-1][1]) + 4, below + LABEL)
        drawn += line.draw(label_y=below)
    return "\n".join([*drawn, "</svg>"]) + "\n"


class _Line:
    """A role over all plans, up to where it breaks."""

    def __init__(self, number: int, needs: Sequence[sizing.Need], plans: Sequence[sizing.Plan]) -> None:
        self._colour = _COLOURS[number % len(_COLOURS)]
        self._need = needs[-1]
        within = [
            (plan.demand.bids, need.processes)
            for plan, need in zip(plans, needs, strict=True)
            if plan.demand.bids <= need.breaks_at
        ]
        self._breaks = len(within) < len(plans)
        self.points = within or [(plans[0].demand.bids, needs[0].processes)]

    @property
    def sentence(self) -> str:
        bids, processes = self.points[-1]
        verb = "breaks with" if self._breaks else "needs"
        return f"{self._need.role} {verb} {processes:,} at {rounded(bids / 1e6)} million"

    def draw(self, *, label_y: float) -> list[str]:
        places = [(_x(bids), _y(processes)) for bids, processes in self.points]
        path = " L ".join(f"{x:.1f} {y:.1f}" for x, y in places)
        x, y = places[-1]
        end = (
            f'<circle class="end" stroke="{self._colour}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
            if self._breaks
            else ""
        )
        name = f'<text x="{WIDTH - RIGHT + 10}" y="{label_y:.1f}" style="fill:{self._colour}">{escape(self._need.role)}</text>'
        return [f'<path stroke="{self._colour}" d="M {path}"/>{end}', name]


def _x(bids: float) -> float:
    first, last = math.log(BIDS_A_DAY[0]), math.log(BIDS_A_DAY[-1])
    return LEFT + (WIDTH - LEFT - RIGHT) * (math.log(bids) - first) / (last - first)


def _y(count: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * math.log(max(1, count)) / math.log(MOST)
