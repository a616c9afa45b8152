"""The invariants B1 to B7 and B9: no violation in a sound log, and each finds what a test breaks in the raw data."""

import json

import msgspec
import pymongo
import pytest
from django.conf import settings as django_settings

from bidding import presentation, rules, runtime
from bidding.rules import log
from bidding.rules.facts import Hidden
from bidding.store import auctions, bid_log
from bidding.tests import lots
from bidding.tests.lots import ANN, BEN, CID, SELLER, T0
from bidding.verification import invariants, judging


@pytest.fixture
def house(bid_log, database_name):
    with pymongo.MongoClient(django_settings.MONGODB_URL) as client:
        yield House(client[database_name])


class House:
    """A store with one english and one buy_now log, the answers to their bidders, and ways to break it."""

    def __init__(self, raw):
        self.raw = raw
        self.english, self.listing = lots.Lot("e" * 32), lots.Lot("f" * 32)
        self.answered = []
        self.english.request(reserve=60_00)
        self.english.schedule()
        self.english.open()
        for actor, amount in (
            (ANN, 80_00),
            (BEN, 50_00),
            (CID, 10_00),
            (BEN, 70_00),
            (SELLER, 90_00),
            (ANN, 85_00),
        ):
            self.bid(self.english, actor, amount=amount)
        self.english.close()
        self.bid(self.english, CID, amount=99_00, at=T0 + 2 * lots.HOUR)
        self.english.fail(lots.sale_of(self.english.entries[-1]))
        self.listing.request(format="buy_now", quantity=2, allocate="on_sale")
        self.listing.schedule()
        self.listing.open()
        for actor, quantity in ((ANN, 1), (BEN, 2), (BEN, 1), (CID, 1)):
            self.bid(self.listing, actor, quantity=quantity)
        log_store = runtime.current().store
        for number, lot in enumerate((self.english, self.listing)):
            runtime.call(log_store.auctions.insert(self._document(lot)))
            assert runtime.call(log_store.bids.append(lot.entries, batch=f"w:{number}")).conflict is False

    def bid(self, lot, actor, *, amount=None, quantity=None, at=T0 + lots.MINUTE):
        key = lots.a_key()
        offer = {"amount": amount} if amount is not None else {"quantity": quantity}
        outcome = lot.bid(actor, key=key, at=at, **offer)
        if isinstance(outcome, log.Entry):
            status, answer = 201, presentation.answer(outcome)
        else:
            status = 409
            figures = presentation.refusal_figures(outcome)
            answer = {
                "code": outcome.rule,
                "status": 409,
                "seq": outcome.seq,
                "hash": outcome.hash,
                **figures,
            }
        body = (
            {"quantity": quantity} if amount is None else {"amount": f"{amount / 100:.2f}", "currency": "EUR"}
        )
        self.answered.append(
            {
                "auction_id": lot.state.auction_id,
                "actor": actor,
                "key": key,
                "at_sent": at,
                "at_answered": at + 5,
                "body": body,
                "status": status,
                "answer": answer,
            }
        )

    def _document(self, lot):
        terms = lot.state.known_terms
        return auctions.AuctionDocument(
            id=lot.state.auction_id,
            product_id=terms.product_id,
            requested_by=SELLER,
            format=terms.format,
            currency="EUR",
            starts_at=T0,
            ends_at=T0,
            created_at=T0,
            due_at=None,
            mark=lot.state.seq,
            snapshot=rules.dump(lot.state).head,
        )

    def answers(self, tmp_path):
        path = tmp_path / "answers.jsonl"
        path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in self.answered))
        return path

    def violated(self, answers=None):
        return {finding.invariant for finding in invariants.check(answers) if finding.violations}

    def entry_id(self, seq, lot=None):
        return bid_log.entry_id((lot or self.english).state.auction_id, seq)


def test_a_sound_log_holds_and_every_bid_was_checked(house, tmp_path):
    findings = {finding.invariant: finding for finding in invariants.check(house.answers(tmp_path))}

    assert {name: finding.violations for name, finding in findings.items() if finding.violations} == {}
    assert list(findings) == ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B9"]
    accepted = sum(line["status"] == 201 for line in house.answered)
    assert findings["B1"].checked == accepted == 5
    assert findings["B4"].checked == accepted + 2 * (len(house.answered) - accepted)
    assert all(finding.checked > 0 for finding in findings.values())


def test_b1_an_accepted_bid_that_is_gone(house, tmp_path):
    house.raw["bids"].delete_one({"_id": house.entry_id(5, house.listing)})

    assert "B1" in house.violated(house.answers(tmp_path))


def test_b1_a_bidder_got_another_hash(house, tmp_path):
    house.answered[0]["answer"]["hash"] = "0" * 64

    assert "B1" in house.violated(house.answers(tmp_path))


def test_b1_a_bid_on_an_auction_that_does_not_exist(house, tmp_path):
    house.answered[0]["auction_id"] = "9" * 32

    assert "B1" in house.violated(house.answers(tmp_path))


def test_b2_another_answer_to_a_repeat(house, tmp_path):
    repeat = json.loads(json.dumps(house.answered[0]))
    repeat["answer"]["price"] = "10.01"
    house.answered.append(repeat)

    assert house.violated(house.answers(tmp_path)) == {"B2"}


def test_b2_a_fresh_signature_is_no_other_answer(house, tmp_path):
    repeat = json.loads(json.dumps(house.answered[0]))
    repeat["answer"]["receipt"]["signature"] = "new"
    house.answered.append(repeat)

    assert house.violated(house.answers(tmp_path)) == set()


def test_b2_one_key_twice(house):
    house.raw["bids"].drop_index("idem_1")
    first = house.raw["bids"].find_one({"_id": house.entry_id(4)})
    last = house.raw["bids"].find_one_and_delete({"_id": house.entry_id(5)})
    house.raw["bids"].insert_one(last | {name: first[name] for name in ("key", "actor", "idem")})

    assert "B2" in house.violated()


def test_b3_a_gap(house):
    house.raw["bids"].delete_one({"_id": house.entry_id(5)})

    assert "B3" in house.violated()


def test_b3_an_entry_of_no_auction(house):
    entry = house.raw["bids"].find_one({"_id": house.entry_id(5)})
    stray = {"_id": bid_log.entry_id("9" * 32, 1), "auction_id": "9" * 32, "idem": "stray"}
    house.raw["bids"].insert_one(entry | stray)

    assert house.violated() == {"B3"}


def test_b4_a_refusal_that_the_rules_would_not_give(house, tmp_path):
    refused = next(line for line in house.answered if line["answer"].get("code") == "bid_too_low")
    refused["body"]["amount"] = "900.00"

    assert house.violated(house.answers(tmp_path)) == {"B4"}


@pytest.mark.parametrize(
    "change", [{"minimum": "1.00"}, {"code": "own_lot"}, {"hash": "1" * 64}, {"seq": 99}]
)
def test_b4_a_refusal_with_other_figures(house, tmp_path, change):
    refused = next(line for line in house.answered if line["answer"].get("code") == "bid_too_low")
    refused["answer"].update(change)

    assert house.violated(house.answers(tmp_path)) == {"B4"}


def test_b4_an_acceptance_of_another_amount(house, tmp_path):
    house.answered[0]["body"]["amount"] = "81.00"

    assert house.violated(house.answers(tmp_path)) == {"B4"}


def test_b6_a_snapshot_that_is_not_the_fold(house):
    other = msgspec.structs.replace(house.english.state, sold=7)
    house.raw["auctions"].update_one(
        {"_id": house.english.state.auction_id}, {"$set": {"snapshot": rules.dump(other).head}}
    )

    assert house.violated() == {"B6"}


def test_b6_a_figure_changed_in_the_raw_data(house):
    house.raw["bids"].update_one({"_id": house.entry_id(4)}, {"$set": {"facts.price": 11_00}})

    assert {"B3", "B6"} <= house.violated()


# --- what a faulty rule would write: sealed and chained, so that only the judge can find it ------------------------------


def judged(entries):
    """The invariants that the judge finds violated."""
    verdicts = judging.Verdicts()
    judge = judging.Judge("lot", verdicts)
    for entry in entries:
        if judge.broken:
            break
        judge.see(entry)
    judge.end()
    return {name for name in invariants.INVARIANTS if verdicts.finding(name).violations}


def forged(entries, seq, *, facts=None, **changes):
    """The same log with entry `seq` changed, sealed and chained anew."""
    prev, chain = rules.GENESIS, []
    for entry in entries:
        fields = {
            name: getattr(entry, name) for name in ("auction_id", "seq", "at", "actor", "key", "request")
        }
        fields |= {
            "facts": entry.facts,
            "hidden": entry.hidden,
            "correlation_id": entry.correlation_id,
            "prev": prev,
        }
        if entry.seq == seq:
            fields |= changes
            fields["facts"] = msgspec.structs.replace(fields["facts"], **(facts or {}))
        sealed = log.seal(**fields)
        chain.append(sealed)
        prev = sealed.hash
    return chain


@pytest.fixture
def sold():
    lot = lots.open_lot()
    lot.bid(ANN, 80_00)
    lot.bid(BEN, 50_00)
    lot.bid(CID, 90_00)
    lot.close()
    assert judged(lot.entries) == set()
    return lot.entries


@pytest.mark.parametrize(
    ("seq", "changes", "invariant"),
    [
        (5, {"facts": {"price": 51_01}}, "B3"),
        (5, {"facts": {"minimum": 52_01}}, "B3"),
        (5, {"hidden": Hidden(actor=BEN, salt="s", maximum=10_49)}, "B3"),
        (6, {"facts": {"leader": "Bidder 1"}}, "B6"),
        (6, {"facts": {"reserve_met": False}}, "B6"),
        (6, {"facts": {"bidder": "Bidder 1"}}, "B6"),
        (7, {"facts": {"winner": "Bidder 2"}}, "B6"),
        (7, {"facts": {"sale": None}}, "B6"),
        (7, {"at": T0 + lots.HOUR - 1}, "B6"),
        (6, {"actor": SELLER}, "B7"),
        (6, {"at": T0 + lots.HOUR}, "B5"),
        (6, {"facts": {"bidder": ANN, "leader": ANN}, "actor": ANN, "hidden": Hidden(actor=ANN, salt="s", maximum=90_00)}, "B9"),
        (2, {"facts": {"text": "salt-in-the-open"}, "hidden": Hidden(actor="event", salt="salt-in-the-open")}, "B9"),
    ],
)  # fmt: skip
def test_what_a_faulty_rule_would_write_is_found(sold, seq, changes, invariant):
    assert invariant in judged(forged(sold, seq, **changes))


def test_b5_a_bid_after_the_close(sold):
    assert "B5" in judged(_moved(sold, 6, 7))


def test_b6_closed_twice(sold):
    again = msgspec.structs.replace(sold[-1], seq=8, key="close-again")

    assert "B6" in judged(forged([*sold, again], 0))


def _moved(entries, one, other):
    order = list(entries)
    order[one - 1], order[other - 1] = order[other - 1], order[one - 1]
    return forged([msgspec.structs.replace(entry, seq=seq) for seq, entry in enumerate(order, 1)], 0)


def test_b9_a_body_that_depends_on_a_hidden_figure(monkeypatch):
    lot = lots.open_lot(reserve=60_00)
    lot.bid(ANN, 50_00)
    assert judged(lot.entries) == set()
    body = presentation.auction
    monkeypatch.setattr(
        presentation, "auction", lambda state: body(state) | {"leads_at": state.bidders[state.leader].maximum}
    )
    assert judged(lot.entries) == {"B9"}


def test_b9_a_public_form_with_an_unknown_field(monkeypatch, sold):
    monkeypatch.setitem(judging._FACTS, "bid", judging._FACTS["bid"] - {"reserve_met"})

    assert judged(sold) == {"B9"}
