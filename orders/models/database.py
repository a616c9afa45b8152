"""What the tables of orders share: the database, its outbox and once rows, and rules of several tables."""

import contextlib
from collections.abc import Iterable, Iterator

import psycopg
from django.db import IntegrityError

from auction_project.kernel.messaging import once, outbox
from orders import exceptions

DATABASE = "orders"
CURRENCY_PATTERN = r"^[A-Z]{3}$"


class Outbox(outbox.OutboxRow):
    class Meta(outbox.OutboxRow.Meta):
        verbose_name_plural = "outbox"


class Once(once.OnceRow):
    class Meta(once.OnceRow.Meta):
        abstract = False
        verbose_name_plural = "once"


@contextlib.contextmanager
def refuse_taken_numbers(order_numbers: Iterable[str]) -> Iterator[None]:
    """Raises OrderNumberTaken, with all of the numbers, when what is stored inside breaks a unique constraint. The
    transaction is lost then."""
    try:
        yield
    except IntegrityError as error:
        if isinstance(error.__cause__, psycopg.errors.UniqueViolation):
            raise exceptions.OrderNumberTaken(order_number=", ".join(order_numbers)) from error
        raise
