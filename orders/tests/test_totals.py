"""Totals: one rule of rounding, and what shipping costs."""

from fractions import Fraction
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from orders import totals


@pytest.mark.parametrize(
    ("unit_price", "quantity", "price"),
    [
        (1050, 3, 3150),
        (Fraction(5, 2), 1, 2),  # half to the even
        (Fraction(7, 2), 1, 4),
        (Fraction(5, 2), 3, 8),  # 7.5: the line is rounded, not the unit
        (Fraction(2501, 1000), 1, 3),
    ],
)
def test_a_line_is_rounded_by_itself_half_to_the_even(
    unit_price: int | Fraction, quantity: int, price: int
) -> None:
    assert totals.line_total(unit_price, quantity) == price


@pytest.mark.parametrize(
    ("rule", "subtotal", "units", "price"),
    [
        ({}, 1000, 3, 0),
        ({"flat": 490}, 1000, 3, 490),
        ({"flat": 490, "each": 100}, 1000, 3, 690),
        ({"each": 100}, 1000, 3, 200),
        ({"flat": 490, "free_from": 1000}, 999, 1, 490),
        ({"flat": 490, "free_from": 1000}, 1000, 1, 0),
        ({"flat": 490}, 0, 0, 0),
    ],
)
def test_shipping_is_flat_by_quantity_and_free_from_a_subtotal_on(
    rule: dict[str, int], subtotal: int, units: int, price: int
) -> None:
    assert totals.ShippingRule(**rule).price(subtotal=subtotal, units=units) == price


def test_the_setting_is_read_as_amounts_of_its_currencies() -> None:
    table = {"EUR": {"flat": "4.90", "each": "0", "free_from": "50.00"}, "JPY": {"flat": "500"}}

    assert totals.shipping_rules(table) == {
        "EUR": totals.ShippingRule(flat=490, free_from=5000),
        "JPY": totals.ShippingRule(flat=500),
    }


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"XYZ": {"flat": "1"}}, "SHIPPING, XYZ: The currency is not one that Gavel trades in."),
        ({"JPY": {"flat": "1.5"}}, "SHIPPING, JPY: JPY has 0 decimals."),
        ({"EUR": {"flat": 4.9}}, "SHIPPING, EUR: An amount is a positive decimal string"),
        ({"EUR": {"per": "1"}}, "SHIPPING, EUR: Object contains unknown field `per`"),
        ({"EUR": "4.90"}, "SHIPPING, EUR: "),
        (["EUR"], "SHIPPING has a rule for each currency"),
    ],
)
def test_a_setting_that_cannot_be_read_names_its_currency(table: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        totals.shipping_rules(table)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SHIPPING", {"XYZ": {}, "EUR": {"per": "1"}}, "SHIPPING, EUR"),
        ("CHECKOUT_MINUTES", 0, "CHECKOUT_MINUTES is 1 at least"),
    ],
)
def test_a_process_does_not_start_with_settings_that_the_shop_cannot_follow(
    settings: Any, name: str, value: Any, said: str
) -> None:
    setattr(settings, name, value)

    with pytest.raises(ImproperlyConfigured, match=said):
        apps.get_app_config("orders").ready()
