"""The name of a browser, and the instant that a page's script shows in the reader's locale."""

import datetime

import pytest
from django.utils import formats

from auction_project.web.pages import template_tags

_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME}", "Chrome on Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Edg/142.0.0.0", "Edge on Windows"),
        (f"Mozilla/5.0 (X11; Linux x86_64) {_CHROME} OPR/125.0.0.0", "Opera on Linux"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {_CHROME}", "Chrome on ChromeOS"),
        (f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {_CHROME}", "Chrome on Android"),
        (
            f"Mozilla/5.0 (Linux; Android 15; SM-S921B) {_CHROME} SamsungBrowser/27.0",
            "Samsung Internet on Android",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
            "Safari on macOS",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0 Safari/604.1",
            "Chrome on iPhone",
        ),
        ("python-httpx/0.28.1", "python-httpx"),
        ("curl/8.5.0", "curl"),
        ("Mozilla/5.0 (compatible)", "Unknown browser"),
        ("<script>", "Unknown browser"),
        ("", "Unknown browser"),
    ],
)
def test_a_user_agent_is_named(user_agent: str, name: str) -> None:
    assert template_tags.browser(user_agent) == name


def test_an_instant_is_utc_until_a_script_shows_it() -> None:
    at = datetime.datetime(2026, 11, 8, 15, 5, 9, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))

    shown = template_tags.instant(at, "long")

    assert (
        shown
        == '<time datetime="2026-11-08T14:05:09.000+00:00" data-date="long">8 November 2026, 14:05 UTC</time>'
    )


def test_the_admin_and_the_mails_write_an_instant_as_a_page_without_a_script_does() -> None:
    at = datetime.datetime(2026, 11, 8, 14, 5, tzinfo=datetime.UTC)

    assert formats.localize(at) == "8 November 2026, 14:05 UTC"
    assert f">{formats.localize(at)}</time>" in template_tags.instant(at, "long")
    assert formats.date_format(at, "SHORT_DATETIME_FORMAT") == formats.localize(at)
    assert formats.localize(at.date()) == formats.date_format(at, "SHORT_DATE_FORMAT") == "8 November 2026"
