"""The status of an order is a function of the kinds of its facts."""

import itertools

import pytest

from orders import models, status


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("", "PLACED"),
        ("PLACED", "PLACED"),
        ("PLACED CANCELLED", "CANCELLED"),
        ("PLACED CONFIRMED", "CONFIRMED"),
        ("PLACED CONFIRMED CANCELLED", "CANCELLED"),
        ("PLACED CONFIRMED CANCELLED REFUNDED", "CANCELLED"),
        ("PLACED CONFIRMED REFUNDED", "REFUNDED"),
        ("PLACED CONFIRMED SHIPPED", "SHIPPED"),
        ("PLACED CONFIRMED SHIPPED DELIVERED", "DELIVERED"),
        ("PLACED CONFIRMED SHIPPED RETURNED", "RETURNED"),
        ("PLACED CONFIRMED SHIPPED DELIVERED RETURNED", "RETURNED"),
        ("PLACED CONFIRMED SHIPPED DELIVERED REFUNDED", "REFUNDED"),
        ("PLACED CONFIRMED SHIPPED DELIVERED RETURNED REFUNDED", "REFUNDED"),
    ],
)
def test_the_status_follows_from_the_kinds_of_the_facts(kinds: str, expected: str) -> None:
    for order in itertools.permutations(kinds.split()):
        assert status.of(order) == expected


def test_every_kind_of_fact_is_a_status() -> None:
    assert sorted(status.ORDER) == sorted(models.OrderFact.Kind.values)
    assert set(status.SOLD) < set(status.ORDER)
