"""What a benchmark measures: a figure beside its reference of the same run and its goal, and the same figure over repeats."""

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec


class Goal(msgspec.Struct, frozen=True):
    """A bound that the figure keeps, or with `of_ratio` the ratio of the figure to its reference."""

    comparison: Literal["<=", ">="]
    bound: float
    of_ratio: bool = False

    def is_met(self, measured: float) -> bool:
        return measured <= self.bound if self.comparison == "<=" else measured >= self.bound

    def __str__(self) -> str:
        return f"{self.comparison} {rounded(self.bound)}{' of it' if self.of_ratio else ''}"


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement. `parts` say what the value is made of, in the same unit. `doubt` says why it does not count."""

    name: str
    value: float
    unit: str = ""
    beside: str = ""  # what the reference is
    reference: float | None = None
    goal: Goal | None = None
    parts: dict[str, float] = {}
    doubt: str = ""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A figure over all repeats. The references are those of the same repeats; `parts` are medians."""

    name: str
    values: list[float]
    unit: str = ""
    beside: str = ""
    references: list[float] = []
    goal: Goal | None = None
    parts: dict[str, float] = {}
    doubts: list[str] = []

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def reference(self) -> float | None:
        return statistics.median(self.references) if self.references else None

    @property
    def ratios(self) -> list[float]:
        """Of each repeat: the value by its reference."""
        return [
            value / reference if reference else math.inf
            for value, reference in zip(self.values, self.references, strict=True)
        ] if self.references else []  # fmt: skip

    @property
    def judged(self) -> list[float]:
        """What the goal is about, of each repeat."""
        return self.ratios if self.goal is not None and self.goal.of_ratio else self.values

    @property
    def is_met(self) -> bool | None:
        """Whether the median keeps the goal; None without a goal, or when a repeat does not count."""
        if self.goal is None or self.doubts:
            return None
        return self.goal.is_met(statistics.median(self.judged))


def at_least(bound: float) -> Goal:
    return Goal(">=", bound)


def at_most(bound: float) -> Goal:
    return Goal("<=", bound)


def at_least_of_reference(share: float) -> Goal:
    return Goal(">=", share, of_ratio=True)


def at_most_of_reference(share: float) -> Goal:
    return Goal("<=", share, of_ratio=True)


def join(repeats: Sequence[Sequence[Figure]]) -> list[Series]:
    """The figures of all repeats by name, in the order of the first ones."""
    by_name: dict[str, list[Figure]] = {}
    for figure in (figure for repeat in repeats for figure in repeat):
        by_name.setdefault(figure.name, []).append(figure)
    return [_series(figures) for figures in by_name.values()]


def _series(figures: Sequence[Figure]) -> Series:
    first = figures[0]
    return Series(
        name=first.name,
        values=[figure.value for figure in figures],
        unit=first.unit,
        beside=first.beside,
        references=[figure.reference for figure in figures if figure.reference is not None],
        goal=first.goal,
        parts={
            part: statistics.median(figure.parts.get(part, 0.0) for figure in figures) for part in first.parts
        },
        doubts=[figure.doubt for figure in figures if figure.doubt],
    )


def percentile(values: Iterable[float], percent: float) -> float:
    """The least value that so many percent of all values do not exceed (nearest rank). Raises ValueError without a value."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def rounded(value: float) -> str:
    """Three significant digits, thousands with commas."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
