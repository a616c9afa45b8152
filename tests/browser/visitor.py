"""A browser window: signs in, bids, and records the errors of its pages."""

import re

from playwright import sync_api

from tests import house as houses

PATIENCE_MS = int(1000 * houses.WAIT_SECONDS)  # some conditions wait for the end of a lot and its sale
sync_api.expect.set_options(timeout=PATIENCE_MS)
_REFUSAL = re.compile(r"Failed to load resource: the server responded with a status of (4\d\d|503)")


class Window:
    """One context with one page. `errors`: the warnings and errors of the console and the scripts."""

    def __init__(self, context: sync_api.BrowserContext) -> None:
        self.context = context
        context.set_default_timeout(PATIENCE_MS)
        self.page = context.new_page()
        self.errors: list[str] = []
        self.page.on("console", self._record)
        self.page.on("pageerror", lambda error: self.errors.append(f"script: {error}"))

    def _record(self, message: sync_api.ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    @property
    def faults(self) -> list[str]:
        """The errors except those that the browser logs for a refused or unavailable answer."""
        return [error for error in self.errors if not _REFUSAL.search(error)]

    def tab_to(self, target: sync_api.Locator) -> None:
        """Press Tab until the target has the focus."""
        target.wait_for()
        for _ in range(60):
            if target.evaluate("element => element === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab never reached {target}")

    def sign_in(self, person: houses.Person) -> None:
        self.page.goto("/accounts/login/")
        self.page.get_by_label("E-mail").fill(person.email)
        self.page.get_by_label("Password").fill(person.password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/")

    def see_auction(self, auction_id: str) -> None:
        self.page.goto(f"/auctions/{auction_id}")
        self.page.locator("#lot[data-auction]:not([aria-busy])").wait_for()

    def bid(self, amount: str) -> None:
        self.page.get_by_label("Your maximum bid").fill(amount)
        self.page.get_by_role("button", name="Place bid").click()

    def expect_text(self, selector: str, text: str | re.Pattern[str]) -> None:
        sync_api.expect(self.page.locator(selector)).to_contain_text(text)


def is_bid(sent: sync_api.Request) -> bool:
    """Whether the request places a bid."""
    return sent.method == "POST" and sent.url.endswith("/bids")
