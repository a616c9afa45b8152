"""A kind of entry is one module: a new one is also a row of the table, and a line in what is published and in the
judge."""

from collections.abc import Iterator
from typing import Any

import pytest

from auction_project.kernel.contracts import events
from bidding import rules
from bidding.publishing import events as log_events
from bidding.rules import commands, kinds, log, refusals
from bidding.rules.facts import Facts, Hidden
from bidding.rules.state import State, Status
from bidding.tests import lots
from bidding.verification import judging

SALT = "salt-of-the-renaming"


class Rename(commands.Command, frozen=True, kw_only=True):
    """A toy command, to show what a new kind takes: the seller corrects the title, for a reason that stays hidden."""

    title: str
    reason: str


class Renamed(Facts, frozen=True, kw_only=True, tag="renamed"):
    title: str


def decide(state: State, command: Rename, at: int) -> tuple[Renamed, Hidden] | rules.Refusal:
    if state.status is not Status.SCHEDULED:
        return refusals.refuse(refusals.WrongStatus, state=state.status.value)
    return Renamed(title=command.title), Hidden(actor=command.actor, salt=command.salt, reason=command.reason)


def apply(state: State, facts: Renamed, hidden: Hidden) -> dict[str, Any]:
    return {"title": facts.title}


def published(
    before: State, entry: log.Entry, after: State, facts: Renamed
) -> Iterator[events.AuctionScheduled]:
    yield events.AuctionScheduled(
        auction_id=entry.auction_id,
        seq=entry.seq,
        at=entry.at,
        hash=entry.hash,
        title=facts.title,
        opens_at=0,
        ends_at=0,
    )


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kinds.DECIDE, Rename, decide)
    monkeypatch.setitem(kinds.APPLY, Renamed, apply)
    monkeypatch.setitem(log_events._BY_FACTS, Renamed, published)
    monkeypatch.setitem(judging._FACTS, "renamed", {"title"})


def rename(lot: lots.Lot) -> log.Entry | rules.Refusal:
    return lot.do(
        Rename(
            auction_id="lot",
            actor=lots.SELLER,
            key="k",
            at=lots.T0,
            salt=SALT,
            title="Octant",
            reason="A slip.",
        )
    )


def test_a_kind_of_one_module_and_three_lines_is_decided_applied_published_and_judged(toy: None) -> None:
    lot = lots.Lot()
    lot.request()
    assert lots.refusal(rename(lot)) == ("wrong_status", {"state": "REQUESTED"})
    lot.schedule()
    before = lot.state

    entry = rename(lot)

    assert isinstance(entry, log.Entry)
    assert (entry.kind, entry.facts, entry.hidden) == (
        "renamed",
        Renamed(title="Octant"),
        Hidden(actor=lots.SELLER, salt=SALT, reason="A slip."),
    )
    assert (lot.state.title, lot.state.status, lot.replayed()) == ("Octant", "SCHEDULED", lot.state)
    assert [type(event) for event in log_events.of_entry(before, entry, lot.state)] == [
        events.AuctionScheduled
    ]
    verdicts = judging.Verdicts()
    judge = judging.Judge("lot", verdicts)
    for each in lot.entries:
        judge.see(each)
    assert [verdicts.finding(name).violations for name in ("B2", "B3", "B5", "B6", "B7", "B9")] == [()] * 6


def test_every_kind_has_its_row_is_published_and_is_judged() -> None:
    kinds_of_facts = [kind.facts for kind in kinds.KINDS]

    assert kinds_of_facts == list(kinds.AnyFacts.__args__)
    assert list(log_events._BY_FACTS) == kinds_of_facts
    assert set(judging._FACTS) == {facts.__struct_config__.tag for facts in kinds_of_facts}


def test_every_command_has_one_row_and_what_decides_it() -> None:
    rows = [(kind.command, kind.decide) for kind in kinds.KINDS if kind.command or kind.decide]

    assert all(command and decide for command, decide in rows)
    assert len({command for command, _ in rows}) == len(rows) == len(kinds.DECIDE) == 8


@pytest.mark.parametrize(
    ("kind", "hidden"),
    [
        ("requested", {"reserve"}),
        ("scheduled", set()),
        ("opened", set()),
        ("bid", {"maximum"}),
        ("maximum_changed", {"maximum"}),
        ("closed", {"buyer"}),
        ("sale_failed", {"buyer", "reason"}),
        ("settled", set()),
        ("cancelled", set()),
        ("sold_out", set()),
    ],
)
def test_a_kind_hides_these_fields_and_no_other(kind: str, hidden: set[str]) -> None:
    english, cancelled, listing = lots.open_lot(reserve=20_00), lots.open_lot(), lots.listing()
    for bidder, amount in ((lots.ANN, 90_00), (lots.BEN, 80_00), (lots.ANN, 95_00)):
        english.bid(bidder, amount)
    failed = english.fail(lots.sale_of(english.close()))
    english.settle(lots.sale_of(failed))
    cancelled.cancel("operator")
    listing.bid(lots.ANN)
    listing.cancel("inventory", stock_version=8)
    entries = {entry.kind: entry for lot in (listing, cancelled, english) for entry in lot.entries}

    entry = entries[kind]

    fields = ("maximum", "reserve", "buyer", "reason")
    assert {field for field in fields if getattr(entry.hidden, field) is not None} == hidden
    assert entry.hidden.actor == entry.actor
