"""Lists in numbered pages: what asks for a page, what such a list answers, and how the OpenAPI document describes both.

A page after the last one is empty.
"""

import math
from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from auction_project.kernel.http import rest

MAX_PAGE, MAX_PAGE_SIZE, PAGE_SIZE = 10_000, 100, 20


class PageQuery(rest.StrictSerializer):
    """Which page, from 1 on, and how many items it has."""

    page = serializers.IntegerField(min_value=1, max_value=MAX_PAGE, default=1)
    page_size = serializers.IntegerField(min_value=1, max_value=MAX_PAGE_SIZE, default=PAGE_SIZE)


class Page(serializers.Serializer[Any]):
    """What a list in pages says beside its `items`."""

    page = serializers.IntegerField()
    pages = serializers.IntegerField()
    total = serializers.IntegerField()


def page_of(*, items: Sequence[Any], page: int, page_size: int, total: int) -> dict[str, Any]:
    """The body of page `page`: its `items`, and how many pages and items the list has (no item: no page)."""
    return {"items": items, "page": page, "pages": math.ceil(total / page_size), "total": total}
