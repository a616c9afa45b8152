"""The one tree of errors. The kind decides what becomes of a failure; the code names the situation; no HTTP, no Django.

A subclass states its situation in its docstring, which is also its message for people. `figures` are the numbers
and names that a reader needs to do better next time (all JSON values).
"""

from typing import Any, ClassVar


class DomainError(Exception):
    """Something went against a rule."""

    code: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        if "code" not in cls.__dict__:
            cls.code = "".join(f"_{c.lower()}" if c.isupper() else c for c in cls.__name__).lstrip("_")

    def __init__(self, detail: str | None = None, *, field: str | None = None, **figures: Any) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip().splitlines()[0]
        self.field = field
        self.figures = figures
        super().__init__(self.detail)


class Invalid(DomainError):
    """The request cannot be understood."""


class Unauthenticated(DomainError):
    """Sign in, or send a valid access token."""


class Forbidden(DomainError):
    """You may not do this."""


class NotFound(DomainError):
    """There is no such thing."""


class Conflict(DomainError):
    """The thing is not in a state that allows this."""


class Refused(DomainError):
    """A rule says no. Asking again changes nothing unless the figures change."""


class Unavailable(DomainError):
    """A store or service is away for the moment. Try again shortly."""

    retry_after_seconds: int = 1


class TooOften(DomainError):
    """This was asked for too often. Wait as long as Retry-After says."""

    retry_after_seconds: int = 60

    def __init__(self, detail: str | None = None, *, retry_after_seconds: int = 60, **figures: Any) -> None:
        super().__init__(detail, retry_after_seconds=retry_after_seconds, **figures)
        self.retry_after_seconds = retry_after_seconds
