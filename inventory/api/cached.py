"""Answers of the shop from its read cache, as JSON that is ready to be sent."""

import hashlib
from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from rest_framework import renderers

from inventory.search import cache


def answer(
    name: str, body: Callable[[], dict[str, Any]], *, seconds: float = cache.LIFE_SECONDS
) -> HttpResponse:
    """The answer with this `body`, or the one that the cache has under this name."""
    content = cache.answer(name, lambda: renderers.JSONRenderer().render(body()), seconds=seconds)
    return HttpResponse(content, content_type="application/json")


def digest(*asked: object) -> str:
    """A name for what was asked for, of one size."""
    return hashlib.sha256(repr(asked).encode()).hexdigest()
