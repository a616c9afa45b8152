"""Offers: a product's price in the shop, whether it is published, and how many units one order may have."""

from datetime import datetime

from django.db import transaction
from django.utils.text import slugify

from auction_project.kernel import money
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import outbox
from inventory import books, models, refusals
from inventory.search import cache, index

MAX_PER_ORDER = 10_000
SLUG_CHARACTERS = 120  # of the title
ID_CHARACTERS = 8  # of the product's id behind them, so that two titles may be the same


def set_offer(
    *,
    product_id: str,
    price: int,
    currency: str,
    max_per_order: int,
    published: bool,
    actor: str,
    now: datetime,
) -> models.Offer:
    """Offer the product at `price` (minor units) for one unit; publish OfferChanged. A repeat changes nothing.

    Raises UnknownProduct, money.CurrencyUnknown, InvalidFigure.
    """
    _check(price, currency, max_per_order)
    terms = {
        "price": price,
        "currency": currency,
        "max_per_order": max_per_order,
        "published": published,
    }
    with transaction.atomic(using=models.DATABASE), books.opened([product_id]) as stock:
        product = stock.product(product_id)
        offer = models.Offer.objects.filter(product=product).first()
        if offer is None:
            offer = models.Offer(product=product, slug=_slug(product))
        elif all(getattr(offer, name) == value for name, value in terms.items()):
            return offer
        offer.product = product
        is_new_price = (offer.price, offer.currency) != (price, currency)
        for name, value in terms.items():
            setattr(offer, name, value)
        _publish(offer, now=now)
        if is_new_price:
            models.OfferPrice.note(offer, actor=actor, now=now)
    return offer


def restate(product: models.Product, *, now: datetime) -> None:
    """In the open transaction: what the offer shows of the product has changed, so publish the offer's next version. Nothing
    without an offer. The product's row must be locked.
    """
    offer = models.Offer.objects.filter(product=product).first()
    if offer is not None:
        offer.product = product
        _publish(offer, now=now)


def _check(price: int, currency: str, max_per_order: int) -> None:
    if currency not in money.EXPONENTS:
        raise money.CurrencyUnknown(field="currency", allowed=sorted(money.EXPONENTS))
    if not money.MINIMUM_CHARGE[currency] <= price <= money.MAX_MINOR_UNITS:
        least = money.format(money.MINIMUM_CHARGE[currency], currency)
        most = money.format(money.MAX_MINOR_UNITS, currency)
        raise refusals.InvalidFigure(
            f"A price is {least} to {most} {currency}.", field="price", minimum=least, maximum=most
        )
    if not 1 <= max_per_order <= MAX_PER_ORDER:
        raise refusals.InvalidFigure(
            f"An order may have 1 to {MAX_PER_ORDER:,} units.",
            field="max_per_order",
            least=1,
            most=MAX_PER_ORDER,
        )


def _slug(product: models.Product) -> str:
    """The title in an address; a title in another script has none of it."""
    words = slugify(product.title)[:SLUG_CHARACTERS].strip("-") or "product"
    return f"{words}-{product.id[:ID_CHARACTERS]}"


def _publish(offer: models.Offer, *, now: datetime) -> None:
    """Store the next version of the offer, and publish it; searches find it so."""
    offer.version += 1
    offer.changed_at = now
    offer.save()
    index.keep(offer, now=now)
    cache.invalidate_after_commit()
    product = offer.product
    event = events.OfferChanged(
        product_id=product.id,
        version=offer.version,
        owner_id=product.owner_id,
        title=product.title,
        slug=offer.slug,
        thumbnail=product.thumbnail_url,
        price=offer.price,
        currency=offer.currency,
        max_per_order=offer.max_per_order,
        published=offer.published,
    )
    outbox.publish(models.Outbox, event, now=now, version=offer.version)
