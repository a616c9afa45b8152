"""Django's cache, in Redis, and a cache that may be away: then everything is a miss, and no request fails for it.

A Redis that does not answer costs its time-out once (see the settings); for AWAY_SECONDS afterwards nobody of this process asks it. Limits
that are counted here (allauth's) are not counted meanwhile: people log in.
"""

import time
from collections.abc import Callable
from typing import Any

import redis
from django.core.cache.backends.redis import RedisCache

from auction_project import logs

AWAY_SECONDS = 1.0

log = logs.get(__name__)


class OptionalCache(RedisCache):
    """What is asked of it in this project, and by allauth. The rest raises as Redis does."""

    _away_until = 0.0  # of the process: Django makes a cache for each thread

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        return self._ask(default, super().get, key, default, version)

    def set(self, *args: Any, **options: Any) -> None:
        self._ask(None, super().set, *args, **options)

    def add(self, *args: Any, **options: Any) -> bool:
        """True while Redis is away: what nobody keeps, nobody else has added."""
        return bool(self._ask(True, super().add, *args, **options))

    def delete(self, *args: Any, **options: Any) -> bool:
        return bool(self._ask(False, super().delete, *args, **options))

    def _ask(self, when_away: Any, question: Callable[..., Any], *args: Any, **options: Any) -> Any:
        if time.monotonic() < OptionalCache._away_until:
            return when_away
        try:
            return question(*args, **options)
        except redis.RedisError as error:
            OptionalCache._away_until = time.monotonic() + AWAY_SECONDS
            log.warning("cache_away", error=repr(error))
            return when_away
