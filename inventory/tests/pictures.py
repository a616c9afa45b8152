"""Pictures to upload."""

import io
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image


def picture(
    kind: str = "PNG",
    size: tuple[int, int] = (640, 480),
    mode: str = "RGB",
    color: Any = "navy",
    **options: Any,
) -> bytes:
    """One colour, encoded as `kind`; `options` are those of Pillow's writer."""
    out = io.BytesIO()
    Image.new(mode, size, color).save(out, kind, **options)
    return out.getvalue()


def upload() -> SimpleUploadedFile:
    return SimpleUploadedFile("clock.png", picture(size=(100, 100)), "image/png")
