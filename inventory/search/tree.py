"""The tree of categories as a search reads it: what is below a category, and counts that include what is below."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from inventory import models, refusals


class Branch(msgspec.Struct, frozen=True):
    """A category, with how many offers it has, those below it included."""

    slug: str
    name: str
    count: int


class _Category(NamedTuple):
    id: int
    parent_id: int | None
    slug: str
    name: str


class Tree:
    """All categories, read once."""

    def __init__(self) -> None:
        self._children: dict[int | None, list[_Category]] = defaultdict(list)
        rows = models.Category.objects.order_by("position", "id").values_list(*_Category._fields)
        for category in map(_Category._make, rows):
            self._children[category.parent_id].append(category)

    def below(self, slug: str) -> tuple[int, ...]:
        """The ids of the category and of all below it. Raises UnknownCategory."""
        for category in self._walk(None):
            if category.slug == slug:
                return (category.id, *(one.id for one in self._walk(category.id)))
        raise refusals.UnknownCategory(field="category")

    def counted(self, counts: Mapping[int | None, int]) -> list[Branch]:
        """The categories that have offers, each after its parent."""
        branches = []
        for category in self._walk(None):
            count = counts.get(category.id, 0) + sum(counts.get(one.id, 0) for one in self._walk(category.id))
            if count:
                branches.append(Branch(category.slug, category.name, count))
        return branches

    def _walk(self, parent: int | None) -> Iterator[_Category]:
        for category in self._children.get(parent, ()):
            yield category
            yield from self._walk(category.id)
