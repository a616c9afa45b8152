"""Signing up, verifying an address, signing out and in, setting a new password, and the card."""

import re
import uuid
from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path

from playwright import sync_api

from tests import house as houses
from tests.browser import visitor

Open = Callable[..., visitor.Window]
PASSWORD = "a-long-enough-word"
_LINK = re.compile(r"https?://\S+")


def test_a_visitor_signs_up_verifies_and_may_bid(
    house: houses.House, open_window: Open, product: str
) -> None:
    email = f"{uuid.uuid4().hex[:12]}@example.org"
    auction_id = house.new_auction(product)
    window = open_window()
    page = window.page

    page.goto(f"/auctions/{auction_id}")
    page.get_by_role("link", name="Create an account").click()
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill("short")
    page.get_by_label("Password (again)").fill("short")
    page.get_by_role("button", name="Create account").click()
    window.expect_text(".field-error", "too short")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password (again)").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    window.expect_text("h1", "Check your e-mail")
    page.goto(link_in_mail(house, email))
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url(f"**/auctions/{auction_id}")
    page.get_by_role("link", name="My account").wait_for()
    page.goto("/account")
    page.get_by_role("button", name="Use 4242 4242 4242 4242").click()
    page.get_by_role("button", name="Save card").click()
    window.expect_text("#card-now", "ending in 4242")
    page.goto(f"/auctions/{auction_id}")
    window.bid("11")

    window.expect_text("#standing", "You're the highest bidder")
    assert window.faults == []


def test_a_forgotten_password_is_set_anew_by_mail(house: houses.House, open_window: Open) -> None:
    person = house.new_account("bidder")
    window = open_window()
    page = window.page

    page.goto("/accounts/password/reset/")
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_role("button", name="Send the link").click()
    window.expect_text("h1", "Check your e-mail")
    page.goto(link_in_mail(house, person.email))
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password (again)").fill(PASSWORD)
    page.get_by_role("button", name="Save new password").click()
    window.expect_text("h1", "Password changed")
    person.password = PASSWORD
    window.sign_in(person)

    page.get_by_role("link", name="My account").wait_for()
    assert window.faults == []


def test_a_card_is_put_on_file_refused_and_removed(house: houses.House, open_window: Open) -> None:
    window = open_window(house.new_account("bidder", card=None))
    page = window.page
    page.goto("/account")
    window.expect_text("#card-now", "Add a card")
    assert window.errors == []

    page.get_by_label("Card number").fill("1234")
    page.get_by_role("button", name="Save card").click()
    sync_api.expect(page.locator("#number-error")).not_to_be_empty()
    page.get_by_role("button", name="Use 4000 0000 0000 0002").click()
    page.get_by_role("button", name="Save card").click()
    window.expect_text("#card-now", "ending in 0002. Declined.")
    page.get_by_role("button", name="Remove card").click()

    window.expect_text("#card-now", "Add a card")
    assert window.faults == []


def test_signing_out_forgets_the_token(house: houses.House, open_window: Open, bidders: tuple) -> None:
    window = open_window(bidders[0])
    window.page.goto("/account")
    window.expect_text("#card-now", "ending in")

    window.page.get_by_role("button", name="Sign out").click()
    window.page.get_by_role("link", name="Sign in").wait_for()

    assert window.page.evaluate("sessionStorage.getItem('gavel.token')") is None
    window.page.goto("/account")
    assert "/accounts/login/" in window.page.url


def test_the_list_of_sessions_names_the_browser_and_shows_dates_as_the_reader_does(
    house: houses.House, open_window: Open
) -> None:
    agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
    window = open_window(
        house.new_account("bidder"), user_agent=agent, locale="de-DE", timezone_id="Europe/Berlin"
    )

    window.page.goto("/accounts/sessions/")

    name = window.page.get_by_text("Chrome on Windows")
    name.wait_for()
    assert name.get_attribute("title") == agent
    shown, expected = window.page.evaluate(
        """() => {
          const time = document.querySelector("time[data-date]");
          const style = {day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit"};
          return [time.textContent, new Intl.DateTimeFormat("de-DE", style).format(new Date(time.dateTime))];
        }"""
    )
    assert shown == expected
    assert window.faults == []


def link_in_mail(house: houses.House, email: str) -> str:
    """Wait for a mail to `email`; the link in the newest one, with this stack's address."""
    folder = house.stack.directory / "mail"
    house.wait_until(lambda: links_to(email, folder), f"a mail to {email}")
    return links_to(email, folder)[0]


def links_to(email: str, folder: Path) -> list[str]:
    """The first link of each mail to `email`, the newest mail first."""
    files = sorted(folder.glob("*"), key=lambda file: file.stat().st_mtime, reverse=True)
    mails = [
        message_from_bytes(file.read_bytes().split(b"\n" + b"-" * 79)[0], policy=policy.default)
        for file in files
    ]
    links = [_LINK.search(mail.get_content()) for mail in mails if email in str(mail["To"])]
    return [link[0] for link in links if link]
