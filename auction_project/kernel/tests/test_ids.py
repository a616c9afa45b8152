"""Names that follow from facts are the same for ever: these are kept examples."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auction_project.kernel import ids

AUCTION = "5b1f0c2a9d3e4f60a1b2c3d4e5f60718"


def test_names_of_one_fact_never_change() -> None:
    assert ids.sale_id(AUCTION, 42) == f"{AUCTION}-42"
    assert ids.order_number(f"{AUCTION}-42") == "GV-EPNN-G2G2-11KA"
    assert ids.relisted_auction_id(AUCTION, 44) == "b17b7700bc5253bfa7281fd6a3cf06a6"
    assert ids.event_id(AUCTION, 42, "Won") == f"{AUCTION}:42:Won"


@given(auction=st.uuids().map(lambda value: value.hex), seq=st.integers(1, 10**12))
def test_a_sale_names_its_auction_and_entry(auction: str, seq: int) -> None:
    sale = ids.sale_id(auction, seq)

    assert ids.auction_of_sale(sale) == (auction, seq)
    assert re.fullmatch(r"GV(-[0-9A-HJKMNP-TV-Z]{4}){3}", ids.order_number(sale))


@pytest.mark.parametrize("text", ["", "42", "-42", "abc-", "abc-x"])
def test_what_is_no_sale_names_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"sale id|invalid literal"):
        ids.auction_of_sale(text)


def test_fresh_ids_differ() -> None:
    assert len({ids.new_id() for _ in range(1000)}) == 1000
