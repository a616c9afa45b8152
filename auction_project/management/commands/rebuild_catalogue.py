"""`manage.py rebuild_catalogue`: fills the catalogue of auctions in Redis from their documents."""

import argparse
import asyncio
import time

from django.core.management.base import BaseCommand, CommandError
from rich.progress import Progress

from auction_project.kernel import errors
from bidding import runtime
from bidding.catalogue import filling

WAIT_SECONDS = 60.0  # for a store that does not answer
RETRY_SECONDS = 1.0


class Command(BaseCommand):
    help = (
        "Fill the catalogue, from which lists of auctions are answered, from the auctions' documents. It may run at any time: "
        "lists are answered meanwhile, and what the relay puts stays. The relay does the same by itself when Redis was "
        "emptied. Exit code 0: every auction is there; 1: a store did not answer."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--empty",
            action="store_true",
            help="delete the catalogue first: after the bid log was restored to an earlier time",
        )
        parser.epilog = "Example: manage.py rebuild_catalogue"

    def handle(self, *_args: object, **options: object) -> None:
        began = time.monotonic()
        try:
            done = runtime.call(_rebuild(empty=bool(options["empty"])), seconds=None)
        except errors.Unavailable as error:
            raise CommandError(f"the catalogue is not complete, run it again: {error}") from error
        self.stdout.write(
            f"{done.lots} lots are in the catalogue, {done.new} of them were missing or out of date "
            f"({time.monotonic() - began:.1f} s)"
        )


async def _rebuild(*, empty: bool) -> filling.Filling:
    """Raises errors.Unavailable."""
    store, catalogue = runtime.current().store, runtime.current().catalogue
    if empty:
        await catalogue.empty()
    epoch = (await catalogue.marker()).epoch
    count = await store.auctions.estimate_count()
    rebuilding = filling.Filling(store, catalogue)
    with Progress(transient=True) as progress:
        task = progress.add_task("lots", total=count)
        while await _step(rebuilding):
            progress.update(task, completed=rebuilding.lots)
    await catalogue.mark(epoch, "complete")  # unless a relay has begun to fill it, too
    return rebuilding


async def _step(rebuilding: filling.Filling) -> bool:
    """A step, again while a store does not answer. Raises errors.Unavailable."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return await rebuilding.step()
        except errors.Unavailable:
            if time.monotonic() >= deadline:
                raise
            await asyncio.sleep(RETRY_SECONDS)
