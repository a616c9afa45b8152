"""The periods of the desk: days of the house's calendar, their parts, and the period before.

Pure: "today" and the hour are arguments.
"""

import calendar
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Literal, Self

import msgspec

Name = Literal["day", "week", "month", "custom"]
Step = Literal["hour", "day", "week", "month"]
MAX_DAYS = 3660
_MOST_BARS = {"day": 62, "week": 371}  # of a custom period, in days


class PeriodInvalid(ValueError):
    """There is no such period. It is no error of REST: the page says it, above the figures of today."""

    def __init__(self) -> None:
        super().__init__(
            "A period is a day, a week, a month, or two days of which the first is not after the last."
        )


class Part(msgspec.Struct, frozen=True):
    """What one bar of a plot stands for: an hour, or days. `hour` is None for days."""

    first: date
    last: date
    hour: int | None = None

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def label(self) -> str:
        if self.hour is not None:
            return f"{self.hour}:00"
        if self.first == self.last:
            return f"{self.first.day} {self.first:%b}"
        if self.first.day == 1 and self.last.day >= 28:
            return f"{self.first:%b %Y}"
        return f"{self.first.day} {self.first:%b} to {self.last.day} {self.last:%b}"


class Period(msgspec.Struct, frozen=True):
    """The days from `first` to `last`, both included, of which a plot shows each `step`."""

    name: Name
    first: date
    last: date

    @classmethod
    def read(cls, query: Mapping[str, str], *, today: date) -> Self:
        """The period that a query asks for: `period` (a day without it), `day` (today), `from` and `to`. Raises PeriodInvalid."""
        name, day = query.get("period") or "day", _day(query.get("day"), today)
        match name:
            case "day":
                return cls(name, day, day)
            case "week":
                monday = day - timedelta(days=day.weekday())
                return cls(name, monday, monday + timedelta(days=6))
            case "month":
                return cls(name, day.replace(day=1), _end_of_month(day))
            case "custom":
                first = _day(query.get("from"), today)
                last = _day(query.get("to"), today)
                if not 0 <= (last - first).days < MAX_DAYS:
                    raise PeriodInvalid
                return cls(name, first, last)
        raise PeriodInvalid

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def step(self) -> Step:
        if self.days == 1:
            return "hour"
        if self.name != "custom" or self.days <= _MOST_BARS["day"]:
            return "day"
        return "week" if self.days <= _MOST_BARS["week"] else "month"

    @property
    def former(self) -> Self:
        """As many days before; of a month, the month before."""
        before = self.first - timedelta(days=1)
        first = before.replace(day=1) if self.name == "month" else self.first - timedelta(days=self.days)
        return msgspec.structs.replace(self, first=first, last=before)

    @property
    def next(self) -> Self:
        """As many days after; of a month, the month after."""
        first = self.last + timedelta(days=1)
        last = _end_of_month(first) if self.name == "month" else self.last + timedelta(days=self.days)
        return msgspec.structs.replace(self, first=first, last=last)

    @property
    def parts(self) -> list[Part]:
        """In order, together the whole period. A week or a month that begins or ends outside of it is cut."""
        if self.step == "hour":
            return [Part(self.first, self.first, hour) for hour in range(24)]
        parts, first = [], self.first
        while first <= self.last:
            last = first
            if self.step == "week":
                last = first + timedelta(days=6 - first.weekday())
            elif self.step == "month":
                last = _end_of_month(first)
            parts.append(Part(first, min(last, self.last)))
            first = last + timedelta(days=1)
        return parts

    @property
    def title(self) -> str:
        if self.first == self.last:
            return f"{self.first:%A}, {_written(self.first)}"
        if self.name == "month":
            return f"{self.first:%B %Y}"
        return f"{_written(self.first)} to {_written(self.last)}"

    @property
    def query(self) -> dict[str, str]:
        """What asks for this period."""
        if self.name == "custom":
            return {"period": self.name, "from": self.first.isoformat(), "to": self.last.isoformat()}
        return {"period": self.name, "day": self.first.isoformat()}

    def includes(self, day: date) -> bool:
        return self.first <= day <= self.last


class Until(msgspec.Struct, frozen=True):
    """The end of a part of a period: the whole day `day`, or its hours up to and with `hour`."""

    day: date
    hour: int = 23


def comparable(period: Period, *, today: date, hour: int) -> Until:
    """Up to where the former period is compared: as far as `period` has come, all of it once that is over."""
    former = period.former
    if not period.includes(today):
        return Until(former.last)
    day = former.first + (today - period.first)
    return Until(day, hour) if day <= former.last else Until(former.last)


def _day(text: str | None, default: date) -> date:
    if not text:
        return default
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise PeriodInvalid from error
    if not 2000 <= day.year < 2200:  # what has a former period, and a next one
        raise PeriodInvalid
    return day


def _end_of_month(day: date) -> date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def _written(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
