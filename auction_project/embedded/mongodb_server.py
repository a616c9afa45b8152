"""Runs nx-27017 in the current directory, one SQLite file a database, and never answers a write before it is on disk.

A program of its own: it imports the wheel and the standard library only. nx-27017 maps each client's write concern to SQLite's
`synchronous` of the whole database, so one client with w=1 would make another's j=true a lie, and a fresh connection starts at NORMAL,
which loses commits at a power cut. Here it is FULL, always.
"""

import argparse
import logging
import signal
import sys
from typing import Any

from neosqlite.connection import Connection
from nx_27017.handler import NeoSQLiteHandler
from nx_27017.server import run_server_threaded


def make_durable() -> None:
    """Every connection of nx-27017 starts with synchronous=FULL and keeps it."""
    configure = Connection._configure_connection

    def configure_durably(self: Connection) -> None:
        configure(self)
        self.db.execute("PRAGMA synchronous = FULL")

    def keep(self: Connection, write_concern: Any) -> None:
        """A client's write concern changes nothing: FULL is the strongest that there is."""

    Connection._configure_connection = configure_durably
    Connection._apply_write_concern = keep


def main() -> None:
    parser = argparse.ArgumentParser(
        description="The MongoDB-compatible server, on files in the current directory."
    )
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    arguments = parser.parse_args()

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: sys.exit(0))
    make_durable()
    run_server_threaded("127.0.0.1", arguments.port, NeoSQLiteHandler(data_dir="."), use_threading=False)


if __name__ == "__main__":
    main()
