"""Problems in words. The catalogue at /problems/ has every code that an error can have; it is made of the classes of the
errors, whose docstrings and remedies are its text. A browser that asks for a page gets a page instead of a problem.
"""

import functools
import importlib
import inspect
from typing import Any

import msgspec
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from auction_project.kernel import errors
from auction_project.kernel.http import problems
from auction_project.web.pages import content_policy

# The modules that answer clients. Importing them imports all errors that they can answer.
_ANSWERING = (
    "auction_project.accounts.headless",
    "auction_project.accounts.urls",
    "auction_project.kernel.messaging.admin",
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

MAX_PAGES = 256  # each with its own seconds to wait
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": content_policy.header(content_policy.POLICY),
}  # of `page`, beside those of its problem


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


def page(body: dict[str, Any], retry_after: str | None) -> bytes:
    """The page in place of the problem `body`; `retry_after` is its header. It reads no session and no store, because
    those may be what fails."""
    return _page(body["status"], body["title"], body["detail"], retry_after)


@functools.lru_cache(maxsize=MAX_PAGES)
def _page(status: int, title: str, detail: str, retry_after: str | None) -> bytes:
    """Rendered once, because a flood of requests gets this page."""
    context = {"status": status, "title": title, "detail": detail, "retry_after": retry_after}
    return render_to_string("pages/refused.html", context).encode()


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
