"""Django's cache, in Redis. While Redis is unavailable everything is a miss, and no request fails for it.

A Redis that does not answer costs its time-out once (see the settings). For PAUSE_SECONDS afterwards this process does
not ask it. Meanwhile the process counts limits on attempts (allauth's) in its own memory: N processes let through up to
N times as many attempts, but guesses at passwords stay bounded.
"""

import time
from typing import Any

import redis
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.backoff import NoBackoff
from redis.retry import Retry

from auction_project.kernel import logs

PAUSE_SECONDS = 1.0
LIMITS_PREFIX = "allauth:rl:"
MAX_LIMITS_IN_MEMORY = 20_000  # entries; Django drops a part of them beyond

log = logs.get(__name__)


class OptionalCache(RedisCache):
    """The methods that this project and allauth use. All others raise as Redis does."""

    _unavailable_until = 0.0  # of the process: Django makes a cache for each thread

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        # Here and not in the settings, because the gateway reads those and needs no driver (ADR 49).
        once = {"retry": Retry(NoBackoff(), 0)}
        super().__init__(server, params | {"OPTIONS": params.get("OPTIONS", {}) | once})
        # By name, one of the process.
        self._limits = LocMemCache("limits-without-redis", {"OPTIONS": {"MAX_ENTRIES": MAX_LIMITS_IN_MEMORY}})

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        return self._ask("get", default, key, default, version)

    def set(self, key: str, *args: Any, **options: Any) -> None:
        self._ask("set", None, key, *args, **options)

    def add(self, key: str, *args: Any, **options: Any) -> bool:
        """Whether the key was new. True while Redis is unavailable, because no other process can have added it."""
        return bool(self._ask("add", True, key, *args, **options))

    def delete(self, key: str, *args: Any, **options: Any) -> bool:
        return bool(self._ask("delete", False, key, *args, **options))

    def _ask(self, name: str, default: Any, key: str, *args: Any, **options: Any) -> Any:
        if time.monotonic() >= OptionalCache._unavailable_until:
            try:
                return getattr(super(), name)(key, *args, **options)
            except redis.RedisError as error:
                OptionalCache._unavailable_until = time.monotonic() + PAUSE_SECONDS
                log.warning("cache_unavailable", error=repr(error))
        if key.startswith(LIMITS_PREFIX):
            return getattr(self._limits, name)(key, *args, **options)
        return default
