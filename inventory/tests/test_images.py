"""Pictures: only real images within bounds are taken, and what is kept is encoded anew."""

import io
import subprocess
import sys
import threading

import pytest
from PIL import Image, ImageCms

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


def test_nothing_but_the_picture_is_kept():
    """Comments, profiles and the place where it was taken stay with the sender."""
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"  # GPS
    kept = images.render(picture("JPEG", exif=exif, comment=b"where I live", icc_profile=SRGB))

    for content in (kept.image, kept.thumbnail):
        assert {*reopened(content).info} == {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def with_swapped_colours():
    """A profile in which red and blue have changed places: the tags rXYZ and bXYZ of sRGB."""
    return SRGB.replace(b"rXYZ", b"tmp_").replace(b"bXYZ", b"rXYZ").replace(b"tmp_", b"bXYZ")


def middle(content):
    image = reopened(content)
    return image.getpixel((image.width // 2, image.height // 2))


def is_close(one, other, *, by=12):
    return all(abs(a - b) <= by for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_colours_are_those_that_the_profile_means(kind):
    upload = picture(kind, color=(250, 0, 0), icc_profile=with_swapped_colours())

    assert is_close(middle(images.render(upload).image), (0, 0, 250))


def test_a_transparent_picture_keeps_its_alpha_beside_its_profile():
    upload = picture(mode="RGBA", color=(250, 0, 0, 0), icc_profile=with_swapped_colours())

    assert middle(images.render(upload).image) == (255, 255, 255)


@pytest.mark.parametrize("profile", [b"no profile", SRGB[:300], b"\x00" * 200])
def test_a_profile_that_cannot_be_read_is_ignored(profile):
    upload = picture("JPEG", color=(250, 0, 0), icc_profile=profile)

    assert is_close(middle(images.render(upload).image), (250, 0, 0))


def test_a_profile_for_other_channels_is_ignored():
    upload = picture("JPEG", mode="L", color=200, icc_profile=SRGB)

    assert is_close(middle(images.render(upload).image), (200, 200, 200))


def test_a_picture_for_printers_becomes_one_for_screens():
    upload = picture("JPEG", mode="CMYK", color=(0, 255, 255, 0))

    assert is_close(middle(images.render(upload).image), (255, 0, 0))


@pytest.mark.parametrize(
    ("mode", "color", "seen"),
    [
        ("I;16", 51_400, (200, 200, 200)),  # 200 of 256 parts
        ("L", 200, (200, 200, 200)),
        ("LA", (200, 0), (255, 255, 255)),
        ("1", 1, (255, 255, 255)),
        ("P", 0, (0, 0, 0)),
        ("RGBA", (250, 0, 0, 255), (250, 0, 0)),
    ],
)
@pytest.mark.parametrize("size", [(100, 60), (4000, 2000)])
def test_a_png_of_any_depth_keeps_its_brightness(mode, color, seen, size):
    rendered = images.render(picture(mode=mode, color=color, size=size))

    assert is_close(middle(rendered.image), seen, by=6)


def test_a_picture_of_odd_size_loses_no_edge():
    image = Image.new("RGB", (5001, 3001), "white")
    image.paste("black", (4900, 2900, 5001, 3001))
    out = io.BytesIO()
    image.save(out, "PNG")

    kept = reopened(images.render(out.getvalue()).image)

    assert kept.size == (1600, 960)
    assert is_close(kept.getpixel((1597, 957)), (0, 0, 0))
    assert is_close(kept.getpixel((1550, 957)), (255, 255, 255))


def test_of_an_animation_the_first_frame_is_kept():
    out = io.BytesIO()
    frames = [Image.new("RGB", (100, 100), color) for color in ("red", "blue", "green")]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], duration=50)

    assert is_close(middle(images.render(out.getvalue()).image), (255, 0, 0))


def test_a_phones_jpeg_with_more_pictures_behind_it_is_one():
    out = io.BytesIO()
    first, second = (Image.new("RGB", (5000, 4000), color) for color in ("red", "blue"))
    first.save(out, "MPO", save_all=True, append_images=[second])

    kept = images.render(out.getvalue()).image

    assert (reopened(kept).size, is_close(middle(kept), (254, 0, 0))) == ((1600, 1280), True)


@pytest.mark.parametrize(
    ("brand", "name", "advice"),
    [
        (b"heic", "HEIC", "Save it as JPEG, and send that. An iPhone takes JPEGs with"),
        (b"mif1", "HEIC", "Save it as JPEG, and send that. An iPhone takes JPEGs with"),
        (b"avif", "AVIF", "Save it as JPEG, PNG or WebP, and send that."),
    ],
)
def test_a_picture_that_cannot_be_read_is_named_with_the_next_step(brand, name, advice):
    upload = b"\x00\x00\x00\x18ftyp" + brand + b"\x00\x00\x00\x00mif1heic" + bytes(200)

    with pytest.raises(refusals.UnusableImage) as refused:
        images.render(upload)

    assert refused.value.detail.startswith(f"{name} images cannot be read here. {advice}")
    assert (refused.value.figures["sent"], refused.value.field) == (name, "image")


PHONE = (8160, 6120)  # 50 megapixels
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


@pytest.mark.parametrize(
    ("kind", "options", "most_mib"),
    [
        ("JPEG", {}, 120),
        ("JPEG", {"progressive": True}, 220),
        ("PNG", {"compress_level": 1}, 300),  # whole it takes 195
        ("PNG", {"mode": "RGBA", "color": (0, 0, 90, 128), "compress_level": 1}, 300),
    ],
    ids=["baseline", "progressive", "png", "transparent"],
)
def test_a_picture_of_50_megapixels_is_taken_upright_within_bounded_memory(tmp_path, kind, options, most_mib):
    exif = Image.Exif()
    exif[0x0112] = 6  # held upright: a quarter turn
    content = picture(kind, size=PHONE, exif=exif, **options)
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
    assert float(measured.stdout) < most_mib


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
        (picture("WEBP")[:-20], "The image is damaged."),
        (
            picture("WEBP", size=(4001, 4000), method=0),
            "A WebP image may have 16 megapixels. Save it as JPEG.",
        ),
        (picture(size=(10201, 5000), mode="1", color=0), "The image has too many pixels."),
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
