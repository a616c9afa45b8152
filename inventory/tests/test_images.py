"""Pictures: only real images within bounds are taken, and what is kept is encoded anew."""

import io
import subprocess
import sys
import threading

import pytest
from PIL import Image

from inventory import images, refusals
from inventory.tests.pictures import picture

# Metadata in which the decoder of EXIF meets what it does not expect: struct.error, TypeError, AttributeError.
DAMAGED_EXIF = (
    "4d4d002a00000008000401070002000000060000003e011200030000000100060000011a0005000000010000004487690004000000010000004c"
    "0000000068656c6c6f000000000300000002000290030002000000050000006a92860007000000027800000000000000323007300000",
    "4d4d002a000000080004010e0002000000060000003e011200030000000100060000011a0002000000010000004487690004000000010000004c"
    "0000000068656c6c6f000000000300000002000290030002000000050000006a928600020000000278000000000000",
    "4d4d002a000000080004010e0005000000060000003e011200030000000100060000011a0005000007010000004487690004000000010000004c"
    "0000000068a16c6c6f00000000030000ff02000290030002000000050000006a92860002000000027800000000000000323032300000",
)


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


PHONE = (8160, 6120)  # 50 megapixels
MAX_EXTRA_MIB = 200  # decoded whole, such a picture takes 150 MiB, and three times that with its copies
MEASURE = """
import resource, sys
from inventory import images

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

images.render(open(sys.argv[2], "rb").read())
before = peak()
images.render(open(sys.argv[1], "rb").read())
print(peak() - before)
"""


@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
def test_a_phones_picture_of_50_megapixels_is_taken_upright_within_bounded_memory(tmp_path, progressive):
    exif = Image.Exif()
    exif[0x0112] = 6  # held upright: a quarter turn
    content = picture("JPEG", size=PHONE, exif=exif, progressive=progressive)
    for name, written in (("phone", content), ("small", picture("JPEG"))):
        (tmp_path / name).write_bytes(written)

    rendered = images.render(content)
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, tmp_path / "phone", tmp_path / "small"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert reopened(rendered.image).size == (1200, 1600)
    assert float(measured.stdout) < MAX_EXTRA_MIB


@pytest.mark.parametrize(
    ("upload", "detail"),
    [
        (b"", "This is not a JPEG, PNG or WebP image."),
        (b"<svg onload=alert(1)>", "This is not a JPEG, PNG or WebP image."),
        (b"GIF89a" + bytes(100), "This is not a JPEG, PNG or WebP image."),
        (picture("GIF"), "This is not a JPEG, PNG or WebP image."),
        (picture("JPEG")[:2000], "The image is damaged."),
        (picture("PNG")[:-40], "The image is damaged."),
        *(
            (picture("JPEG", exif=b"Exif\0\0" + bytes.fromhex(exif)), "The image is damaged.")
            for exif in DAMAGED_EXIF
        ),
        (picture(size=(31, 500)), "The image is too small."),
        (picture(size=(4001, 4000)), "The image has too many pixels."),
        (picture("JPEG", size=(10201, 5000), mode="L", color=0), "The image has too many pixels."),
        (picture(size=(20000, 10000), mode="1", color=0), "The image has too many pixels."),
        (bytes(images.MAX_UPLOAD_BYTES + 1), "The image is too large."),
    ],
)
def test_what_is_no_usable_image_is_refused_by_its_rule(upload, detail):
    with pytest.raises(refusals.UnusableImage) as refused:
        images.render(upload)

    assert (refused.value.detail, refused.value.field) == (detail, "image")


def test_a_process_renders_one_picture_at_a_time(monkeypatch):
    decode, inside, most = images._decode, [], []

    def watched(upload):
        inside.append(upload)
        most.append(len(inside))
        decoded = decode(upload)
        inside.remove(upload)
        return decoded

    monkeypatch.setattr(images, "_decode", watched)
    uploads = [picture(size=(2000, 2000), color=color) for color in ("navy", "red", "green", "white")]
    threads = [threading.Thread(target=images.render, args=(upload,)) for upload in uploads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == [1, 1, 1, 1]
