"""Periods of the house's calendar: where they begin and end, what their plots show, and which period came before."""

from datetime import date, timedelta

import pytest

from orders.desk import periods

TODAY = date(2026, 11, 21)  # a Saturday


def read(**query: str) -> periods.Period:
    return periods.Period.read({name.rstrip("_"): value for name, value in query.items()}, today=TODAY)


@pytest.mark.parametrize(
    ("period", "day", "first", "last", "step"),
    [
        ("day", "2026-11-21", "2026-11-21", "2026-11-21", "hour"),
        ("week", "2026-11-21", "2026-11-16", "2026-11-22", "day"),
        ("week", "2026-11-16", "2026-11-16", "2026-11-22", "day"),
        ("week", "2027-01-01", "2026-12-28", "2027-01-03", "day"),
        ("month", "2026-11-21", "2026-11-01", "2026-11-30", "day"),
        ("month", "2028-02-29", "2028-02-01", "2028-02-29", "day"),
        ("month", "2026-12-31", "2026-12-01", "2026-12-31", "day"),
    ],
)
def test_a_period_is_the_one_around_a_day(period: str, day: str, first: str, last: str, step: str) -> None:
    found = read(period=period, day=day)

    assert (found.first.isoformat(), found.last.isoformat(), found.step) == (first, last, step)
    assert periods.Period.read(found.query, today=TODAY) == found


def test_without_a_query_the_period_is_today() -> None:
    assert read() == periods.Period("day", TODAY, TODAY)


@pytest.mark.parametrize(
    ("first", "last", "step", "bars"),
    [
        ("2026-11-21", "2026-11-21", "hour", 24),
        ("2026-10-01", "2026-12-01", "day", 62),
        ("2026-10-01", "2026-12-02", "week", 10),
        ("2026-01-01", "2026-12-31", "week", 53),
        ("2025-01-15", "2026-12-31", "month", 24),
    ],
)
def test_a_custom_period_has_as_many_bars_as_a_plot_can_show(
    first: str, last: str, step: str, bars: int
) -> None:
    period = read(period="custom", from_=first, to=last)

    assert (period.step, len(period.parts)) == (step, bars)


@pytest.mark.parametrize(
    ("first", "last"),
    [("2026-11-21", "2026-11-21"), ("2026-01-01", "2026-12-31"), ("2024-02-29", "2026-03-01")],
)
def test_the_parts_are_the_period_without_a_gap(first: str, last: str) -> None:
    period = read(period="custom", from_=first, to=last)
    parts = [part for part in period.parts if part.hour in (None, 0)]

    days = [part.first + timedelta(days=day) for part in parts for day in range(part.days)]

    assert days == [period.first + timedelta(days=day) for day in range(period.days)]


@pytest.mark.parametrize(
    ("query", "former", "following"),
    [
        ({"period": "day"}, ("2026-11-20", "2026-11-20"), ("2026-11-22", "2026-11-22")),
        ({"period": "week"}, ("2026-11-09", "2026-11-15"), ("2026-11-23", "2026-11-29")),
        (
            {"period": "month", "day": "2026-03-31"},
            ("2026-02-01", "2026-02-28"),
            ("2026-04-01", "2026-04-30"),
        ),
        (
            {"period": "month", "day": "2026-01-05"},
            ("2025-12-01", "2025-12-31"),
            ("2026-02-01", "2026-02-28"),
        ),
        (
            {"period": "custom", "from_": "2026-11-02", "to": "2026-11-04"},
            ("2026-10-30", "2026-11-01"),
            ("2026-11-05", "2026-11-07"),
        ),
    ],
)
def test_the_periods_before_and_after_meet_it(
    query: dict[str, str], former: tuple[str, str], following: tuple[str, str]
) -> None:
    period = read(**query)

    assert (period.former.first.isoformat(), period.former.last.isoformat()) == former
    assert (period.next.first.isoformat(), period.next.last.isoformat()) == following


@pytest.mark.parametrize(
    "query",
    [
        {"period": "year"},
        {"day": "2026-02-30"},
        {"day": "tomorrow"},
        {"day": "0001-01-01"},
        {"day": "9999-12-31"},
        {"period": "custom", "from_": "2026-11-21", "to": "2026-11-20"},
        {"period": "custom", "from_": "2000-01-01", "to": "2199-12-31"},
    ],
)
def test_a_period_that_does_not_exist_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(periods.PeriodInvalid):
        read(**query)


@pytest.mark.parametrize(
    ("query", "today", "until"),
    [
        ({"period": "day"}, TODAY, ("2026-11-20", 9)),
        ({"period": "week"}, TODAY, ("2026-11-14", 9)),
        ({"period": "month", "day": "2026-03-31"}, date(2026, 3, 31), ("2026-02-28", 23)),  # no 31 February
        ({"period": "day", "day": "2026-11-19"}, TODAY, ("2026-11-18", 23)),
        ({"period": "month", "day": "2026-10-05"}, TODAY, ("2026-09-30", 23)),
    ],
)
def test_a_period_under_way_is_compared_with_as_much_of_the_former_one(
    query: dict[str, str], today: date, until: tuple[str, int]
) -> None:
    found = periods.comparable(read(**query), today=today, hour=9)

    assert (found.day.isoformat(), found.hour) == until
