"""The transaction of a command that events cause."""

import contextlib
from collections.abc import Iterator

from django.db import transaction

from auction_project.kernel.messaging import outbox
from inventory import models


@contextlib.contextmanager
def of_the_consumer() -> Iterator[None]:
    """The transaction that is open, the consumer's with its other events, or one of its own."""
    using = models.DATABASE
    is_open = transaction.get_connection(using).in_atomic_block
    with contextlib.nullcontext() if is_open else transaction.atomic(using=using), outbox.gathered(using):
        yield
