"""The one tree of errors, without HTTP and without Django. The kind of an error decides how it is handled; its code
names the situation.

A subclass states its situation in its docstring, which clients read as the message and on the page of the code.
`remedy` says what to do next, where the remedy of the kind does not fit.
"""

from collections.abc import Iterator
from typing import Any, ClassVar


class DomainError(Exception):
    """Something went against a rule."""

    # Clients read `code` (the name of the class in snake case), `detail` (a sentence for people), `field` (the part of
    # the request at fault, None if there is none) and `figures` (JSON values: what the next request needs to do
    # better).
    code: ClassVar[str] = ""
    remedy: ClassVar[str] = ""

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

    remedy = "Correct the request and send it again; where one field is at fault, `field` names it."


class Unauthenticated(DomainError):
    """Sign in, or send a valid access token."""

    remedy = "Sign in, or fetch a fresh access token, and send the request again."


class Forbidden(DomainError):
    """You may not do this."""

    remedy = "Sending it again changes nothing. Use an account that may, or ask an operator."


class NotFound(DomainError):
    """There is no such thing."""

    remedy = "Look at the address and the ids in it. What you may not see is not found, either."


class Conflict(DomainError):
    """The thing is not in a state that allows this."""

    remedy = "Read the thing again, look at its present state, and decide anew."


class KeyReused(Conflict):
    """This Idempotency-Key was used with another request. Use a fresh key for a new one."""

    http_status = 422


class Refused(DomainError):
    """A rule says no. Asking again changes nothing unless the figures change."""

    remedy = "Read the figures beside the code, and send another request when they allow it."


class Unavailable(DomainError):
    """A store or service is unavailable for the moment. Try again shortly."""

    remedy = (
        "Send it again, under the same key, after as many seconds as Retry-After says: nothing happens twice."
    )
    retry_after_seconds: int = 1


class Fault(DomainError):
    """Something failed on our side. It is logged under the X-Correlation-Id of this answer."""

    remedy = "Send it again, under the same key. If that fails, too, report the X-Correlation-Id."


class TooOften(DomainError):
    """Too many requests. Wait as long as Retry-After says."""

    remedy = "Wait for as many seconds as Retry-After says, then send the request again."

    def __init__(self, detail: str | None = None, *, retry_after_seconds: int = 60, **figures: Any) -> None:
        super().__init__(detail, retry_after_seconds=retry_after_seconds, **figures)
        self.retry_after_seconds = retry_after_seconds


def subclasses(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    """All classes below `kind` whose modules are imported."""
    for subclass in kind.__subclasses__():
        yield subclass
        yield from subclasses(subclass)
