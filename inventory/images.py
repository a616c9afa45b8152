"""Pictures of products: what is accepted, and what is kept of it. Pure; knows no storage and no product.

Nothing of an upload is kept as it came: the pixels are decoded within bounds and encoded anew, so what is served is
a JPEG in sRGB and nothing else (no metadata, no second meaning). The type is what the content says, never the name.

Decoded pixels take far more room than the file, so a process renders one picture at a time. A JPEG, which is what phones
send, is decoded at a reduced scale; a PNG is decoded whole and reduced by strips; a WebP is decoded into several copies, so
it may have fewer pixels. What a picture adds to the memory of its process at its peak (measured, on noise): a JPEG of 50
megapixels 75 MiB, a progressive one 190; a PNG of 50 megapixels 265 MiB; a WebP of 16 megapixels 250 MiB.
"""

import hashlib
import io
import threading
import warnings

import msgspec
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from inventory import refusals

MAX_UPLOAD_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 51_000_000  # what phones call 50 megapixels
MAX_WEBP_PIXELS = 16_000_000
MIN_SIDE_PIXELS = 32
IMAGE_SIDE_PIXELS = 1600
THUMBNAIL_SIDE_PIXELS = 400
LARGEST = (IMAGE_SIDE_PIXELS, IMAGE_SIDE_PIXELS)
ROUGH_SCALE = 1.4  # of what is kept: a fast filter reduces to no less than this, a good one does the rest
STRIP_ROWS = 64  # of the reduced picture, made at once
QUALITY = 85
FORMATS = ("JPEG", "PNG", "WEBP")
CONTENT_TYPE = "image/jpeg"
_SHORT = 256  # 16 bits to 8
_UNREAD = {  # by the brand in the first box of the file: the name, and what to do
    b"avif": ("AVIF", "Save it as JPEG, PNG or WebP, and send that."),
    b"avis": ("AVIF", "Save it as JPEG, PNG or WebP, and send that."),
} | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
    (
        "HEIC",
        "Save it as JPEG, and send that. An iPhone takes JPEGs with Settings, Camera, Formats, Most Compatible.",
    ),
)
_one_at_a_time = threading.Lock()
_srgb = ImageCms.createProfile("sRGB")


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
    """The first frame, at most IMAGE_SIDE_PIXELS wide and high, upright, in sRGB, on white where it was transparent."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged metadata is dropped anyhow
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(upload), formats=FORMATS)
            _check_size(opened)
            small = _reduced(opened)
            del opened  # its pixels
            upright = ImageOps.exif_transpose(small)
            visible = _in_srgb(upright, small.info.get("icc_profile")).convert("RGBA")
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise _unusable("The image has too many pixels.", limit_pixels=MAX_PIXELS) from error
    except UnidentifiedImageError as error:
        raise _unread(upload) from error
    except refusals.UnusableImage:
        raise
    except Exception as error:  # Pillow's decoders raise arbitrary exceptions on malformed input
        raise _unusable("The image is damaged.") from error
    canvas = Image.new("RGBA", visible.size, "white")
    return Image.alpha_composite(canvas, visible).convert("RGB")


def _check_size(opened: Image.Image) -> None:
    width, height = opened.size
    if opened.format == "WEBP" and width * height > MAX_WEBP_PIXELS:
        raise _unusable(
            f"A WebP image may have {MAX_WEBP_PIXELS // 1_000_000} megapixels. Save it as JPEG.",
            limit_pixels=MAX_WEBP_PIXELS,
        )
    if width * height > MAX_PIXELS:
        raise _unusable("The image has too many pixels.", limit_pixels=MAX_PIXELS)
    if min(width, height) < MIN_SIDE_PIXELS:
        raise _unusable("The image is too small.", least_side_pixels=MIN_SIDE_PIXELS)


def _reduced(opened: Image.Image) -> Image.Image:
    """The picture at the size that is kept, or at its own if it is smaller. Its orientation stays."""
    if opened.format in ("JPEG", "MPO"):  # MPO: a JPEG with more pictures behind the first
        opened.draft(None, LARGEST)  # decodes at a fraction of the scale; thumbnail alone keeps twice of it
        opened.thumbnail(LARGEST)
        return opened
    opened.load()
    width, height = opened.size
    factor = max(1, int(max(width, height) / (IMAGE_SIDE_PIXELS * ROUGH_SCALE)))
    mode = _in_eight_bits(opened.crop((0, 0, 1, 1))).mode
    small = Image.new(mode, (-(-width // factor), -(-height // factor)))
    for top in range(0, height, STRIP_ROWS * factor):
        strip = opened.crop((0, top, width, min(top + STRIP_ROWS * factor, height)))
        small.paste(_in_eight_bits(strip).reduce(factor), (0, top // factor))
    small.info = dict(opened.info)
    small.thumbnail(LARGEST)
    return small


def _in_eight_bits(strip: Image.Image) -> Image.Image:
    """The same pixels in grey or RGB, with or without alpha, 8 bits a channel."""
    if strip.mode.startswith("I"):  # 16 bits of grey
        return strip.point(lambda value: value * (1 / _SHORT)).convert("L")
    if strip.has_transparency_data:
        return strip.convert("RGBA")
    return strip.convert("L" if strip.mode in ("1", "L") else "RGB")


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture with the colours that its profile means. A profile that cannot be read, or is for others, is ignored."""
    if not profile:
        return picture
    alpha = picture.getchannel("A") if picture.mode == "RGBA" else None
    colours = picture.convert("RGB") if alpha else picture
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(colours, source, _srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return picture
    if converted is None:  # only a conversion in place has no result
        return picture
    if alpha:
        converted.putalpha(alpha)
    return converted


def _encode(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()


def _unread(upload: bytes) -> refusals.UnusableImage:
    """The refusal of a file that is none of FORMATS, with its name and the next step where it is a picture of phones."""
    if upload[4:8] == b"ftyp" and upload[8:12] in _UNREAD:
        name, advice = _UNREAD[upload[8:12]]
        return _unusable(f"{name} images cannot be read here. {advice}", accepted=list(FORMATS), sent=name)
    return _unusable("This is not a JPEG, PNG or WebP image.", accepted=list(FORMATS))


def _unusable(detail: str, **figures: object) -> refusals.UnusableImage:
    return refusals.UnusableImage(detail, field="image", **figures)
