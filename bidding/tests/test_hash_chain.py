"""The hash chain by kept test vectors: `vectors.json` was generated once. The verifier here shares no code with the
rules: it uses only hashlib and json, so that every reader of the published log can write the same few lines.

To generate vectors of a new version of the public form (the old ones must go on verifying):
`python -m bidding.tests.test_hash_chain`.
"""

import copy
import hashlib
import json
from pathlib import Path

import msgspec
import pytest

from bidding import presentation, rules
from bidding.rules import kinds, log
from bidding.rules.facts import Hidden
from bidding.tests import lots
from bidding.tests.lots import ANN, BEN, CID, T0

VECTORS = Path(__file__).with_name("vectors.json")
RECIPE = Path(__file__).parents[2] / "docs" / "bid-log.md"


def sha256_of(value):
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def verify(entries, hidden=None):
    """The verifier: public forms with their hashes, and, where it is disclosed, what was hidden."""
    prev = "0" * 64
    for seq, entry in enumerate(entries, 1):
        form = {name: value for name, value in entry.items() if name != "hash"}
        assert (form["seq"], form["prev"]) == (seq, prev)
        assert sha256_of(form) == entry["hash"]
        if hidden is not None:
            assert sha256_of(hidden[seq - 1]) == entry["commitment"]
        prev = entry["hash"]


def examples():
    english = lots.Lot("e" * 32)
    english.request(reserve=60_00)
    english.schedule()
    english.open()
    english.bid(ANN, 80_00)
    english.bid(BEN, 70_00, at=T0 + lots.HOUR - 1)
    english.bid(ANN, 90_00, at=T0 + lots.HOUR)
    english.close()
    english.fail(lots.sale_of(english.entries[-1]))
    english.fail(lots.sale_of(english.entries[-1]), "risk_refused")
    listing = lots.Lot("b" * 32)
    listing.request(format="buy_now", quantity=2, allocate="on_sale", currency="JPY", start_price=5_000)
    listing.schedule()
    listing.open()
    listing.bid(CID, quantity=2)
    listing.settle(lots.sale_of(listing.entries[-1]))
    cancelled = lots.Lot("c" * 32)
    cancelled.request()
    cancelled.cancel("inventory", actor="event")
    sold_out = lots.Lot("d" * 32)
    sold_out.request(format="buy_now", quantity=9, allocate="on_sale")
    sold_out.schedule()
    sold_out.open()
    sold_out.bid(CID)
    sold_out.cancel("inventory", actor="event", stock_version=8)
    return {"english": english, "buy_now": listing, "cancelled": cancelled, "sold_out": sold_out}


def vector(lot):
    return {
        "public": [presentation.history_entry(entry) for entry in lot.entries],
        "hidden": [msgspec.to_builtins(entry.hidden) for entry in lot.entries],
    }


KEPT = json.loads(VECTORS.read_text()) if VECTORS.exists() else {}


@pytest.mark.parametrize("name", ["english", "buy_now", "cancelled", "sold_out"])
def test_the_kept_vectors_verify_without_our_code(name):
    verify(KEPT[name]["public"], KEPT[name]["hidden"])


@pytest.mark.parametrize("name", ["english", "buy_now", "cancelled", "sold_out"])
def test_the_rules_read_the_kept_vectors_and_find_the_same_hashes(name):
    for public, hidden in zip(KEPT[name]["public"], KEPT[name]["hidden"], strict=True):
        form = msgspec.convert({k: v for k, v in public.items() if k != "hash"}, log.PublicForm)
        assert log.hash_of(form) == public["hash"]
        assert log.commitment(msgspec.convert(hidden, Hidden)) == public["commitment"]


def test_the_published_recipe_verifies_the_kept_vectors():
    (program,) = (part.partition("```")[0] for part in RECIPE.read_text().split("```python")[1:])
    names = {}
    exec(program, names)  # noqa: S102 - the page is part of this repository

    for kept in KEPT.values():
        names["verify"](kept["public"])
    with pytest.raises(AssertionError):
        names["verify"](KEPT["english"]["public"][1:])


def test_every_kind_of_entry_has_a_vector():
    names = {entry["facts"]["kind"] for kept in KEPT.values() for entry in kept["public"]}

    assert names == {kind.__struct_config__.tag for kind in kinds.AnyFacts.__args__}


def test_what_the_rules_write_today_verifies_without_our_code():
    for lot in examples().values():
        verify(vector(lot)["public"], vector(lot)["hidden"])


def test_only_terms_that_leave_time_to_pay_name_it_because_older_logs_are_hashed_without_it():
    requested = [lots.open_lot(**terms).entries[0] for terms in ({}, {"pay_within_ms": lots.HOUR})]
    forms = [msgspec.to_builtins(log.public_form(entry)) for entry in requested]

    assert [form["facts"]["terms"].get("pay_within_ms") for form in forms] == [None, lots.HOUR]
    assert [sha256_of(form) for form in forms] == [entry.hash for entry in requested]


def test_text_that_is_not_ascii_is_hashed_as_utf_8():
    lot = lots.Lot()
    lot.request()
    lot.cancel("operator")
    lot.entries[-1] = log.seal(
        **{
            name: getattr(lot.entries[-1], name)
            for name in (
                "auction_id",
                "seq",
                "at",
                "actor",
                "key",
                "request",
                "hidden",
                "prev",
                "correlation_id",
            )
        },
        facts=kinds.Cancelled(
            reason="Zerbrochen: „Sextant“ \u2028 \U0001f528 \x01 </b>", by="operator", ended=True
        ),
    )

    verify([presentation.history_entry(entry) for entry in lot.entries])


@pytest.mark.parametrize(
    "change",
    [
        lambda entries: entries[3]["facts"].update(price=10_01),
        lambda entries: entries[3].update(at=entries[3]["at"] + 1),
        lambda entries: entries.pop(3),
        lambda entries: entries.insert(3, entries[3]),
        lambda entries: entries[0].update(commitment="0" * 64),
        lambda entries: entries[0].update(hash="0" * 64),
    ],
)
def test_any_change_is_found(change):
    entries = copy.deepcopy(KEPT["english"]["public"])
    change(entries)

    with pytest.raises(AssertionError):
        verify(entries)


def test_the_rules_find_what_was_tampered_with_and_say_where():
    lot = examples()["english"]
    entry = lot.entries[3]
    for changes, flaw in (
        ({"at": entry.at + 1}, "entry 4: its hash is not that of its public form"),
        ({"prev": "0" * 64}, "entry 4 does not follow its predecessor"),
        ({"seq": 5}, "seq 5 where 4 belongs"),
        (
            {"hidden": msgspec.structs.replace(entry.hidden, maximum=90_00)},
            "entry 4: what is hidden is not what was committed to",
        ),
    ):
        entries = [*lot.entries[:3], msgspec.structs.replace(entry, **changes), *lot.entries[4:]]
        assert rules.verify_chain(entries) == flaw
    assert rules.verify_chain(lot.entries) is None


if __name__ == "__main__":
    VECTORS.write_text(
        json.dumps({name: vector(lot) for name, lot in examples().items()}, indent=1, ensure_ascii=False)
        + "\n"
    )
