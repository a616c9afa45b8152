"""`manage.py bank`: the simulated payment provider."""

import argparse
import sys
import urllib.parse
from pathlib import Path

from django.conf import settings

from auction_project.processes import registry, roles, running
from orders.bank import server

LATE_SECONDS = 20.0
HANG_SECONDS = 30.0


class Command(running.RoleCommand):
    help = "Serve the simulated payment provider, for the demo and tests. It keeps its data in a file of its own."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        address = urllib.parse.urlsplit(settings.BANK_URL)
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument(
            "--port",
            type=int,
            default=address.port or 80,
            help="port to listen on (default: BANK_URL's, %(default)s)",
        )
        parser.add_argument(
            "--data",
            type=Path,
            default=settings.VAR_DIR / "bank.sqlite3",
            help="the SQLite file of its data (default: %(default)s)",
        )
        parser.add_argument(
            "--late-seconds",
            type=float,
            default=LATE_SECONDS,
            help="seconds until a late capture takes effect, unless a request reads it before (default: %(default)s)",
        )
        parser.add_argument(
            "--hang-seconds",
            type=float,
            default=HANG_SECONDS,
            help="how many seconds a request waits whose card times out (default: %(default)s)",
        )

    def handle(self, *_args: object, **options: object) -> None:
        names = ("host", "port", "data", "late_seconds", "hang_seconds")
        choices = {name: options[name] for name in names}

        def loop() -> server.Loop:
            return server.Loop(api_key=settings.BANK_API_KEY, **choices)  # type: ignore[arg-type]

        about = registry.About(address=f"{options['host']}:{options['port']}")
        sys.exit(
            running.run("bank", roles.BY_NAME["bank"].needs, [loop], running.stop_on_signals(), about=about)
        )
