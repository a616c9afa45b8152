"""Reading the stock: products with their figures and pictures, offers and categories. Never writes."""

import re
from collections import defaultdict
from collections.abc import Sequence

import msgspec
from django.core.files.storage import default_storage
from django.db.models import BooleanField, Case, Count, Exists, F, OuterRef, Prefetch, Q, QuerySet, Sum, When
from django.db.models.functions import Coalesce

from auction_project.kernel import errors, ids
from inventory import models

_VERSION = re.compile(rf"[0-9a-f]{{{models.DIGEST_CHARACTERS}}}")
_SLUG = re.compile(r"[-a-z0-9_]{1,160}")
MAX_WORDS = 10  # of a search; the rest is ignored
# All that `serializers.Offer` reads. Django makes the objects of a page slower than PostgreSQL finds them.
_LISTED = (
    "slug", "price", "currency", "max_per_order",
    "product__title", "product__image_digest", "product__condition", "product__owner_id", "product__category__slug",
)  # fmt: skip
_STATES = ("available", "reserved", "committed", "set_aside")


class ProductNotFound(errors.NotFound):
    """There is no such product."""


class PictureNotFound(errors.NotFound):
    """The product has no picture."""


class OfferNotFound(errors.NotFound):
    """There is no such offer."""


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """A category with the number of published offers in it and below it. `depth` is 0 at the top."""

    slug: str
    name: str
    parent: str | None
    depth: int
    offers: int


class Picture(msgspec.Struct, frozen=True):
    """A stored picture; `digest` names its content."""

    content: bytes
    digest: str


def list_products(*, owner_id: str | None = None, text: str = "") -> QuerySet[models.Product]:
    """Products with `available`, `reserved`, `committed`, `set_aside` and `on_hand` over all warehouses, and their offers, by SKU.

    With `text`, those whose title or SKU has each of its words.
    """
    products = models.Product.objects.order_by("sku")
    if owner_id is not None:
        products = products.filter(owner_id=owner_id)
    for word in text.split()[:MAX_WORDS]:
        products = products.filter(Q(sku__icontains=word) | Q(title__icontains=word))
    return with_figures(products.select_related("category", "offer"))


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
    products = list_products(owner_id=owner_id).filter(id=_checked(product_id))
    product = products.prefetch_related(_shown_pictures("pictures")).first()
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
    pictures = models.Picture.objects.filter(product=product)
    picture = None
    if _VERSION.fullmatch(version):
        picture = pictures.filter(digest__startswith=version).first()
    picture = picture or pictures.filter(position=0).first()
    if picture is None:
        raise PictureNotFound
    name = (picture.thumbnail if is_thumbnail else picture.image).name
    try:
        with default_storage.open(name) as stored:
            return Picture(stored.read(), picture.digest)
    except FileNotFoundError:
        raise PictureNotFound from None


def list_offers() -> QuerySet[models.Offer]:
    """The published offers by product, each with its product, the category and the `available` units."""
    return _with_units(models.Offer.objects.filter(published=True))


def list_offers_of(product_ids: Sequence[str]) -> list[models.Offer]:
    """The published ones among the offers of these products, in the order of `product_ids`."""
    listed = list_offers().filter(product__in=product_ids).only(*_LISTED)
    offers = {offer.product_id: offer for offer in listed}
    return [offers[product_id] for product_id in product_ids if product_id in offers]


def get_offer(slug: str) -> models.Offer:
    """A published offer with the pictures that its product shows. Raises OfferNotFound."""
    if not _SLUG.fullmatch(slug):  # what the database cannot even compare is not there
        raise OfferNotFound
    offer = list_offers().prefetch_related(_shown_pictures("product__pictures")).filter(slug=slug).first()
    if offer is None:
        raise OfferNotFound
    return offer


def get_offer_of(product_id: str) -> models.Offer:
    """The offer of a product, published or not, with its former prices. Raises ProductNotFound, OfferNotFound."""
    offers = _with_units(models.Offer.objects.filter(product_id=_checked(product_id)))
    offer = offers.prefetch_related("prices").first()
    if offer is None:
        raise OfferNotFound
    return offer


def list_saved_searches(*, user_id: str) -> QuerySet[models.SavedSearch]:
    """The newest first."""
    return models.SavedSearch.objects.filter(user_id=user_id).order_by("-created_at", "id")


def list_categories() -> Sequence[Branch]:
    """The whole tree: each category after its parent, those of one parent in their order."""
    published = Count("products__offer", filter=Q(products__offer__published=True))
    children: dict[int | None, list[models.Category]] = defaultdict(list)
    for category in models.Category.objects.annotate(offers=published).order_by("position", "id"):
        children[category.parent_id].append(category)

    def branches(parent: models.Category | None, depth: int) -> list[Branch]:
        found: list[Branch] = []
        for category in children[parent.id if parent else None]:
            below = branches(category, depth + 1)
            inside = category.offers + sum(one.offers for one in below if one.depth == depth + 1)
            found += [
                Branch(
                    slug=category.slug,
                    name=category.name,
                    parent=parent.slug if parent else None,
                    depth=depth,
                    offers=inside,
                ),
                *below,
            ]
        return found

    return branches(None, 0)


def slugs_below(slug: str) -> Sequence[str]:
    """The slug of the category and those of all below it; none if there is no such category."""
    found: list[str] = []
    depth = None
    for branch in list_categories():  # each after its parent
        if depth is not None and branch.depth <= depth:
            break
        if branch.slug == slug:
            depth = branch.depth
        if depth is not None:
            found.append(branch.slug)
    return found


def _with_units(offers: QuerySet[models.Offer]) -> QuerySet[models.Offer]:
    available = Coalesce(Sum("product__balances__available"), 0)
    return offers.select_related("product__category").annotate(available=available).order_by("product_id")


def _shown_pictures(lookup: str) -> Prefetch:
    shown = models.Picture.objects.filter(position__isnull=False).order_by("position")
    return Prefetch(lookup, queryset=shown, to_attr="shown_pictures")


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
