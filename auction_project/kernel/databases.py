"""Which app's tables are in which PostgreSQL database: one line an app; everything else is in `default`.

Bidding has no line because it does not use PostgreSQL.
"""

from typing import Any

DATABASE_OF_APP = {
    "inventory": "inventory",
    "orders": "orders",
    "notifications": "notifications",
    "sagas": "sagas",
}
ENGINE = "auction_project.kernel.postgresql"
ALIASES = ("default", *DATABASE_OF_APP.values())


def database_of(app_label: str) -> str:
    """The alias of the database that has the tables of the app."""
    return DATABASE_OF_APP.get(app_label, "default")


def send_arrays_in_binary() -> None:
    """For all connections from now on. As text, an array's elements are quoted one by one, at up to twelve times the cost."""
    import psycopg  # here, because the settings read this module, and the gateway reads the settings
    from psycopg.types.array import ListBinaryDumper

    psycopg.adapters.register_dumper(list, ListBinaryDumper)


class Router:
    """Django's router by DATABASE_OF_APP: no relation and no migration crosses databases."""

    def db_for_read(self, model: Any, **_hints: Any) -> str:
        return database_of(model._meta.app_label)

    def db_for_write(self, model: Any, **_hints: Any) -> str:
        return database_of(model._meta.app_label)

    def allow_relation(self, first: Any, second: Any, **_hints: Any) -> bool:
        return database_of(first._meta.app_label) == database_of(second._meta.app_label)

    def allow_migrate(self, db: str, app_label: str, **_hints: Any) -> bool:
        return database_of(app_label) == db
