"""The list of processes for operators: the API and the page of the admin. Who may see it, what it shows, and what it says without
Redis."""

import html
import re
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from auction_project.accounts import services as accounts
from auction_project.kernel import databases, tokens
from auction_project.processes import identity, registry, services_page

API, PAGE, TABLE = "/api/v1/services", "/admin/services/", "/admin/services/table/"
NOWHERE = "redis://127.0.0.1:1/0"
SECRET_SCRIPT = "<script>alert(1)</script>"


def bearer(*roles: str) -> dict[str, str]:
    access = tokens.sign(sub="u1", roles=roles, created_at=0, now=time.time(), seconds=300)
    return {"Authorization": f"Bearer {access}"}


def signed_in(name: str, **options: Any) -> Client:
    accounts.sync_group_permissions()
    user = accounts.create_account(
        email=f"{name}@example.org",
        password=None,
        verified=True,
        actor="test",
        now=timezone.now(),
        **options,
    )
    browser = Client()
    browser.force_login(user)
    return browser


@pytest.fixture
def copy(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a consumer that runs during the test, with three messages before it."""
    name = f"{SECRET_SCRIPT}{uuid.uuid4().hex}"
    monkeypatch.setenv(identity.COPY, name)
    entry = registry.Registration(
        "consume",
        registry.About(
            services=["orders", "sagas"],
            address="127.0.0.1:8000",
            lag=lambda: registry.Figure(3, "messages"),
        ),
        redis_url=settings.REDIS_URL,
        private_address="127.0.0.1:8001",
        is_ready=lambda: True,
        renew_seconds=0.05,
    ).start()
    deadline = time.monotonic() + 20
    while not [one for one in registry.processes(settings.REDIS_URL) if one.copy == name]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield name
    entry.close()


# --- the API -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("roles", "status"), [(None, 401), ((), 403), (("bidder", "seller"), 403)])
def test_the_api_is_for_operators_alone(copy: str, roles: tuple[str, ...] | None, status: int) -> None:
    answer = Client().get(API, headers={} if roles is None else bearer(*roles))

    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert copy not in answer.content.decode()


def test_the_api_lists_what_runs(copy: str) -> None:
    answer = Client().get(API, headers=bearer("operator"))

    assert answer.status_code == 200
    [one] = [each for each in answer.json()["items"] if each["copy"] == copy]
    assert one["id"].startswith(f"consume:{copy}:")
    assert (one["role"], one["services"], one["ready"]) == ("consume", ["orders", "sagas"], True)
    assert one["lag"] == {"value": 3, "unit": "messages"}


def test_without_redis_the_api_says_when_to_come_again(settings: Any) -> None:
    settings.REDIS_URL = NOWHERE

    answer = Client().get(API, headers=bearer("operator"))

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer["Retry-After"]) > 0
    assert "127.0.0.1" not in answer.content.decode()


# --- the page ------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(databases=["default", "sagas"])
@pytest.mark.parametrize("path", [PAGE, TABLE])
def test_the_page_is_for_operators_alone(copy: str, path: str) -> None:
    stranger = Client().get(path)
    bidder = signed_in("ada").get(path, follow=True)
    clerk = signed_in("clara", groups=["stock clerk"]).get(path)

    assert (stranger.status_code, bidder.status_code, clerk.status_code) == (302, 403, 403)
    assert all(copy not in answer.content.decode() for answer in (stranger, bidder, clerk))


@pytest.mark.django_db(databases=["default", "sagas"])
@pytest.mark.parametrize("path", [PAGE, TABLE])
def test_the_page_shows_a_process_and_escapes_what_it_says(copy: str, path: str) -> None:
    text = signed_in("olga", groups=["auction operator"]).get(path).content.decode()

    assert SECRET_SCRIPT not in text
    [row] = re.findall(
        rf'<tr[^>]*>\s*<th scope="row"[^>]*>{re.escape(html.escape(copy))}</th>.*?</tr>', text, re.S
    )
    cells = [
        " ".join(re.sub(r"<[^>]*>", " ", cell).split()) for cell in re.findall(r"<td.*?</td>", row, re.S)
    ]
    assert cells[:2] == ["consume", "ready"]
    assert cells[5:] == ["3 messages", cells[6], "0.1.0", "127.0.0.1:8000", "127.0.0.1:8001", "orders, sagas"]
    assert re.fullmatch(r"\d+ s", cells[6])


@pytest.mark.django_db(databases=databases.ALIASES)
def test_the_page_is_in_the_menu_of_those_who_may_see_it() -> None:
    operator = signed_in("olga", groups=["auction operator"]).get("/admin/").content.decode()
    clerk = signed_in("clara", groups=["stock clerk"]).get("/admin/").content.decode()

    assert f'href="{PAGE}"' in operator
    assert f'href="{PAGE}"' not in clerk


@pytest.mark.django_db(databases=["default", "sagas"])
def test_without_redis_the_page_says_so(settings: Any) -> None:
    browser = signed_in("olga", groups=["auction operator"])
    settings.REDIS_URL = NOWHERE

    for path in (PAGE, TABLE):
        answer = browser.get(path)
        assert answer.status_code == 200
        assert "Redis does not answer" in answer.content.decode()
        assert "<table" not in answer.content.decode()


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (7_199, "1 h"), (200_000, "2 d")]
)
def test_an_age_has_its_largest_unit(seconds: int, shown: str) -> None:
    assert services_page._duration(seconds) == shown
