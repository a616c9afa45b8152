"""The catalogue: a product with its picture. Files are named by their content and stored before the row: a crash
between the two leaves a file that nobody names, never a row without its file.
"""

from datetime import datetime

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction

from inventory import images, ledger, models, refusals

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
        _store_image(product, image)
    try:
        with transaction.atomic(using=models.DATABASE):
            product.save(force_insert=True)
            ledger.open_balances(product)
    except IntegrityError:
        if models.Product.objects.filter(sku=product.sku).exists():
            raise refusals.SkuTaken(field="sku") from None
        raise
    return product


def _store_image(product: models.Product, upload: bytes) -> None:
    rendered = images.render(upload)
    folder = f"products/{product.id}/{rendered.digest[:16]}"
    product.image = _stored(f"{folder}.jpg", rendered.image)
    product.thumbnail = _stored(f"{folder}-thumbnail.jpg", rendered.thumbnail)
    product.image_digest = rendered.digest


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
