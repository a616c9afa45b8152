"""The catalogue at /problems/: every code that an error can have. It is made of the classes of the errors, whose
docstrings and remedies are its text.
"""

import importlib
import inspect

import msgspec
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from auction_project.kernel import errors
from auction_project.kernel.http import problems

# The modules that answer clients. Importing them imports all errors that they can answer.
_ANSWERING = (
    "auction_project.accounts.headless",
    "auction_project.accounts.urls",
    "auction_project.web.asgi_middleware",
    "auction_project.web.http_protocol",
    "auction_project.processes.needs",
    "bidding.rest.bid_endpoint",
    "bidding.urls",
    "inventory.urls",
    "notifications.push.sse",
    "notifications.urls",
    "orders.urls",
    "sagas.urls",
)


class Meaning(msgspec.Struct, frozen=True, order=True):
    """One meaning of a code, its HTTP status, and what to do next."""

    status: int
    text: SafeString
    remedy: SafeString


class Problem(msgspec.Struct, frozen=True):
    """One code with its meanings, because two apps may use one code."""

    code: str
    title: str
    meanings: tuple[Meaning, ...]


def catalogue() -> dict[str, Problem]:
    """Every problem by its code, in the order of the codes."""
    for module in _ANSWERING:
        importlib.import_module(module)
    meanings: dict[str, set[Meaning]] = {}
    for kind in errors.subclasses(errors.DomainError):
        if problems.is_public(kind):
            meaning = Meaning(
                problems.status_of(kind), _marked_up(inspect.getdoc(kind) or ""), _marked_up(kind.remedy)
            )
            meanings.setdefault(kind.code, set()).add(meaning)
    return {
        code: Problem(code, problems.title_of(code), tuple(sorted(of_code)))
        for code, of_code in sorted(meanings.items())
    }


def _marked_up(text: str) -> SafeString:
    """`text` as HTML, with the parts between backticks as code."""
    return format_html_join(
        "",
        "{}",
        (
            (format_html("<code>{}</code>", part) if i % 2 else part,)
            for i, part in enumerate(text.split("`"))
        ),
    )
