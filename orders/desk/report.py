"""What the page of the desk says about a period: figures beside those of the period before, and plots."""

import fractions
import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta

import msgspec

from auction_project.kernel import money, reasons
from orders import models
from orders.desk import charts, periods, selectors

_Measure = models.Measure
NONE = "–"


class Card(msgspec.Struct, frozen=True):
    """One figure, the same one of the former period, and by how much it has changed. `help` says what it counts."""

    label: str
    value: str
    former: str
    change: str
    help: str


class Totals(msgspec.Struct):
    """The figures of a period; money in minor units of one currency."""

    revenue: int = 0
    orders: int = 0
    units: int = 0
    refunded: int = 0
    undone: int = 0
    listed: int = 0
    ended: int = 0
    sold: int = 0
    offered_units: int = 0
    sold_units: int = 0

    @property
    def average(self) -> int | None:
        """The average order, rounded to a minor unit, half to even."""
        return round(fractions.Fraction(self.revenue, self.orders)) if self.orders else None

    @property
    def conversion(self) -> float | None:
        """The share of the lots that ended that sold something."""
        return self.sold / self.ended if self.ended else None

    @property
    def sell_through(self) -> float | None:
        """The share of the units that these lots offered that they sold."""
        return self.sold_units / self.offered_units if self.offered_units else None


class Failure(msgspec.Struct, frozen=True):
    """How many sales were undone for a reason, and how many in the former period."""

    reason: str
    label: str
    number: int
    former: int


class PartRow(msgspec.Struct, frozen=True):
    """The figures of one part of the period."""

    part: periods.Part
    totals: Totals


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of the page, which move while they are looked at."""

    period: periods.Period
    currency: str
    currencies: Sequence[str]
    totals: Totals
    cards: Sequence[Card]
    plots: Sequence[charts.Plot]
    parts: Sequence[PartRow]
    failures: Sequence[Failure]
    open_lots: int

    @property
    def digest(self) -> str:
        """Another one when the figures are others."""
        shown = (self.period, self.currency, self.currencies, self.cards, self.parts, self.failures)
        encoded = msgspec.json.encode((*shown, self.open_lots))
        return hashlib.sha256(encoded).hexdigest()[:32]

    @property
    def is_empty(self) -> bool:
        return self.totals == Totals()


def of(period: periods.Period, *, currency: str, today: date, hour: int) -> Report:
    """The report of a period. An empty `currency` means the one that brought most orders. Three statements."""
    now = selectors.list_hour_sums(period)
    before = selectors.list_sums(period.former, until=periods.comparable(period, today=today, hour=hour))
    currencies = _currencies(now, before)
    currency = currency or (currencies[0] if currencies else "EUR")
    totals, former = _total(now, currency), _total(before, currency)
    parts = list(_parts(period, now, currency))
    return Report(
        period=period,
        currency=currency,
        currencies=sorted({*currencies, currency}),
        totals=totals,
        cards=_cards(totals, former, currency),
        plots=_plots(parts, currency),
        parts=parts,
        failures=_failures(now, before),
        open_lots=selectors.count_open_lots(),
    )


def parts_of(period: periods.Period, *, currency: str) -> list[PartRow]:
    """The figures of each part of the period."""
    return list(_parts(period, selectors.list_hour_sums(period), currency))


def failures_of(period: periods.Period, *, today: date, hour: int) -> list[Failure]:
    """The sales that were undone, by reason."""
    until = periods.comparable(period, today=today, hour=hour)
    return _failures(selectors.list_hour_sums(period), selectors.list_sums(period.former, until=until))


def _currencies(*of_periods: Sequence[selectors.HourSum]) -> list[str]:
    """Those of the orders, the one of most orders first."""
    orders: dict[str, int] = {}
    for rows in of_periods:
        for row in rows:
            if row.measure == _Measure.ORDER:
                orders[row.currency] = orders.get(row.currency, 0) + row.number
    return sorted((code for code in orders if orders[code]), key=lambda code: (-orders[code], code))


def _total(rows: Iterable[selectors.HourSum], currency: str) -> Totals:
    """Their sums. What has no money counts in every currency."""
    totals = Totals()
    for row in rows:
        if row.currency not in ("", currency):
            continue
        match row.measure:
            case _Measure.ORDER:
                totals.revenue += row.amount
                totals.orders += row.number
                totals.units += row.units
            case _Measure.REFUND:
                totals.refunded += row.amount
            case _Measure.FAILED:
                totals.undone += row.number
            case _Measure.LISTED:
                totals.listed += row.number
            case _Measure.ENDED:
                totals.ended += row.number
                totals.offered_units += row.units
            case _Measure.SOLD:
                totals.sold += row.number
                totals.sold_units += row.units
    return totals


def _parts(period: periods.Period, rows: Sequence[selectors.HourSum], currency: str) -> Iterable[PartRow]:
    by_start: dict[tuple[date, int | None], list[selectors.HourSum]] = {}
    for row in rows:
        if row.day is not None:
            by_start.setdefault((row.day, row.hour), []).append(row)
    for part in period.parts:
        starts = ((part.first + timedelta(days=day), part.hour) for day in range(part.days))
        inside = (row for start in starts for row in by_start.get(start, ()))
        yield PartRow(part, _total(inside, currency))


def _cards(now: Totals, former: Totals, currency: str) -> list[Card]:
    def amount(minor: int | None) -> str:
        return NONE if minor is None else money.shown(minor, currency)

    def card(
        label: str, help: str, figure: Callable[[Totals], int | None], shown: Callable[[int | None], str]
    ) -> Card:
        return Card(
            label, shown(figure(now)), shown(figure(former)), _change(figure(now), figure(former)), help
        )

    def share(label: str, help: str, figure: Callable[[Totals], float | None]) -> Card:
        return Card(
            label, _percent(figure(now)), _percent(figure(former)), _points(figure(now), figure(former)), help
        )

    return [
        card("Revenue", "Confirmed orders with shipping, by the day of their confirmation", lambda t: t.revenue, amount),
        card("Orders", f"Confirmed orders in {currency}", lambda t: t.orders, _number),
        card("Average order", "Revenue by orders", lambda t: t.average, amount),
        card("Given back", "Refunds, also of sales that were undone", lambda t: t.refunded, amount),
        card("Lots listed", "Lots that were accepted", lambda t: t.listed, _number),
        share("Conversion", "Of the lots that ended, those that sold something", lambda t: t.conversion),
        share("Sell-through", "Of the units of the lots that ended, those that were sold", lambda t: t.sell_through),
        card("Sales undone", "Sales of any currency that failed and were undone", lambda t: t.undone, _number),
    ]  # fmt: skip


def _plots(parts: Sequence[PartRow], currency: str) -> list[charts.Plot]:
    def numbers(id: str, title: str, figure: Callable[[Totals], int]) -> charts.Plot:
        bars = [charts.Bar(row.part.label, figure(row.totals)) for row in parts]
        return charts.Plot(id, title, bars, _number, lambda value: _short(value, ""))

    revenue = charts.Plot(
        "plot-revenue",
        "Revenue",
        [charts.Bar(row.part.label, row.totals.revenue) for row in parts],
        lambda minor: money.shown(minor, currency),
        lambda minor: _short(minor, currency),
    )
    return [
        revenue,
        numbers("plot-orders", "Orders", lambda totals: totals.orders),
        numbers("plot-lots", "Lots that sold", lambda totals: totals.sold),
        numbers("plot-undone", "Sales undone", lambda totals: totals.undone),
    ]


def _short(value: int, currency: str) -> str:
    """As an axis has room for: €400, €1.2k, 3M. Of money, minor units."""
    units = value / 10 ** money.EXPONENTS[currency] if currency else float(value)
    for size, letter in ((1_000_000, "M"), (1_000, "k"), (1, "")):
        if units >= size:
            text = f"{units / size:.2f}".rstrip("0").rstrip(".") + letter
            break
    else:
        text = f"{units:.2f}".rstrip("0").rstrip(".")
    return money.with_sign(text, currency) if currency else text


def _failures(now: Iterable[selectors.HourSum], before: Iterable[selectors.HourSum]) -> list[Failure]:
    """By reason, the most frequent first."""
    counts: dict[str, list[int]] = {}
    for place, rows in enumerate((now, before)):
        for row in rows:
            if row.measure == _Measure.FAILED:
                counts.setdefault(row.subject, [0, 0])[place] += row.number
    return [
        Failure(reason, reasons.in_words(reason), *counts[reason])
        for reason in sorted(counts, key=lambda reason: (-counts[reason][0], reason))
        if any(counts[reason])
    ]


def _number(value: int | None) -> str:
    return NONE if value is None else f"{value:,}"


def _percent(share: float | None) -> str:
    return NONE if share is None else f"{share:.1%}"


def _change(now: int | None, former: int | None) -> str:
    """By how much of the former figure; empty where that cannot be said."""
    return f"{(now - former) / former:+.0%}" if former and now is not None else ""


def _points(now: float | None, former: float | None) -> str:
    return "" if now is None or former is None else f"{100 * (now - former):+.1f} points"
