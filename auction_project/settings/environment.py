"""How settings read the environment: django-environ, with values that mean what they say.

An empty variable counts as unset, so a copy of `.env.example` starts with the defaults. A `$` is a character like any
other. What cannot be read is refused with the name of its variable.
"""

import os
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

_FALSE = ("false", "off", "no", "n", "0")


class Env(environ.Env):
    """The variables of this process, as they are when it is made."""

    def __init__(self) -> None:
        super().__init__()
        self.escape_proxy = True  # undoes the escape; django-environ takes "$NAME" for the variable NAME
        self.ENVIRON = {name: value.replace("$", r"\$") for name, value in os.environ.items() if value}

    def get_value(self, var: str, *args: Any, **options: Any) -> Any:
        try:
            return super().get_value(var, *args, **options)
        except (TypeError, ValueError) as error:
            raise ImproperlyConfigured(
                f"{var} cannot be read: {error}. See its line in .env.example; a comment needs a line of its own."
            ) from error

    @classmethod
    def parse_value(cls, value: str, cast: Any) -> Any:
        if cast is bool and value.lower() not in (*cls.BOOLEAN_TRUE_STRINGS, *_FALSE):
            raise ValueError(f"{value!r} is neither true nor false")
        return super().parse_value(value, cast)


def read(file: Path) -> Env:
    """The environment, and what `file` adds to it, if it exists."""
    environ.Env.read_env(file)
    return Env()
