"""The catalogue: a product with its picture, and corrections of both. Files are named by their content and stored before the row: a crash
between the two leaves a file without a row, never a row without its file.
"""

from datetime import datetime

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction

from inventory import books, images, models, refusals

MAX_SKU_CHARACTERS = 40
MAX_TITLE_CHARACTERS = 120
MAX_DESCRIPTION_CHARACTERS = 5000


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
    image: bytes | None = None,
) -> models.Product:
    """A new product without stock. `owner_id` is 'house' or a user's id. Raises SkuTaken, InvalidText, UnusableImage."""
    product = models.Product(
        id=product_id,
        sku=_text("sku", sku, MAX_SKU_CHARACTERS),
        title=_text("title", title, MAX_TITLE_CHARACTERS),
        description=_text("description", description, MAX_DESCRIPTION_CHARACTERS, may_be_empty=True),
        condition=_condition(condition),
        owner_id=owner_id,
        created_at=now,
        created_by=actor,
    )
    if image is not None:
        for name, value in _stored_image(product_id, image).items():
            setattr(product, name, value)
    try:
        with transaction.atomic(using=models.DATABASE):
            product.save(force_insert=True)
            books.open_balances(product)
    except IntegrityError:
        if models.Product.objects.filter(sku=product.sku).exists():
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
    image: bytes | None = None,
) -> models.Product:
    """Correct the description of a product; what is None stays. A repeat changes nothing. A lot keeps the text that
    it was listed with, and its picture. Raises UnknownProduct, InvalidText, UnusableImage.
    """
    corrected: dict[str, str] = {}
    if title is not None:
        corrected["title"] = _text("title", title, MAX_TITLE_CHARACTERS)
    if description is not None:
        corrected["description"] = _text(
            "description", description, MAX_DESCRIPTION_CHARACTERS, may_be_empty=True
        )
    if condition is not None:
        corrected["condition"] = _condition(condition)
    if image is not None:
        corrected |= _stored_image(product_id, image)
    with transaction.atomic(using=models.DATABASE), books.opened([product_id]) as stock:
        product = stock.product(product_id)
        product.correct(corrected, actor=actor, now=now)
    return product


def _stored_image(product_id: str, upload: bytes) -> dict[str, str]:
    """The fields of a product with this picture, whose files are stored. Raises UnusableImage."""
    rendered = images.render(upload)
    folder = f"products/{product_id}/{rendered.digest[:16]}"
    return {
        "image": _stored(f"{folder}.jpg", rendered.image),
        "thumbnail": _stored(f"{folder}-thumbnail.jpg", rendered.thumbnail),
        "image_digest": rendered.digest,
    }


def _stored(name: str, content: bytes) -> str:
    return name if default_storage.exists(name) else default_storage.save(name, ContentFile(content))


def _text(field: str, value: str, limit: int, *, may_be_empty: bool = False) -> str:
    text = value.strip()
    if "\x00" in text or len(text) > limit or not (text or may_be_empty):
        least = 0 if may_be_empty else 1
        raise refusals.InvalidText(
            f"This needs {least} to {limit} characters.", field=field, least=least, most=limit
        )
    return text


def _condition(value: str) -> str:
    if value not in models.Condition.values:
        raise refusals.InvalidText(
            "There is no such condition.", field="condition", accepted=models.Condition.values
        )
    return value
