"""Reading the stock: products with their figures, and their pictures. Never writes."""

import re

import msgspec
from django.core.files.storage import default_storage
from django.db.models import BooleanField, Case, Exists, F, OuterRef, Q, QuerySet, Sum, When
from django.db.models.functions import Coalesce

from auction_project.kernel import errors, ids
from inventory import models

_VERSION = re.compile(rf"[0-9a-f]{{{models.DIGEST_CHARACTERS}}}")
MAX_WORDS = 10  # of a search; the rest is ignored
_STATES = ("available", "reserved", "committed", "set_aside")


class ProductNotFound(errors.NotFound):
    """There is no such product."""


class PictureNotFound(errors.NotFound):
    """The product has no picture."""


class Picture(msgspec.Struct, frozen=True):
    """A stored picture; `digest` names its content."""

    content: bytes
    digest: str


def list_products(*, owner_id: str | None = None, text: str = "") -> QuerySet[models.Product]:
    """Products with `available`, `reserved`, `committed`, `set_aside` and `on_hand` over all warehouses, by SKU.

    With `text`, those whose title or SKU has each of its words.
    """
    products = models.Product.objects.order_by("sku")
    if owner_id is not None:
        products = products.filter(owner_id=owner_id)
    for word in text.split()[:MAX_WORDS]:
        products = products.filter(Q(sku__icontains=word) | Q(title__icontains=word))
    return with_figures(products)


def list_short() -> QuerySet[models.Product]:
    """The products of which units are missing (see `with_levels`), with their figures, the fewest available units first."""
    return with_levels(list_products()).filter(is_short=True).order_by("available", "sku")


def with_levels(products: QuerySet[models.Product]) -> QuerySet[models.Product]:
    """The same products with their figures, each with `is_short`: it is at or below its threshold, or, threshold or none,
    it is depleted while a lot still sells it. A single piece that is sold, and that no lot sells any more, is not short."""
    lots = models.Reservation.objects.filter(
        product=OuterRef("pk"), kind=models.ReservationKind.LOT, state=models.ReservationState.HELD
    )
    is_short = Q(is_low=True) | (Q(available=0, reserved=0) & Exists(lots))
    return with_figures(products).annotate(
        is_short=Case(When(is_short, then=True), default=False, output_field=BooleanField())
    )


def with_figures(products: QuerySet[models.Product]) -> QuerySet[models.Product]:
    """The same products, each with its units over all warehouses."""
    sums = {state: Coalesce(Sum(f"balances__{state}"), 0) for state in _STATES}
    return products.annotate(**sums).annotate(
        on_hand=F("available") + F("reserved") + F("committed") + F("set_aside")
    )


def get_product(product_id: str, *, owner_id: str | None = None) -> models.Product:
    """One product with its figures; with `owner_id`, only if it is theirs. Raises ProductNotFound."""
    product = list_products(owner_id=owner_id).filter(id=_checked(product_id)).first()
    if product is None:
        raise ProductNotFound
    return product


def get_picture(product_id: str, *, is_thumbnail: bool, version: str = "") -> Picture:
    """The picture whose digest begins with `version`, if the product ever had it; else the present one.

    Raises ProductNotFound, PictureNotFound.
    """
    product = models.Product.objects.filter(id=_checked(product_id)).first()
    if product is None:
        raise ProductNotFound
    described: models.Product | models.Correction = product
    if _VERSION.fullmatch(version) and not product.image_digest.startswith(version):
        described = product.corrections.filter(image_digest__startswith=version).first() or product
    name = (described.thumbnail if is_thumbnail else described.image).name
    if not name:
        raise PictureNotFound
    try:
        with default_storage.open(name) as stored:
            return Picture(stored.read(), described.image_digest)
    except FileNotFoundError:
        raise PictureNotFound from None


def list_warehouses() -> QuerySet[models.Warehouse]:
    """In the order in which stock is taken."""
    return models.Warehouse.objects.order_by("priority")


def units_on_hand(product_id: str) -> dict[str, int]:
    """By warehouse, each that there is."""
    counted = {
        balance.warehouse_id: balance.on_hand
        for balance in models.Balance.objects.filter(product_id=product_id)
    }
    return {warehouse.code: counted.get(warehouse.code, 0) for warehouse in list_warehouses()}


def _checked(product_id: str) -> str:
    """An id that can be one: what the database cannot even compare is not there."""
    if not ids.is_id(product_id):
        raise ProductNotFound
    return product_id
