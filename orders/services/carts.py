"""The cart: lines are put, taken out, and brought along by a visitor who signs in. Nothing is reserved, so no event is published.

A line is put at the price of now, which the user has seen; when the price changes later, the cart shows it (`selectors`), and
the user accepts it by putting the line again. The units of a paid checkout leave the cart in the transaction that marks it
PAID (`checkouts`).
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from django.db import transaction

from auction_project.kernel import money
from orders import exceptions, models


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """So many units of a product, at the unit price that the buyer saw (minor units)."""

    product_id: str
    quantity: int
    unit_price: int


def put_cart_line(*, user_id: str, line: Wanted, currency: str, now: datetime) -> None:
    """Put the line into the cart, in place of one of the same product. A repeat changes nothing.

    Raises MayNotBuy, NotForSale, PriceChanged, TooMany, MixedCurrencies, CartFull.
    """
    with transaction.atomic(using=models.DATABASE):
        models.CartLine.lock(user_id)
        check_buyer(user_id)
        offer = models.Offer.objects.filter(product_id=line.product_id).first()
        offers = {offer.product_id: offer} if offer else {}
        check_lines([line], offers, currency)
        others = models.CartLine.of(user_id).exclude(product_id=line.product_id)
        _check_room(list(others), 1, currency)
        _row(user_id, line, currency, now).put()


def remove_cart_line(*, user_id: str, product_id: str) -> None:
    """Take the product out of the cart. A repeat changes nothing."""
    with transaction.atomic(using=models.DATABASE):
        models.CartLine.lock(user_id)
        models.CartLine.objects.filter(user_id=user_id, product_id=product_id).delete()


def take_over_cart(*, user_id: str, lines: Sequence[Wanted], currency: str, now: datetime) -> None:
    """Add a visitor's cart to that of the account they have signed in to. A repeat changes nothing: of a product that is in both,
    the greater quantity counts. Products that the shop does not know are left out; what else has changed, the cart shows.

    Raises MayNotBuy, MixedCurrencies, CartFull.
    """
    with transaction.atomic(using=models.DATABASE):
        models.CartLine.lock(user_id)
        check_buyer(user_id)
        known = models.Offer.objects.in_bulk([line.product_id for line in lines])
        present = {line.product_id: line for line in models.CartLine.of(user_id)}
        brought = [line for line in lines if line.product_id in known]
        new = [line for line in brought if line.product_id not in present]
        if brought:
            _check_room(list(present.values()), len(new), currency)
        for line in brought:
            row = _row(user_id, line, currency, now)
            if there := present.get(line.product_id):
                row.quantity = max(row.quantity, there.quantity)
            row.put()


def forget(*, user_id: str) -> None:
    """Delete the cart, because the account is closed. Needs an open transaction."""
    models.CartLine.lock(user_id)
    models.CartLine.of(user_id).delete()


def check_buyer(user_id: str) -> None:
    """Raises MayNotBuy."""
    if not models.Account.may_buy(user_id):
        raise exceptions.MayNotBuy


def check_lines(lines: Sequence[Wanted], offers: dict[str, models.Offer], currency: str) -> None:
    """The lines can be bought at these prices, which are ours. Raises NotForSale, MixedCurrencies, TooMany, PriceChanged."""
    changed = []
    for line in lines:
        offer = offers.get(line.product_id)
        if offer is None or not offer.published:
            raise exceptions.NotForSale(product_id=line.product_id)
        if offer.currency != currency:
            raise exceptions.MixedCurrencies(product_id=line.product_id, currency=offer.currency)
        if line.quantity > offer.max_per_order:
            raise exceptions.TooMany(product_id=line.product_id, maximum=offer.max_per_order)
        if line.unit_price != offer.price:
            changed.append(
                {
                    "product_id": line.product_id,
                    "seen": money.format(line.unit_price, currency),
                    "price": money.format(offer.price, currency),
                }
            )
    if changed:
        raise exceptions.PriceChanged(lines=changed, currency=currency)


def _check_room(lines: Sequence[models.CartLine], new: int, currency: str) -> None:
    """Beside these lines there is room for `new` ones in this currency."""
    for line in lines:
        if line.currency != currency:
            raise exceptions.MixedCurrencies(product_id=line.product_id, currency=line.currency)
    if len(lines) + new > models.MAX_LINES:
        raise exceptions.CartFull(maximum=models.MAX_LINES)


def _row(user_id: str, line: Wanted, currency: str, now: datetime) -> models.CartLine:
    return models.CartLine.new(
        user_id=user_id,
        product_id=line.product_id,
        quantity=line.quantity,
        seen_price=line.unit_price,
        currency=currency,
        now=now,
    )
