"""What the page templates call: an instant that the page's script shows in the reader's locale, the name of a browser, and the
label of a field."""

import datetime
import re

from django import template
from django.utils import html

register = template.Library()

# (pattern, name): the first that matches counts, because most browsers name others, too.
_BROWSERS = (
    (r"Edg(e|A|iOS)?/", "Edge"),
    (r"OPR/|Opera", "Opera"),
    (r"SamsungBrowser/", "Samsung Internet"),
    (r"Firefox/|FxiOS/", "Firefox"),
    (r"Chrome/|Chromium/|CriOS/", "Chrome"),
    (r"Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X|Macintosh", "macOS"),
    ("Linux", "Linux"),
)
# allauth's labels, in the words of the pages.
_LABELS = {
    "Email": "E-mail",
    "Current Password": "Current password",
    "New Password": "New password",
    "New Password (again)": "New password (again)",
}
_PROGRAM = re.compile(r"[A-Za-z][\w.-]{0,39}")


@register.simple_tag
def instant(at: datetime.datetime, style: str) -> str:
    """The `<time>` of an aware instant; `style` is "short" or "long", as in dates.js. Without a script it is UTC."""
    utc = at.astimezone(datetime.UTC)
    return html.format_html(
        '<time datetime="{}" data-date="{}">{} UTC</time>',
        utc.isoformat(timespec="milliseconds"),
        style,
        f"{utc.day} {utc:%B %Y, %H:%M}",
    )


@register.filter
def browser(user_agent: str) -> str:
    """ "Chrome on Windows", of a User-Agent header. A program that is no browser goes by its own first word."""
    name = _first(_BROWSERS, user_agent)
    if not name:
        program = _PROGRAM.match(user_agent)
        return program[0] if program and program[0] != "Mozilla" else "Unknown browser"
    system = _first(_SYSTEMS, user_agent)
    return f"{name} on {system}" if system else name


@register.filter
def label(text: object) -> str:
    """The label of a form's field, in sentence case and in the words of the pages."""
    return _LABELS.get(str(text), str(text))


def _first(names: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for pattern, name in names if re.search(pattern, text)), "")
