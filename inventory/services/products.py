"""The catalogue: a product with its first picture, and corrections of both. An offer of the product is published anew when
what it shows has changed.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from auction_project.kernel import texts
from auction_project.kernel.messaging import once
from inventory import books, models, refusals
from inventory.services import offers, pictures

MAX_SKU_CHARACTERS = 40
MAX_TITLE_CHARACTERS = 120
MAX_DESCRIPTION_CHARACTERS = 5000
MAX_ATTRIBUTES = 30
MAX_ATTRIBUTE_NAME_CHARACTERS = 40
MAX_ATTRIBUTE_VALUE_CHARACTERS = 200


def create_product(
    *,
    product_id: str,
    sku: str,
    title: str,
    description: str,
    condition: str,
    owner_id: str,
    actor: str,
    now: datetime,
    category: str = "",
    attributes: Iterable[Mapping[str, str]] = (),
    image: bytes | None = None,
    alt: str = "",
) -> models.Product:
    """A new product without stock, unless this request has created it before: `product_id` follows from its key.

    `owner_id` is 'house' or a user's id, `category` a slug or empty; `attributes` have a `name` and a `value`. Raises SkuTaken,
    InvalidText, UnknownCategory, UnusableImage, and KeyReused for the id of another request.
    """
    attributes = list(attributes)
    shown_sku = _line("sku", sku, MAX_SKU_CHARACTERS)
    product = models.Product(
        id=product_id,
        sku=shown_sku,
        sku_folded=texts.folded(shown_sku),
        **_described(title, description, condition, attributes),
        owner_id=owner_id,
        created_at=now,
        created_by=actor,
    )
    alt_text = pictures.alt_text(alt)
    stored = pictures.store(product_id, image) if image is not None else None
    asked = [
        sku,
        title,
        description,
        condition,
        owner_id,
        category,
        attributes,
        alt,
        stored and stored.digest,
    ]
    try:
        with transaction.atomic(using=models.DATABASE):
            if not once.first_request(models.Once, product_id, asked, now=now):
                return models.Product.objects.get(pk=product_id)
            product.category = _category(category)
            product.save(force_insert=True)
            books.open_balances(product)
            if stored:
                pictures.show_first(product, stored, alt=alt_text, actor=actor, now=now)
    except IntegrityError:
        if models.Product.objects.filter(sku_folded=product.sku_folded).exists():
            raise refusals.SkuTaken(field="sku") from None
        raise
    return product


def correct_product(
    *,
    product_id: str,
    actor: str,
    now: datetime,
    title: str | None = None,
    description: str | None = None,
    condition: str | None = None,
    category: str | None = None,
    attributes: Iterable[Mapping[str, str]] | None = None,
    image: bytes | None = None,
) -> models.Product:
    """Correct the description of a product; what is None stays, and an empty `category` is none. `image` comes in place of the
    first picture. A repeat changes nothing. A lot keeps the text that it was listed with, and its picture. Raises
    UnknownProduct, InvalidText, UnknownCategory, UnusableImage, TooManyPictures.
    """
    corrected = _described(title, description, condition, attributes)
    stored = pictures.store(product_id, image) if image is not None else None
    with transaction.atomic(using=models.DATABASE), books.opened([product_id]) as stock:
        product = stock.product(product_id)
        if category is not None:
            corrected["category"] = _category(category)
        has_changed = product.correct(corrected, actor=actor, now=now)
        if stored:
            has_changed |= pictures.show_first(product, stored, alt=None, actor=actor, now=now)
        if has_changed:
            offers.restate(product, now=now)
    return product


def _described(
    title: str | None,
    description: str | None,
    condition: str | None,
    attributes: Iterable[Mapping[str, str]] | None,
) -> dict[str, Any]:
    """The fields of a product, without those that are None. Raises InvalidText."""
    described: dict[str, Any] = {}
    if title is not None:
        described["title"] = _line("title", title, MAX_TITLE_CHARACTERS)
    if description is not None:
        described["description"] = _paragraphs("description", description, MAX_DESCRIPTION_CHARACTERS)
    if condition is not None:
        described["condition"] = _condition(condition)
    if attributes is not None:
        described["attributes"] = _attributes(attributes)
    return described


def _line(field: str, value: str, limit: int) -> str:
    """A line that can be seen, of at most `limit` characters."""
    text = texts.line(value)
    if "\x00" in value or len(text) > limit:
        raise refusals.InvalidText(f"This needs 1 to {limit} characters.", field=field, least=1, most=limit)
    if not texts.is_visible(text):
        raise refusals.InvalidText(
            "This needs a character that can be seen.", field=field, least=1, most=limit
        )
    return text


def _paragraphs(field: str, value: str, limit: int) -> str:
    text = texts.paragraphs(value)
    if "\x00" in value or len(text) > limit:
        raise refusals.InvalidText(f"This needs 0 to {limit} characters.", field=field, least=0, most=limit)
    return text


def _condition(value: str) -> str:
    if value not in models.Condition.values:
        raise refusals.InvalidText(
            "There is no such condition.", field="condition", accepted=models.Condition.values
        )
    return value


def _category(slug: str) -> models.Category | None:
    """The category, which stays until the transaction ends; None for an empty slug. Raises UnknownCategory."""
    if not slug:
        return None
    category = models.Category.kept(slug) if "\x00" not in slug else None
    if category is None:
        raise refusals.UnknownCategory(field="category")
    return category


def _attributes(attributes: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    cleaned = [
        {
            "name": _line("attributes", one["name"], MAX_ATTRIBUTE_NAME_CHARACTERS),
            "value": _line("attributes", one["value"], MAX_ATTRIBUTE_VALUE_CHARACTERS),
        }
        for one in attributes
    ]
    names = {one["name"].casefold() for one in cleaned}
    if len(cleaned) > MAX_ATTRIBUTES:
        raise refusals.InvalidText(
            f"A product has at most {MAX_ATTRIBUTES} attributes.", field="attributes", most=MAX_ATTRIBUTES
        )
    if len(names) < len(cleaned):
        raise refusals.InvalidText("Each attribute needs a name of its own.", field="attributes")
    return cleaned
