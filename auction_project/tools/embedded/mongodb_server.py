"""Runs nx-27017 in the current directory, one SQLite file a database, and never answers a write before it is on disk.

A program of its own: it imports the wheel and the standard library only. nx-27017 maps each client's write concern to
SQLite's `synchronous` of the whole database, so one client with w=1 would make another's j=true untrue; and a fresh
connection starts at NORMAL, which loses commits at a power cut. Here it is always FULL.
"""

import argparse
import logging
import signal
import sys
from typing import Any

from neosqlite.connection import Connection
from nx_27017.handler import NeoSQLiteHandler, _msg_db_name
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


def insert_bulks_at_once() -> None:
    """A bulk insert is one transaction, hence one sync to disk, where nx-27017 commits each of its documents by itself.

    An ordered bulk that meets a duplicate still keeps the documents before it: SQLite undoes the statement, not the transaction.
    """
    insert = NeoSQLiteHandler.handle_insert

    def insert_at_once(self: NeoSQLiteHandler, message: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name = _msg_db_name(message)
        with self._lock_for(name):
            connection = self.get_database(name).db
            connection.execute("BEGIN IMMEDIATE")
            try:
                answer: tuple[int, dict[str, Any]] = insert(self, message)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            return answer

    NeoSQLiteHandler.handle_insert = insert_at_once


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
    insert_bulks_at_once()
    run_server_threaded("127.0.0.1", arguments.port, NeoSQLiteHandler(data_dir="."), use_threading=False)


if __name__ == "__main__":
    main()
