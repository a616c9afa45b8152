"""Lists in numbered pages: what such a list answers, and how the OpenAPI document describes it.

A query has `page` (from 1) and `page_size`, each with the bounds of its list. A page after the last one is empty.
"""

import math
from collections.abc import Sequence
from typing import Any

from rest_framework import serializers


class Page(serializers.Serializer[Any]):
    """What a list in pages says beside its `items`."""

    page = serializers.IntegerField()
    pages = serializers.IntegerField()
    total = serializers.IntegerField()


def page_of(*, items: Sequence[Any], page: int, page_size: int, total: int) -> dict[str, Any]:
    """The body of page `page`: its `items`, and how many pages and items the list has (no item: no page)."""
    return {"items": items, "page": page, "pages": math.ceil(total / page_size), "total": total}
