"""Pictures of products: what is accepted, and what is kept of it. Pure; knows no storage and no product.

Nothing of an upload is kept as it came: the pixels are decoded within bounds and encoded anew, so what is served is
a JPEG and nothing else (no metadata, no second meaning). The type is what the content says, never the name.
Decoded pixels take far more room than the file, so a process renders one picture at a time. A JPEG, which is what phones
send, is decoded at a reduced scale and may have more pixels than other formats.
"""

import hashlib
import io
import threading
import warnings

import msgspec
from PIL import Image, ImageOps, UnidentifiedImageError

from inventory import refusals

MAX_UPLOAD_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 16_000_000  # a decoder of PNG or WebP needs all of them at once, and more than once
MAX_JPEG_PIXELS = 51_000_000  # what phones call 50 megapixels
MIN_SIDE_PIXELS = 32
IMAGE_SIDE_PIXELS = 1600
THUMBNAIL_SIDE_PIXELS = 400
LARGEST = (IMAGE_SIDE_PIXELS, IMAGE_SIDE_PIXELS)
QUALITY = 85
FORMATS = ("JPEG", "PNG", "WEBP")
CONTENT_TYPE = "image/jpeg"
_one_at_a_time = threading.Lock()


class Rendered(msgspec.Struct, frozen=True):
    """Both sizes as JPEG, and the digest of the larger one."""

    image: bytes
    thumbnail: bytes
    digest: str


def render(upload: bytes) -> Rendered:
    """Check and encode anew. Raises UnusableImage, naming the rule."""
    if len(upload) > MAX_UPLOAD_BYTES:
        raise _unusable("The image is too large.", limit_bytes=MAX_UPLOAD_BYTES)
    with _one_at_a_time:
        picture = _decode(upload)
        image = _encode(picture)
        picture.thumbnail((THUMBNAIL_SIDE_PIXELS, THUMBNAIL_SIDE_PIXELS))
        thumbnail = _encode(picture)
    return Rendered(image, thumbnail, hashlib.sha256(image).hexdigest())


def _decode(upload: bytes) -> Image.Image:
    """The first frame, at most IMAGE_SIDE_PIXELS wide and high, upright, on white where it was transparent."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged metadata is dropped anyhow
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(upload), formats=FORMATS)
            width, height = opened.size
            limit = MAX_JPEG_PIXELS if opened.format == "JPEG" else MAX_PIXELS
            if width * height > limit:
                raise _unusable("The image has too many pixels.", limit_pixels=limit)
            if min(width, height) < MIN_SIDE_PIXELS:
                raise _unusable("The image is too small.", least_side_pixels=MIN_SIDE_PIXELS)
            if opened.format == "JPEG":
                opened.draft(
                    None, LARGEST
                )  # decodes at a fraction of the scale; thumbnail alone keeps twice of it
                opened.thumbnail(LARGEST)
            upright = ImageOps.exif_transpose(opened).convert("RGBA")
            upright.thumbnail(LARGEST)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise _unusable("The image has too many pixels.", limit_pixels=MAX_PIXELS) from error
    except UnidentifiedImageError as error:
        raise _unusable("This is not a JPEG, PNG or WebP image.", accepted=list(FORMATS)) from error
    except refusals.UnusableImage:
        raise
    except Exception as error:  # Pillow's decoders raise arbitrary exceptions on malformed input
        raise _unusable("The image is damaged.") from error
    canvas = Image.new("RGBA", upright.size, "white")
    return Image.alpha_composite(canvas, upright).convert("RGB")


def _encode(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()


def _unusable(detail: str, **figures: object) -> refusals.UnusableImage:
    return refusals.UnusableImage(detail, field="image", **figures)
