"""Every rule of the stock that may say no, by the name of the situation. `ALL` has the classes that a step may store."""

from collections.abc import Sequence

import msgspec

from auction_project.kernel import errors
from auction_project.kernel.contracts import events


class SoldOut(errors.Refused):
    """There is not enough free stock."""


class UnknownProduct(errors.Refused):
    """There is no such product."""


class UnknownWarehouse(errors.Refused):
    """There is no such warehouse."""


class NotReserved(errors.Refused):
    """Nothing is reserved for this sale."""


class AlreadyReserved(errors.Refused):
    """The sale has, or had, its reservation."""


class WrongState(errors.Refused):
    """The reservation is not in a state that allows this."""


class NotShipped(errors.Refused):
    """So many units of this sale are not with the customer: they were not shipped, or have come back."""


class StockLost(errors.Refused):
    """A unit that was reserved for this sale is broken or missing."""


class LotsConcerned(errors.Refused):
    """Lots or sales would lose reserved units. Read which ones, and confirm."""

    remedy = "Send the same count again with `confirmation` if the units in `lots` are to be lost."


class StaleFigure(errors.Refused):
    """The stock has changed since you looked."""


class InsufficientStock(errors.Refused):
    """Not so many units are available: the others are reserved or sold."""


class FormReused(errors.Refused):
    """This form was sent before, with other figures. Open it again to change more."""


class SkuTaken(errors.Refused):
    """Another product has this SKU."""


class CategoryTaken(errors.Refused):
    """Another category beside it has this name."""


class CategoryCircle(errors.Refused):
    """A category cannot be below itself."""


class CategoryInUse(errors.Refused):
    """There are categories or products in it. Move them first."""


class CategoryNotFound(errors.NotFound):
    """There is no such category."""


class TooDeep(errors.Refused):
    """The tree of categories has no level below this one."""


class TooManyCategories(errors.Refused):
    """The tree of categories is full."""


class TooManyPictures(errors.Refused):
    """The product has as many pictures as it may have. Take one away first."""


class SameWarehouse(errors.Refused):
    """A transfer needs two different warehouses."""


class UnusableImage(errors.Invalid):
    """The file is not an image that can be shown."""


class UnknownCategory(errors.Invalid):
    """There is no such category."""


class UnknownPicture(errors.Invalid):
    """The product shows no such picture, or it is named twice."""


class InvalidText(errors.Invalid):
    """The text is missing, too long, or holds what cannot be stored."""


class InvalidFigure(errors.Invalid):
    """The figure is out of bounds."""


def sold_out(shortages: Sequence[events.Shortage]) -> SoldOut:
    """The refusal of a sale whose units are not all there; it names the lines."""
    return SoldOut(lines=msgspec.to_builtins(list(shortages)))


def units(number: int) -> str:
    """The number with its noun, as sentences need it."""
    return f"{number} unit" if number == 1 else f"{number} units"


ALL = tuple(kind for kind in errors.Refused.__subclasses__() if kind.__module__ == __name__)


class EmptySearch(errors.Invalid):
    """A search that is saved needs words or a filter."""


class TooManySearches(errors.Refused):
    """You have saved as many searches as you can."""

    remedy = "Delete one that you need no longer, then save this one."


class SearchNotFound(errors.NotFound):
    """You have saved no such search."""
