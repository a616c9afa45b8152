"""The page "Services" of the admin refreshes itself, can be paused by the keyboard, and says so when it cannot refresh."""

import re
from collections.abc import Callable

from playwright import sync_api

from auction_project.processes import roles
from tests import house as houses
from tests.browser import visitor

Open = Callable[..., visitor.Window]
TABLE = "**/admin/services/table/"


def test_the_page_of_services_is_live_and_can_be_paused(house: houses.House, open_window: Open) -> None:
    window = open_window(house.new_staff("--superuser"))
    page = window.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/table/" in request.url else None)
    page.clock.install()

    page.goto("/admin/services/")
    status, table, button = page.get_by_role("status"), page.get_by_role("table"), page.get_by_role("button")
    sync_api.expect(status).to_have_text(re.compile(r"^\d+ processes, \d+ ready\.$"))
    listed = {text.strip() for text in table.locator("tbody td:nth-of-type(1)").all_inner_texts()}
    assert listed == {role.name for role in roles.ROLES}

    page.route(TABLE, lambda route: route.fulfill(body='<div data-summary="1 process, 0 ready.">one</div>'))
    with page.expect_response(TABLE):
        page.clock.run_for(2_000)
    sync_api.expect(status).to_have_text("1 process, 0 ready.")

    page.unroute(TABLE)
    page.route(TABLE, lambda route: route.abort())
    page.clock.run_for(2_000)
    sync_api.expect(status).to_have_text("The site does not answer. The list is old.")

    button.get_by_text("Pause").focus()
    page.keyboard.press("Enter")
    sync_api.expect(status).to_have_text("Paused.")
    before = len(asked)
    page.clock.run_for(20_000)
    assert len(asked) == before

    page.unroute(TABLE)
    page.keyboard.press("Enter")
    sync_api.expect(status).to_have_text(re.compile(r"^\d+ processes, \d+ ready\.$"))
    assert [error for error in window.errors if "ERR_FAILED" not in error] == []
