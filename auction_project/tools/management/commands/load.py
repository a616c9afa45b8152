"""`manage.py load`: places many bids, on this machine only."""

import argparse
import asyncio
import contextlib
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from django.core.management.base import BaseCommand, CommandError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from auction_project.kernel import ids, tokens
from auction_project.tools.load import crowd, http
from inventory import models as stock
from inventory import services as inventory

OPEN_SECONDS = 30.0
MAX_RATE, MAX_BIDDERS, MAX_AUCTIONS, MAX_SECONDS, MAX_CONNECTIONS = 50_000, 100_000, 1_000, 3_600, 10_000
_START = 10_00


class Command(BaseCommand):
    help = (
        "Open auctions, place many bids through a web process on this machine, print the speed, and write every answer to a "
        "file for `manage.py verify --answers`. It needs the roles web, relay and consume."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--url", default="http://127.0.0.1:8000", help="the web process (default: %(default)s)"
        )
        parser.add_argument(
            "--rate", type=_bounded(MAX_RATE), default=200, help="bids per second (default: %(default)s)"
        )
        parser.add_argument(
            "--bidders",
            type=_bounded(MAX_BIDDERS),
            default=100,
            help="how many bidders (default: %(default)s)",
        )
        parser.add_argument(
            "--auctions",
            type=_bounded(MAX_AUCTIONS),
            default=5,
            help="how many auctions (default: %(default)s)",
        )
        parser.add_argument(
            "--seconds", type=_bounded(MAX_SECONDS), default=20, help="for how long (default: %(default)s)"
        )
        parser.add_argument(
            "--connections",
            type=_bounded(MAX_CONNECTIONS),
            default=64,
            help="how many connections (default: %(default)s)",
        )
        parser.add_argument(
            "--answers",
            type=Path,
            default=Path("var/answers.jsonl"),
            help="the file for the answers, one JSON object a line (default: %(default)s)",
        )
        parser.epilog = "Example: manage.py load --rate 1000 --auctions 10 --seconds 30"

    def handle(self, *_args: object, **options: Any) -> None:
        try:
            http.loopback_address(options["url"])
        except http.NotLoopback as error:
            raise CommandError(str(error)) from error
        bidders = crowd.make_bidders(options["bidders"], now=time.time())
        targets = open_auctions(options["url"], options["auctions"], seconds=options["seconds"] + 3600)
        options["answers"].parent.mkdir(parents=True, exist_ok=True)
        with options["answers"].open("wb") as answers, contextlib.ExitStack() as screen:
            progress = screen.enter_context(
                Progress(TextColumn("bids"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            )
            task = progress.add_task("bids", total=options["rate"] * options["seconds"])
            run = crowd.Crowd(
                options["url"], targets, bidders, connections=options["connections"], answers=answers
            ).run(
                seconds=options["seconds"],
                rate=options["rate"],
                most=options["rate"] * options["seconds"],
                progress=lambda count: progress.advance(task, count),
            )
            begun = time.monotonic()
            tally = asyncio.run(run)
            seconds = time.monotonic() - begun
        self._report(tally, seconds, options["answers"])

    def _report(self, tally: crowd.Tally, seconds: float, answers: Path) -> None:
        waits = sorted(tally.latencies) or [0.0]
        self.stdout.write(
            f"{len(tally.latencies)} bids in {seconds:.1f} s, {tally.accepted / seconds:.0f} accepted/s"
        )
        for name, count in sorted(tally.outcomes.items()):
            self.stdout.write(f"  {name:<24}{count:>9}")
        for share in (0.5, 0.99, 1.0):
            self.stdout.write(
                f"  p{share * 100:<3.0f} {waits[min(len(waits) - 1, int(len(waits) * share))] * 1000:>8.1f} ms"
            )
        self.stdout.write(f"answers in {answers}: manage.py verify --answers {answers}")


def open_auctions(url: str, count: int, *, seconds: int) -> list[crowd.Target]:
    """Auctions of a new product, opened as an operator opens them. Raises CommandError when they do not open."""
    now = time.time()
    product_id = ids.new_id()
    moment = datetime.now(UTC)
    inventory.create_product(
        product_id=product_id,
        sku=f"LOAD-{product_id[:8]}",
        title="Load test piece",
        description="",
        condition="NEW",
        owner_id="house",
        actor="load",
        now=moment,
    )
    warehouse = stock.Warehouse.objects.order_by("priority").values_list("code", flat=True)[0]
    inventory.receive_stock(
        key=product_id, product_id=product_id, warehouse=warehouse, quantity=count, actor="load", now=moment
    )
    token = tokens.sign(sub=ids.new_id(), roles=["operator"], created_at=int(now), now=now, seconds=300)
    body = {
        "product_id": product_id,
        "format": "english",
        "currency": "EUR",
        "start_price": "10.00",
        "card_required": False,
        "starts_at": int(now * 1000),
        "ends_at": int((now + seconds) * 1000),
        "soft_close": {"window_ms": 0},
    }
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=10) as client:
        auctions = [
            str(client.post("/api/v1/auctions", json=body).raise_for_status().json()["id"])
            for _ in range(count)
        ]
        deadline = time.monotonic() + OPEN_SECONDS
        waiting = list(auctions)
        while waiting and time.monotonic() < deadline:
            waiting = [
                i for i in waiting if client.get(f"/api/v1/auctions/{i}").json().get("status") != "OPEN"
            ]
            time.sleep(0.1)
    if waiting:
        raise CommandError(f"{len(waiting)} of {count} auctions did not open: are relay and consume running?")
    return [crowd.Target(auction_id, "EUR", _START) for auction_id in auctions]


def _bounded(most: int) -> Any:
    def parse(text: str) -> int:
        number = int(text)
        if not 1 <= number <= most:
            raise argparse.ArgumentTypeError(f"must be between 1 and {most}")
        return number

    return parse
