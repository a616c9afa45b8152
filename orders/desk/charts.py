"""Bar plots as SVG, drawn here so that a page needs no script. Colours come from `desk.css`, for light, dark and print."""

import math
from collections.abc import Callable, Sequence

import msgspec
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT = 420, 190  # as wide as a phone, so that its text can be read there
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 8, 10, 26
_LINES = 4  # of the grid above 0
_MOST_LABELS = 6


class Bar(msgspec.Struct, frozen=True):
    """One bar: what it stands for, and how much."""

    label: str
    value: int


class Plot(msgspec.Struct, frozen=True):
    """Bars under a title. `shown` writes a value, `short` one at the axis. `id` is unique on its page."""

    id: str
    title: str
    bars: Sequence[Bar]
    shown: Callable[[int], str]
    short: Callable[[int], str]

    @property
    def rows(self) -> list[tuple[str, str]]:
        """The same as a table."""
        return [(bar.label, self.shown(bar.value)) for bar in self.bars]

    @property
    def is_empty(self) -> bool:
        return not any(bar.value for bar in self.bars)

    @property
    def description(self) -> str:
        """The plot in words."""
        if self.is_empty:
            return "Nothing in this period."
        highest = max(self.bars, key=lambda bar: bar.value)
        total = sum(bar.value for bar in self.bars)
        return f"{self.shown(total)} in all; the most is {self.shown(highest.value)}, {highest.label}."

    @property
    def svg(self) -> SafeString:
        top = scale(max((bar.value for bar in self.bars), default=0))
        return format_html(
            '<svg class="desk-svg" viewBox="0 0 {} {}" role="img" aria-labelledby="{}-title {}-desc">'
            '<title id="{}-title">{}</title><desc id="{}-desc">{}</desc>{}{}{}</svg>',
            *(WIDTH, HEIGHT, self.id, self.id, self.id, self.title, self.id, self.description),
            self._grid(top),
            self._bars(top),
            self._labels(),
        )

    def _grid(self, top: int) -> SafeString:
        values = [top * line // _LINES for line in range(_LINES + 1)]
        return format_html_join(
            "",
            '<line class="desk-line" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="desk-text" x="{}" y="{}" text-anchor="end">{}</text>',
            (
                (_LEFT, WIDTH - _RIGHT, y, y, _LEFT - 6, y + 4, self.short(value))
                for value in dict.fromkeys(values)
                for y in [_height(value, top)]
            ),
        )

    def _bars(self, top: int) -> SafeString:
        width = self._step * 0.72
        return format_html_join(
            "",
            '<rect class="desk-bar" x="{}" y="{}" width="{}" height="{}"><title>{}: {}</title></rect>',
            (
                (
                    *(round(self._left(number) - width / 2, 1), _height(bar.value, top), round(width, 1)),
                    *(round(HEIGHT - _BOTTOM - _height(bar.value, top), 1), bar.label, self.shown(bar.value)),
                )
                for number, bar in enumerate(self.bars)
                if bar.value > 0
            ),
        )

    def _labels(self) -> SafeString:
        """Some of the labels, so that they do not meet."""
        each = max(1, math.ceil(len(self.bars) / _MOST_LABELS))
        return format_html_join(
            "",
            '<text class="desk-text" x="{}" y="{}" text-anchor="middle">{}</text>',
            (
                (round(self._left(number), 1), HEIGHT - 8, bar.label.partition(" to ")[0])
                for number, bar in enumerate(self.bars)
                if number % each == 0
            ),
        )

    @property
    def _step(self) -> float:
        return (WIDTH - _LEFT - _RIGHT) / max(1, len(self.bars))

    def _left(self, number: int) -> float:
        """The middle of a bar."""
        return _LEFT + self._step * (number + 0.5)


def scale(highest: int) -> int:
    """The top of the axis: the first of 4, 8, 12, 20, 40, … that is not below the highest value."""
    power = 1
    while True:
        for step in (4, 8, 12, 20):
            if step * power >= highest:
                return step * power
        power *= 10


def _height(value: int, top: int) -> float:
    return round(HEIGHT - _BOTTOM - (HEIGHT - _BOTTOM - _TOP) * max(0, value) / top, 1)
