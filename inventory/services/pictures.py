"""Pictures of a product: added, put in order, taken away. Files are named by their content and stored before the row: a crash
between the two leaves a file without a row, never a row without its file. None is deleted, because lots that were listed
with it show it.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from auction_project.kernel import texts
from auction_project.kernel.messaging import once
from inventory import books, images, models, refusals
from inventory.services import offers

MAX_PICTURES = 12  # shown of one product
MAX_FORMER_PICTURES = 200  # kept of one product


class Stored(msgspec.Struct, frozen=True):
    """A picture whose files are stored."""

    digest: str
    image: str
    thumbnail: str


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A picture of a product at its place, by its public id. `alt` says what it shows; None leaves it as it is."""

    id: str
    alt: str | None = None


def add_picture(
    *, product_id: str, image: bytes, alt: str = "", upload_id: str | None = None, actor: str, now: datetime
) -> models.Picture:
    """Show one more picture, after the others. One that is shown already stays where it is. A repeat of the upload, if it has an id,
    shows nothing: the picture may have been taken away since.

    Raises UnknownProduct, UnusableImage, InvalidText, TooManyPictures, and KeyReused for the id of another upload.
    """
    text, stored = alt_text(alt), store(product_id, image)
    with transaction.atomic(using=models.DATABASE), books.opened([product_id]) as stock:
        product = stock.product(product_id)
        asked = [product_id, stored.digest, text]
        is_first = upload_id is None or once.first_request(models.Once, upload_id, asked, now=now)
        shown = _shown(product)
        picture = _row(product, stored, actor=actor, now=now)
        if is_first and picture.position is None:
            if text or not picture.pk:
                picture.alt = text
            _arrange(product, [*shown, picture], now=now)
    return picture


def arrange_pictures(
    *, product_id: str, pictures: Sequence[Placed], actor: str, now: datetime
) -> models.Product:
    """Show just these pictures of the product, in this order. A repeat changes nothing.

    Raises UnknownProduct, UnknownPicture, InvalidText.
    """
    with transaction.atomic(using=models.DATABASE), books.opened([product_id]) as stock:
        product = stock.product(product_id)
        by_id = {picture.public_id: picture for picture in _shown(product)}
        wanted = []
        for placed in pictures:
            if placed.id not in by_id:
                raise refusals.UnknownPicture(field="pictures", picture=placed.id)
            picture = by_id.pop(placed.id)  # named once
            picture.alt = picture.alt if placed.alt is None else alt_text(placed.alt)
            wanted.append(picture)
        _arrange(product, wanted, now=now)
    return product


def store(product_id: str, upload: bytes) -> Stored:
    """Store the files of a picture, before the row that names them. Raises UnusableImage."""
    rendered = images.render(upload)
    folder = f"products/{product_id}/{rendered.digest[:16]}"
    return Stored(
        rendered.digest,
        _file(f"{folder}.jpg", rendered.image),
        _file(f"{folder}-thumbnail.jpg", rendered.thumbnail),
    )


def show_first(
    product: models.Product, stored: Stored, *, alt: str | None, actor: str, now: datetime
) -> bool:
    """In the open transaction: show the picture first, in place of the one that was. Whether anything has changed."""
    if product.image_digest == stored.digest:
        return False
    shown = _shown(product)
    picture = _row(product, stored, actor=actor, now=now)
    picture.alt = picture.alt if alt is None else alt
    others = [other for other in shown[1:] if other.digest != stored.digest]
    _place(product, [picture, *others])
    return True


def alt_text(text: str) -> str:
    """What is kept of an alternative text. Raises InvalidText."""
    kept = texts.line(text)
    if "\x00" in text or len(kept) > models.MAX_ALT_CHARACTERS:
        raise refusals.InvalidText(
            f"This needs 0 to {models.MAX_ALT_CHARACTERS} characters.",
            field="alt",
            least=0,
            most=models.MAX_ALT_CHARACTERS,
        )
    return kept


def _file(name: str, content: bytes) -> str:
    return name if default_storage.exists(name) else default_storage.save(name, ContentFile(content))


def _shown(product: models.Product) -> list[models.Picture]:
    return list(product.pictures.filter(position__isnull=False))


def _row(product: models.Product, stored: Stored, *, actor: str, now: datetime) -> models.Picture:
    """The picture's row, which may be new and unsaved. Raises TooManyPictures."""
    picture = product.pictures.filter(digest=stored.digest).first()
    if picture is not None:
        return picture
    if product.pictures.count() >= MAX_FORMER_PICTURES:
        raise refusals.TooManyPictures(
            f"The product has had {MAX_FORMER_PICTURES} pictures, and they are all kept. Make a new product.",
            field="image",
            most=MAX_FORMER_PICTURES,
        )
    return models.Picture(
        product=product,
        digest=stored.digest,
        image=stored.image,
        thumbnail=stored.thumbnail,
        added_at=now,
        added_by=actor,
    )


def _arrange(product: models.Product, wanted: Sequence[models.Picture], *, now: datetime) -> None:
    if _place(product, wanted):
        offers.restate(product, now=now)


def _place(product: models.Product, wanted: Sequence[models.Picture]) -> bool:
    """Show these pictures in this order; whether anything has changed. Raises TooManyPictures."""
    if len(wanted) > MAX_PICTURES:
        raise refusals.TooManyPictures(field="image", most=MAX_PICTURES)
    before = {picture.pk: (picture.position, picture.alt) for picture in _shown(product)}
    after = {picture.pk: (position, picture.alt) for position, picture in enumerate(wanted) if picture.pk}
    if before == after and len(after) == len(wanted):
        return False
    product.pictures.exclude(pk__in=list(after)).update(position=None)
    for position, picture in enumerate(wanted):
        picture.position = position
        picture.save()
    product.show(wanted[0].digest if wanted else "")
    return True
