"""Pictures: only real images within bounds are taken, and what is kept is encoded anew."""

import io

import pytest
from PIL import Image

from inventory import images, refusals


def picture(kind="PNG", size=(640, 480), mode="RGB", color="navy", **options):
    out = io.BytesIO()
    Image.new(mode, size, color).save(out, kind, **options)
    return out.getvalue()


def reopened(content):
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_an_accepted_image_becomes_two_jpegs(kind):
    rendered = images.render(picture(kind, size=(3000, 1500)))

    assert (reopened(rendered.image).format, reopened(rendered.image).size) == ("JPEG", (1600, 800))
    assert (reopened(rendered.thumbnail).format, reopened(rendered.thumbnail).size) == ("JPEG", (400, 200))
    assert len(rendered.digest) == 64


def test_a_small_image_is_not_blown_up():
    assert reopened(images.render(picture(size=(40, 50))).image).size == (40, 50)


def test_what_was_transparent_is_white():
    assert reopened(images.render(picture(mode="RGBA", color=(0, 0, 0, 0))).image).getpixel((5, 5)) == (
        255,
        255,
        255,
    )


def test_metadata_is_dropped_and_its_rotation_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    exif[0x010E] = "where I live"

    kept = reopened(images.render(picture("JPEG", size=(640, 480), exif=exif)).image)

    assert (kept.size, dict(kept.getexif())) == ((480, 640), {})


@pytest.mark.parametrize(
    ("upload", "detail"),
    [
        (b"", "This is not a JPEG, PNG or WebP image."),
        (b"<svg onload=alert(1)>", "This is not a JPEG, PNG or WebP image."),
        (b"GIF89a" + bytes(100), "This is not a JPEG, PNG or WebP image."),
        (picture("GIF"), "This is not a JPEG, PNG or WebP image."),
        (picture("JPEG")[:2000], "The image is damaged."),
        (picture("PNG")[:-40], "The image is damaged."),
        (picture(size=(31, 500)), "The image is too small."),
        (picture(size=(8000, 6000)), "The image has too many pixels."),
        (picture(size=(20000, 10000), mode="1", color=0), "The image has too many pixels."),
        (bytes(images.MAX_UPLOAD_BYTES + 1), "The image is too large."),
    ],
)
def test_what_is_no_usable_image_is_refused_by_its_rule(upload, detail):
    with pytest.raises(refusals.UnusableImage) as refused:
        images.render(upload)

    assert (refused.value.detail, refused.value.field) == (detail, "image")
