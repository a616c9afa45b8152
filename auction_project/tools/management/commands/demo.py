"""`manage.py demo`: a whole auction house on this machine, with simulated bidders, until Ctrl-C.

`make demo` runs it with the embedded servers around it. The demo waits out an outage of any role or store: only Ctrl-C,
SIGTERM and the end of `--once` end it.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections, connections
from rich.console import Group
from rich.live import Live

from auction_project.kernel import errors
from auction_project.processes import registry, stack
from auction_project.tools.demo import (
    bidders,
    figures,
    instance,
    market,
    parcels,
    payers,
    screen,
    seed,
    shop,
)
from auction_project.tools.demo.client import Client

WANTED_SALES = 20
WANTED_CAUSES = frozenset({"stock_refused", "risk_refused", "payment_refused"})
ONCE_SECONDS = 300.0
ONCE_PACE = 6.0  # how much more often the crowd of --once buys
REFRESH_SECONDS = 1.0
FIGURES_SECONDS = 5.0
SERVICES_SECONDS = 2.0
SEED = 20
_VAR = settings.VAR_DIR
ANSWERS = _VAR / "demo" / "answers.jsonl"  # what the crowd of this run got, for `verify`
_SERVICES = (
    *("MONGODB_URL", "MONGODB_DATABASE", "REDIS_URL", "CELERY_BROKER_URL", "KAFKA_BOOTSTRAP_SERVERS"),
    *("EVENTS_NAMESPACE", "BANK_URL", "GAVEL_SERVICE_CONTROL"),
)


class Command(BaseCommand):
    help = (
        "Run the demo: all roles, a seeded catalogue, simulated bidders, live figures. Ctrl-C ends everything. It needs the "
        "servers that the environment names: `make demo` starts embedded ones around it."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--once",
            action="store_true",
            help=f"run until {WANTED_SALES} sales have ended, with undone ones of every cause among them; verify; exit with 0 if all "
            f"holds, and with 1 after {ONCE_SECONDS:g} s without that many",
        )
        parser.add_argument("--stop", action="store_true", help="end the demo that runs in another terminal")
        parser.add_argument(
            "--verify",
            nargs=argparse.REMAINDER,
            metavar="OPTION",
            help="run `manage.py verify OPTION ...` on the stores of the demo that runs in another terminal",
        )
        parser.add_argument(
            "--doctor",
            nargs=argparse.REMAINDER,
            metavar="OPTION",
            help="run `manage.py doctor OPTION ...` on the stores of the demo that runs in another terminal",
        )
        parser.add_argument(
            "--scale",
            nargs="*",
            metavar="POOL=COPIES",
            help="change how many web processes the demo in another terminal has behind its gateway: bids, push, site",
        )
        parser.add_argument(
            "--rolling",
            action="store_true",
            help="restart all processes of the demo in another terminal, one after the other, while it goes on",
        )
        parser.add_argument(
            "--port",
            type=int,
            default=8000,
            help="the port of the pages; if it is taken, the next free one (default: %(default)s)",
        )
        parser.add_argument(
            "--no-crowd", action="store_true", help="list lots, but let no simulated bidders bid"
        )
        parser.epilog = "Example: make demo ARGS='--once --port 9000'"

    def handle(self, *_args: object, **options: Any) -> None:
        here = instance.Instance(lock=_VAR / "demo" / "lock", file=_VAR / "demo.json")
        try:
            if options["stop"]:
                here.stop()
                return
            if options["scale"] == []:
                raise CommandError(_pools(here.read()["processes"]))
            if options["scale"] or options["rolling"]:
                for line in here.ask(
                    {"scale": _copies(options["scale"] or []), "rolling": options["rolling"]}
                ):
                    self.stdout.write(line)
                return
            for command in ("verify", "doctor"):
                if options[command] is not None:
                    arguments = ["--answers", str(ANSWERS)] if command == "verify" else []
                    _replace_by(command, [*arguments, *options[command]], here.read()["services"])
            here.hold()
        except (instance.NotRunning, instance.AlreadyRunning, TimeoutError, ValueError) as refusal:
            raise CommandError(str(refusal)) from refusal
        started = time.monotonic()
        signal.signal(signal.SIGTERM, _interrupt)
        run = None
        try:
            run = _Run(here, port=options["port"], crowd=not options["no_crowd"], once=options["once"])
            run.prepare(self.stdout.write)
            code = asyncio.run(run.go(started))
        except KeyboardInterrupt:
            code = 0
        except stack.NotReady as error:
            raise CommandError(str(error)) from error
        finally:
            self.stdout.write("stopping ...")
            if run is not None:
                run.close()
            here.leave()
        sys.exit(code)


class _Run:
    """One demo from beginning to end."""

    def __init__(self, here: instance.Instance, *, port: int, crowd: bool, once: bool) -> None:
        self._here = here
        self._port = port
        self._crowd = crowd
        self._once = once
        environment = {
            "GAVEL_DEMO": "true",
            "EMAIL_BACKEND": os.environ.get("EMAIL_BACKEND")
            or "auction_project.tools.demo.mailbox.EmailBackend",
        }
        self._stack = stack.Stack(
            _VAR / "demo",
            environment=environment,
            web_port=port,
            pools=stack.SMALL_HOUSE,
            copies=stack.COPIES_OF_SMALL_HOUSE,
        )
        settings.BANK_URL = self._stack.environment["BANK_URL"]
        settings.MEDIA_ROOT = self._stack.environment["MEDIA_ROOT"]
        self._answers: Counter[str] = Counter()
        self._record = ANSWERS.open("wb", buffering=0)
        self._latest: figures.Figures | None = None
        self._found_at = time.monotonic()
        self._processes: list[registry.Process] | None = []

    def prepare(self, say: Callable[[str], object]) -> None:
        """Migrate, seed, start the roles, write var/demo.json. Raises stack.NotReady."""
        say("migrating the databases ...")
        call_command("migrate_all", verbosity=1)
        self._stack["bank"].argv += ["--data", str(bank_file(self._stack.directory))]
        say("starting the roles ...")
        self._stack.start_unready()
        say("making accounts, drawing pictures, receiving stock ...")
        self._house = seed.sow(datetime.now(UTC))
        self._stack.wait_ready()
        self._reader = figures.Reader(f"http://127.0.0.1:{self._stack['relay'].health_port}")
        self._here.write(_description(self._stack, self._house))

    async def go(self, started: float) -> int:
        """Run the market and the crowd; the exit code. With --once it ends as soon as there are enough sales."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        pace = ONCE_PACE if self._once else 1.0
        url, house, answers = self._stack.url, self._house, self._answers
        looker = Client(url, house.of("collector")[0])
        window = shop.Window(looker, answers)
        house_market = market.Market(url, house, window, answers, seed=SEED, pace=pace)
        shipping = parcels.Parcels(url, house, answers, seed=SEED, pace=pace)
        crowd = bidders.Crowd(url, house, window, answers, record=self._record, seed=SEED, pace=pace)
        buyers = payers.Payers(url, house, window, answers, seed=SEED, pace=pace)
        work = [
            window.run(),
            house_market.run(),
            shipping.run(),
            self._count(),
            self._look(),
            self._show(window, stop, started),
            self._obey(),
        ]
        if self._crowd:
            work += [crowd.run(), buyers.run()]
        await bidders.run_until(stop, *work)
        for closing in (crowd, buyers, house_market, shipping, looker):
            await closing.close()
        return await asyncio.to_thread(self._verdict) if self._once else 0

    async def _obey(self) -> None:
        """Do what `--scale` and `--rolling` ask for in another terminal."""
        while True:
            await asyncio.to_thread(self._here.answer, self._change)
            await asyncio.sleep(REFRESH_SECONDS / 2)

    def _change(self, wanted: dict[str, Any]) -> Iterator[str]:
        """Runs in a thread. Raises stack.NotReady."""
        for name, copies in wanted["scale"].items():
            if name not in stack.SMALL_HOUSE:
                raise stack.NotReady(f"there is no {name}: {', '.join(stack.SMALL_HOUSE)}")
            self._stack.scale(name, copies)
            yield f"{name}: {len(self._stack.copies(name))} processes serve"
        if wanted["rolling"]:
            for name in self._stack.roll():
                yield f"{name} serves again"
        self._here.write(_description(self._stack, self._house))

    async def _count(self) -> None:
        """Read the figures now and then; while a store is unavailable the last ones stay."""
        while True:
            with contextlib.suppress(
                Exception
            ):  # no answer of a store may end a demo; the screen shows old figures
                self._latest = await asyncio.to_thread(self._read)
                self._found_at = time.monotonic()
            await asyncio.sleep(REFRESH_SECONDS if self._once else FIGURES_SECONDS)

    async def _look(self) -> None:
        """Read which processes run, now and then."""
        while True:
            try:
                self._processes = await asyncio.to_thread(registry.processes, settings.REDIS_URL)
            except errors.Unavailable:
                self._processes = None
            await asyncio.sleep(SERVICES_SECONDS)

    def _read(self) -> figures.Figures:
        """Runs in a thread. A thread that an outage has left with a dead connection gets a new one."""
        close_old_connections()
        return self._reader.read()

    async def _show(self, window: shop.Window, stop: asyncio.Event, started: float) -> None:
        url, logs = self._stack.url, str(self._stack.directory)
        screen.console.print(screen.welcome(url, wanted_port=self._port, logs=logs))
        begun = time.monotonic()
        first_sale: float | None = None
        with Live(console=screen.console, auto_refresh=False) as live:
            while not stop.is_set():
                now, latest = time.monotonic(), self._latest
                shown = screen.live(
                    latest,
                    self._answers,
                    open_lots=window.open_lots,
                    restarts={p.name: p.restarts for p in self._stack.processes.values() if p.restarts},
                    seconds=now - begun,
                    age_seconds=now - self._found_at,
                )
                live.update(Group(shown, "", screen.services(self._processes)), refresh=True)
                if latest is not None and first_sale is None and latest.sagas.get("COMPLETED"):
                    first_sale = now - started
                if self._once and latest is not None and _is_enough(latest):
                    screen.console.print(
                        f"first confirmed sale {first_sale or 0:.1f} s after the start of the demo"
                    )
                    stop.set()
                if self._once and now - begun > ONCE_SECONDS:
                    screen.console.print(f"[red]not enough sales within {ONCE_SECONDS:g} s[/]")
                    stop.set()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), REFRESH_SECONDS)

    def _verdict(self) -> int:
        """Verify what happened: 0 if all holds and there were enough sales."""
        try:
            call_command("verify", settled=True, answers=ANSWERS)
        except SystemExit as end:
            if end.code:
                return int(end.code)
        faults = sorted(cause for cause in self._answers if cause.startswith("fault"))
        if faults:
            screen.console.print(f"[red]the demo itself failed: {', '.join(faults)}[/]")
        return 0 if _is_enough(self._read()) and not faults else 1

    def close(self) -> None:
        self._stack.stop()
        self._record.close()


def bank_file(directory: Path) -> Path:
    """The file of the bank: one for each database of orders, because the payments of another are unknown to this one."""
    with connections["orders"].cursor() as cursor:
        cursor.execute("SELECT system_identifier, current_database() FROM pg_control_system()")
        cluster, database = cursor.fetchone()
    return directory / f"bank-{cluster}-{database}.sqlite3"


def _pools(processes: Collection[str]) -> str:
    """What `--scale` can change, and how many processes each pool has now."""
    counts = (
        f"  {pool:<5} {sum(name.partition('-')[0] == pool for name in processes)}"
        for pool in stack.SMALL_HOUSE
    )
    return "\n".join(("say which pool, for example: make scale bids=4", "processes now:", *counts))


def _copies(wanted: Sequence[str]) -> dict[str, int]:
    """`bids=4` as a name and a number. Raises ValueError."""
    pairs = [part.partition("=") for part in wanted]
    if not all(copies.isdecimal() for _, _, copies in pairs):
        raise ValueError("say POOL=COPIES, for example: bids=4")
    return {name: int(copies) for name, _, copies in pairs}


def _is_enough(latest: figures.Figures) -> bool:
    return (
        latest.sales_ended >= WANTED_SALES
        and latest.undone.keys() >= WANTED_CAUSES
        and "COMPLETED" in latest.sagas
    )


def _description(running: stack.Stack, house: seed.House) -> dict[str, Any]:
    """var/demo.json, for scripts: addresses, accounts, service URLs, process ids by role."""
    names = [name for name in os.environ if name.startswith("DATABASE_URL_")] + list(_SERVICES)
    return {
        "url": running.url,
        "mailbox": f"{running.url}/demo/mail/",
        "pid": os.getpid(),
        "processes": running.pids(),
        "health": {name: f"http://127.0.0.1:{p.health_port}" for name, p in running.processes.items()},
        "accounts": [
            {
                "email": account.person.email,
                "password": account.person.password,
                "role": account.person.role,
                "user_id": account.user_id,
                "note": account.person.note,
            }
            for account in house.accounts
        ],
        "services": {name: value for name in sorted(names) if (value := running.environment.get(name))},
        "logs": str(running.directory),
    }


def _replace_by(command: str, options: list[str], services: dict[str, str]) -> None:
    """Replace this process by `manage.py COMMAND` on these stores."""
    manage = Path(settings.BASE_DIR) / "manage.py"
    os.execve(  # noqa: S606 - no shell: this interpreter, our own file
        sys.executable, [sys.executable, str(manage), command, *options], {**os.environ, **services}
    )


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
