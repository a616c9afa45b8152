"""What /problems/ shows: every code that an error can have. There is no list: the words are those of the errors' own
classes, their docstrings and remedies.
"""

import importlib
import inspect

import msgspec
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from auction_project.kernel import errors
from auction_project.kernel.http import problems

# The modules through which answers leave: with them, all errors that they can tell of are imported.
_SPEAKERS = (
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
    """What a code means where it comes with `status`, and what to do next."""

    status: int
    text: SafeString
    remedy: SafeString


class Problem(msgspec.Struct, frozen=True):
    """One code; two apps may each have a meaning for it."""

    code: str
    title: str
    meanings: tuple[Meaning, ...]


def catalogue() -> dict[str, Problem]:
    """Every problem by its code, in the order of the codes."""
    for module in _SPEAKERS:
        importlib.import_module(module)
    meanings: dict[str, set[Meaning]] = {}
    for kind in errors.subclasses(errors.DomainError):
        if problems.is_public(kind):
            meaning = Meaning(
                problems.status_of(kind), _marked_up(inspect.getdoc(kind) or ""), _marked_up(kind.remedy)
            )
            meanings.setdefault(kind.code, set()).add(meaning)
    return {
        code: Problem(code, problems.title_of(code), tuple(sorted(found)))
        for code, found in sorted(meanings.items())
    }


def _marked_up(text: str) -> SafeString:
    """`text` as HTML: what stands between backticks is code."""
    return format_html_join(
        "",
        "{}",
        (
            (format_html("<code>{}</code>", part) if i % 2 else part,)
            for i, part in enumerate(text.split("`"))
        ),
    )
