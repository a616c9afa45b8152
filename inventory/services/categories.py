"""The tree of categories: branches are added, renamed, moved, and removed when nothing is in them. Each change has the whole tree
locked, so that it stays one tree."""

from collections.abc import Mapping, Sequence

from django.db import transaction
from django.utils.text import slugify

from auction_project.kernel import texts
from inventory import models, refusals

MAX_CATEGORIES = 500
MAX_DEPTH = 5
NAMED = 3  # of the categories, and of the products, that keep one from being removed


def add_category(*, name: str, parent: str = "", slug: str = "") -> models.Category:
    """A new branch, the last below `parent` (a slug, or empty for the top). Without `slug` the name gives one.

    Raises InvalidText, UnknownCategory, CategoryTaken, TooManyCategories, TooDeep.
    """
    shown = _name(name)
    with transaction.atomic(using=models.DATABASE):
        tree = _Tree()
        if len(tree.by_id) >= MAX_CATEGORIES:
            raise refusals.TooManyCategories(most=MAX_CATEGORIES)
        above = tree.category(parent, field="parent") if parent else None
        category = models.Category(slug=tree.free_slug(slug or slugify(shown) or "category"), name=shown)
        tree.check_name(category, shown, above)
        if 1 + (tree.depth(above) if above else 0) > MAX_DEPTH:
            raise refusals.TooDeep(field="parent", most=MAX_DEPTH)
        category.parent = above
        category.position = len(tree.children(above))
        category.save(force_insert=True)
    return category


def rename_category(*, slug: str, name: str) -> models.Category:
    """Another name; the slug stays, because addresses have it. Raises UnknownCategory, InvalidText, CategoryTaken."""
    shown = _name(name)
    with transaction.atomic(using=models.DATABASE):
        tree = _Tree()
        category = tree.category(slug)
        tree.check_name(category, shown, category.parent)
        category.name = shown
        category.save(update_fields=["name"])
    return category


def move_category(*, slug: str, parent: str, position: int) -> models.Category:
    """Put the branch with all below it under `parent` (a slug, or empty for the top), at `position` among its children (from 0;
    beyond the last is the last). Raises UnknownCategory, CategoryCircle, CategoryTaken, TooDeep.
    """
    with transaction.atomic(using=models.DATABASE):
        tree = _Tree()
        category = tree.category(slug)
        above = tree.category(parent, field="parent") if parent else None
        if above and category.id in tree.line(above):
            raise refusals.CategoryCircle(field="parent")
        if (tree.depth(above) if above else 0) + tree.height(category) > MAX_DEPTH:
            raise refusals.TooDeep(field="parent", most=MAX_DEPTH)
        tree.check_name(category, category.name, above)
        siblings = [other for other in tree.children(above) if other.id != category.id]
        siblings.insert(max(0, position), category)
        category.parent = above
        for place, sibling in enumerate(siblings):
            sibling.position = place
            sibling.save(update_fields=["parent", "position"])
    return category


def remove_category(*, slug: str) -> None:
    """Remove a category in which nothing is. The former descriptions of products that were in it forget it.

    Raises CategoryNotFound, CategoryInUse.
    """
    with transaction.atomic(using=models.DATABASE):
        tree = _Tree()
        try:
            category = tree.category(slug)
        except refusals.UnknownCategory:
            raise refusals.CategoryNotFound from None
        below = [child.name for child in tree.children(category)]
        titles = models.Product.objects.filter(category=category).order_by("title", "id")
        products = titles.count()
        if below or products:
            shown = list(titles.values_list("title", flat=True)[:NAMED])
            counts = (("category", "categories", len(below), below), ("product", "products", products, shown))
            inside = " and ".join(_counted(*each) for each in counts if each[2])
            raise refusals.CategoryInUse(
                f"“{category.name}” still has {inside}. Move them first.",
                categories=len(below),
                products=products,
            )
        category.delete()


def _counted(one: str, many: str, number: int, names: Sequence[str]) -> str:
    """As in: 4 products (A, B, C and 1 more)."""
    more = f" and {number - NAMED} more" if number > NAMED else ""
    return f"{number} {one if number == 1 else many} ({', '.join(names[:NAMED])}{more})"


class _Tree:
    """All categories, locked. The lock of the tree comes first, because those that another change adds meanwhile have no rows to lock
    yet."""

    def __init__(self) -> None:
        models.Category.lock_tree()
        locked = models.Category.objects.order_by("id").select_for_update()
        self.by_id: Mapping[int, models.Category] = {category.id: category for category in locked}
        self._by_slug = {category.slug: category for category in self.by_id.values()}

    def category(self, slug: str, *, field: str = "slug") -> models.Category:
        """Raises UnknownCategory."""
        if slug not in self._by_slug:
            raise refusals.UnknownCategory(field=field)
        return self._by_slug[slug]

    def free_slug(self, wanted: str) -> str:
        """`wanted`, or it with the first number that is free."""
        slug, number = wanted, 1
        while slug in self._by_slug:
            number += 1
            slug = f"{wanted}-{number}"
        return slug

    def children(self, parent: models.Category | None) -> Sequence[models.Category]:
        parent_id = parent.id if parent else None
        below = [one for one in self.by_id.values() if one.parent_id == parent_id]
        return sorted(below, key=lambda one: (one.position, one.id))

    def line(self, category: models.Category) -> list[int]:
        """The ids from the category up to the top."""
        line = [category.id]
        while (parent_id := self.by_id[line[-1]].parent_id) is not None:
            line.append(parent_id)
        return line

    def depth(self, category: models.Category) -> int:
        return len(self.line(category))

    def height(self, category: models.Category) -> int:
        """How many levels the branch has, with its own."""
        return 1 + max((self.height(child) for child in self.children(category)), default=0)

    def check_name(self, category: models.Category, name: str, parent: models.Category | None) -> None:
        """Raises CategoryTaken."""
        siblings = (one for one in self.children(parent) if one.id != category.id)
        if any(one.name.casefold() == name.casefold() for one in siblings):
            raise refusals.CategoryTaken(field="name")


def _name(name: str) -> str:
    shown, limit = texts.line(name), models.MAX_CATEGORY_NAME_CHARACTERS
    if "\x00" in name or len(shown) > limit or not texts.is_visible(shown):
        raise refusals.InvalidText(
            f"A name has 1 to {limit} characters, and one that can be seen.",
            field="name",
            least=1,
            most=limit,
        )
    return shown
