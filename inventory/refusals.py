"""Every rule of the stock that may say no, by the name of the situation. `ALL` has the classes that a step may store."""

from auction_project.kernel import errors


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


class SameWarehouse(errors.Refused):
    """A transfer needs two different warehouses."""


class UnusableImage(errors.Invalid):
    """The file is not an image that can be shown."""


class InvalidText(errors.Invalid):
    """The text is missing, too long, or holds what cannot be stored."""


class InvalidFigure(errors.Invalid):
    """The figure is out of bounds."""


def units(number: int) -> str:
    """The number with its noun, as sentences need it."""
    return f"{number} unit" if number == 1 else f"{number} units"


ALL = tuple(kind for kind in errors.Refused.__subclasses__() if kind.__module__ == __name__)
