"""The books of sales: the products that sales have reserved, locked, with the sales' reservations."""

import contextlib
from collections.abc import Iterable, Iterator

from django.db.models import Q

from inventory import books, models


@contextlib.contextmanager
def opened(sale_ids: Iterable[str], *, with_sources: bool = False) -> Iterator[books.Books]:
    """The books of the products that the sales have reserved; with the reservations from which they claim units first, if that is
    asked for. In the open transaction."""
    reservations = of_sales(sale_ids)
    sales = models.Reservation.objects.filter(reservations)
    with books.opened(sales.values("product_id")) as stock:
        if with_sources:
            reservations |= sources(sales.values_list("auction_id", "checkout_id"))
        stock.lock_reservations(reservations)
        yield stock


def of_sales(sale_ids: Iterable[str]) -> Q:
    return Q(kind=models.ReservationKind.SALE, holder__in=list(sale_ids))


def sources(sales: Iterable[tuple[str, str]]) -> Q:
    """The reservations of the lots and the checkouts of sales: (auction, checkout), of which one is empty."""
    of = list(sales)
    checkouts = {checkout_id for _, checkout_id in of if checkout_id}
    lots = Q(kind=models.ReservationKind.LOT, holder__in={auction_id for auction_id, _ in of if auction_id})
    return lots | Q(kind=models.ReservationKind.CHECKOUT, holder__in=checkouts) if checkouts else lots
