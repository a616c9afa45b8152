"""Empty stores for each scenario: databases of its own on the servers that the environment names, dropped at the end.

So the check of the invariants sees what one scenario did and nothing else, a scenario is not slowed by the data of an
earlier one, and the data of a house on the same servers stays. Redis has numbered databases instead of names: these
two are emptied. On Kafka the topics stay behind, in a namespace of the scenario's own.
"""

import contextlib
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib import parse

import psycopg
import pymongo
import redis
from psycopg import sql

from auction_project.kernel import databases

ROOT = Path(__file__).resolve().parents[1]
_REDIS = {"REDIS_URL": 14, "CELERY_BROKER_URL": 15}


class Worlds:
    """Makes worlds from one set of migrated databases, which is dropped at the exit."""

    def __enter__(self) -> "Worlds":
        self._template = f"bench_{uuid.uuid4().hex[:8]}"
        self._make(self._template, template=None)
        migrated = variables(self._template)
        try:
            migrate = [sys.executable, "manage.py", "migrate_all", "--verbosity", "0"]
            subprocess.run(
                migrate, cwd=ROOT, env={**os.environ, **migrated}, check=True, stdout=subprocess.DEVNULL
            )
        except BaseException:
            self._drop(self._template)
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._drop(self._template)

    @contextlib.contextmanager
    def fresh(self) -> Iterator[dict[str, str]]:
        """The variables that name empty, migrated stores."""
        name = f"bench_{uuid.uuid4().hex[:8]}"
        environment = variables(name)
        self._make(name, template=self._template)
        try:
            yield environment
        finally:
            self._drop(name)

    def _make(self, name: str, *, template: str | None) -> None:
        for alias in databases.ALIASES:
            create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_database(alias, name)))
            if template is not None:
                create += sql.SQL(" TEMPLATE {}").format(sql.Identifier(_database(alias, template)))
            _execute(alias, create)
        _empty_redis(variables(name))

    def _drop(self, name: str) -> None:
        for alias in databases.ALIASES:
            drop = sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(_database(alias, name)))
            try:
                _execute(alias, drop + sql.SQL(" WITH (FORCE)"))
            except psycopg.errors.InsufficientPrivilege:
                # An autovacuum is at work there. FORCE may not end it; a plain DROP does.
                _execute(alias, drop)
        client: pymongo.MongoClient[Any]
        with pymongo.MongoClient(os.environ["MONGODB_URL"]) as client:
            client.drop_database(name)
        _empty_redis(variables(name))


def variables(name: str) -> dict[str, str]:
    """The variables that name the stores of the world `name`, on the servers of this environment."""
    return {
        **{
            _variable(alias): _with_path(os.environ[_variable(alias)], _database(alias, name))
            for alias in databases.ALIASES
        },
        **{variable: _with_path(os.environ[variable], str(number)) for variable, number in _REDIS.items()},
        "MONGODB_DATABASE": name,
        "EVENTS_NAMESPACE": name,
    }


def _variable(alias: str) -> str:
    return f"DATABASE_URL_{alias.upper()}"


def _database(alias: str, name: str) -> str:
    """Named after the role's own, because the embedded server lets a role into such databases only."""
    return f"{parse.urlsplit(os.environ[_variable(alias)]).path.strip('/')}_{name}"


def _with_path(url: str, path: str) -> str:
    return parse.urlsplit(url)._replace(path=f"/{path}").geturl()


def _execute(alias: str, statement: sql.SQL | sql.Composed) -> None:
    with psycopg.connect(
        os.environ[_variable(alias)].replace("postgres://", "postgresql://"), autocommit=True
    ) as connection:
        connection.execute(statement)


def _empty_redis(environment: Mapping[str, str]) -> None:
    for variable in _REDIS:
        with redis.Redis.from_url(environment[variable]) as server:
            server.flushdb()
