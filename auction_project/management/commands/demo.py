"""`manage.py demo`: a whole auction house on this machine, with simulated bidders, until Ctrl-C.

Run it through `make demo`, which starts the embedded servers around it.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from rich.live import Live

from auction_project import stack
from auction_project.demo import bidders, figures, market, screen, seed
from auction_project.messaging import failure

WANTED_SALES = 20
WANTED_CAUSES = frozenset({"stock_refused", "risk_refused", "payment_refused"})
ONCE_SECONDS = 300.0
REFRESH_SECONDS = 1.0
SEED = 20
_FILE = settings.BASE_DIR / "var" / "demo.json"


class Command(BaseCommand):
    help = "Run the demo: all roles, a seeded catalogue, simulated bidders, live figures. Ctrl-C ends everything."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--once",
            action="store_true",
            help=f"run until {WANTED_SALES} sales have ended, undone ones of every cause among them, verify, and exit",
        )
        parser.add_argument("--stop", action="store_true", help="end a demo that runs in another terminal")
        parser.add_argument(
            "--port", type=int, default=8000, help="where the pages are, if free (default: %(default)s)"
        )
        parser.add_argument(
            "--no-crowd", action="store_true", help="open the house without simulated bidders"
        )

    def handle(self, *_args: object, **options: object) -> None:
        if options["stop"]:
            _stop_other()
            return
        started = time.monotonic()
        signal.signal(signal.SIGTERM, _interrupt)
        run = _Run(port=int(str(options["port"])), crowd=not options["no_crowd"], once=bool(options["once"]))
        try:
            run.prepare(self.stdout.write)
            code = asyncio.run(run.go(started))
        except KeyboardInterrupt:
            code = 0
        finally:
            self.stdout.write("stopping ...")
            run.close()
        sys.exit(code)


class _Run:
    """One demo from beginning to end."""

    def __init__(self, *, port: int, crowd: bool, once: bool) -> None:
        self._crowd = crowd
        self._once = once
        self._stack = stack.Stack(settings.VAR_DIR / "demo", environment={}, web_port=port)
        settings.BANK_URL = self._stack.environment["BANK_URL"]
        settings.MEDIA_ROOT = self._stack.environment["MEDIA_ROOT"]

    def prepare(self, say: Callable[[str], object]) -> None:
        """Migrate, seed, start the roles, write var/demo.json."""
        say("migrating the databases ...")
        call_command("migrate_all", verbosity=1)
        say("starting the roles ...")
        self._stack.start_unready()
        say("making accounts, drawing pictures, filling the shelves ...")
        self._house = seed.sow(datetime.now(UTC))
        self._stack.wait_ready()
        _write(self._stack, self._house)

    async def go(self, started: float) -> int:
        """The market and the crowd; the exit code. Ends at once when there is enough, if it was asked to."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        house_market = market.Market(self._stack.url, self._house, SEED)
        crowd = bidders.Crowd(self._stack.url, self._house, SEED)
        work = [house_market.run(), self._show(crowd, stop, started)]
        if self._crowd:
            work.append(crowd.run())
        await bidders.run_until(stop, *work)
        await crowd.close()
        await house_market.close()
        return await asyncio.to_thread(self._verdict) if self._once else 0

    async def _show(self, crowd: bidders.Crowd, stop: asyncio.Event, started: float) -> None:
        screen.console.print(screen.welcome(self._stack.url, self._house))
        begun = time.monotonic()
        first_sale: float | None = None
        with Live(console=screen.console, auto_refresh=False) as live:
            while not stop.is_set():
                now_figures = await asyncio.to_thread(_figures)
                seconds = time.monotonic() - begun
                restarts = {p.name: p.restarts for p in self._stack.processes.values() if p.restarts}
                live.update(screen.live(now_figures, crowd.answers, restarts, seconds), refresh=True)
                if now_figures is not None and first_sale is None and now_figures.sagas.get("COMPLETED"):
                    first_sale = time.monotonic() - started
                if self._once and now_figures is not None and _is_enough(now_figures):
                    screen.console.print(
                        f"first confirmed sale {first_sale or 0:.1f} s after the start of the demo"
                    )
                    stop.set()
                if self._once and seconds > ONCE_SECONDS:
                    screen.console.print(f"[red]not enough sales within {ONCE_SECONDS:g} s[/]")
                    stop.set()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), REFRESH_SECONDS)

    def _verdict(self) -> int:
        """Verify what happened; 0 when everything holds and there was enough of it."""
        try:
            call_command("verify", settled=True)
        except SystemExit as end:
            if end.code:
                return int(end.code)
        found = figures.read()
        screen.console.print(screen.live(found, bidders.Counter(), {}, 0))
        return 0 if _is_enough(found) else 1

    def close(self) -> None:
        self._stack.stop()
        _FILE.unlink(missing_ok=True)


def _figures() -> figures.Figures | None:
    """None while a store is away: the demo goes on through an outage."""
    try:
        return figures.read()
    except Exception as error:
        if failure.classify(error) is not failure.Fate.OUTAGE:
            raise
        return None


def _is_enough(found: figures.Figures) -> bool:
    return (
        found.sales_ended >= WANTED_SALES
        and found.undone.keys() >= WANTED_CAUSES
        and "COMPLETED" in found.sagas
    )


def _write(running: stack.Stack, house: seed.House) -> None:
    """var/demo.json, for scripts: addresses, accounts, service URLs, process ids by role."""
    names = [name for name in os.environ if name.startswith("DATABASE_URL_")]
    names += [
        "MONGODB_URL",
        "REDIS_URL",
        "CELERY_BROKER_URL",
        "KAFKA_BOOTSTRAP_SERVERS",
        "BANK_URL",
        "GAVEL_SERVICE_CONTROL",
    ]
    found = running.environment
    _FILE.parent.mkdir(parents=True, exist_ok=True)
    draft = _FILE.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text(
        json.dumps(
            {
                "url": running.url,
                "pid": os.getpid(),
                "processes": running.pids(),
                "health": {
                    name: f"http://127.0.0.1:{p.health_port}" for name, p in running.processes.items()
                },
                "accounts": [
                    {
                        "email": a.email,
                        "password": a.password,
                        "role": a.role,
                        "user_id": a.user_id,
                        "note": a.note,
                    }
                    for a in house.accounts
                ],
                "services": {name: found[name] for name in sorted(names) if found.get(name)},
                "logs": str(running.directory),
            },
            indent=2,
        )
    )
    draft.rename(_FILE)


def _stop_other() -> None:
    if not Path(_FILE).exists():
        raise CommandError("no demo is running here (var/demo.json is not there)")
    pid = int(json.loads(_FILE.read_text())["pid"])
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 30
    while _FILE.exists() and time.monotonic() < deadline:
        time.sleep(0.2)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
