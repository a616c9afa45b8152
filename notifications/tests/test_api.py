"""REST: a token opens its user's feed and no other, and a cursor goes on where it stopped or says that it cannot."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import redis
from django.utils import timezone
from rest_framework.test import APIClient

from notifications import models, redis_clients, selectors
from notifications.push import tickets
from notifications.tests import conftest

pytestmark = pytest.mark.django_db(databases=["notifications"])

ClientOf = Callable[[str], APIClient]
LIST, READ, TICKET = "/api/v1/notifications", "/api/v1/notifications/read", "/api/v1/notifications/ticket"
ANOTHER = "d" * 32


def seqs(answer: Any) -> list[int]:
    return [int(item["cursor"].partition(":")[2]) for item in answer.json()["items"]]


@pytest.mark.parametrize(("method", "path"), [("get", LIST), ("post", READ), ("post", TICKET)])
@pytest.mark.parametrize("header", [None, "Bearer forged.token.here", "Basic YTpi"])
def test_without_a_valid_token_every_answer_is_401(method: str, path: str, header: str | None) -> None:
    client = APIClient()
    if header:
        client.credentials(HTTP_AUTHORIZATION=header)

    answer = getattr(client, method)(path, {"cursor": "1:1"} if path == READ else {})

    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert models.Feed.objects.count() == 0


def test_users_see_their_own_notifications_only(user_id: str, client_of: ClientOf) -> None:
    conftest.notify(user_id, n=2)

    assert seqs(client_of(user_id).get(LIST)) == [1, 2]
    assert seqs(client_of(ANOTHER).get(LIST)) == []


def test_a_notification_in_public_form(user_id: str, client_of: ClientOf) -> None:
    conftest.notify(user_id)
    epoch = selectors.get_head(user_id).epoch

    assert client_of(user_id).get(LIST).json() == {
        "items": [
            {
                "cursor": f"{epoch}:1",
                "kind": "lost",
                "text": "“Lamp” went to another bidder for €12.50",
                "badge": "Not won",
                "mood": "",
                "link": f"/auctions/{'a' * 32}",
                "data": {"auction_id": "a" * 32, "title": "Lamp", "price": "12.50", "currency": "EUR"},
                "at": 1_700_000_000_000,
                "withdrawn": False,
                "read": False,
            }
        ],
        "cursor": f"{epoch}:1",
        "unread": 1,
        "more": False,
        "snapshot_required": False,
    }


def test_the_list_begins_with_the_latest_and_the_cursor_goes_on_from_there(
    user_id: str, client_of: ClientOf
) -> None:
    conftest.notify(user_id, n=5)
    client = client_of(user_id)

    latest = client.get(LIST, {"limit": 2})
    conftest.notify(user_id, n=3)
    next_page = client.get(LIST, {"after": latest.json()["cursor"], "limit": 2})
    last_page = client.get(LIST, {"after": next_page.json()["cursor"], "limit": 2})
    nothing = client.get(LIST, {"after": last_page.json()["cursor"]})

    assert [seqs(page) for page in (latest, next_page, last_page, nothing)] == [[4, 5], [6, 7], [8], []]
    assert [page.json()["more"] for page in (latest, next_page, last_page)] == [False, True, False]
    assert nothing.json()["cursor"] == last_page.json()["cursor"]


def test_a_user_without_notifications_has_a_cursor(user_id: str, client_of: ClientOf) -> None:
    first = client_of(user_id).get(LIST).json()
    conftest.notify(user_id)

    assert first["items"] == []
    assert seqs(client_of(user_id).get(LIST, {"after": first["cursor"]})) == [1]


@pytest.mark.parametrize("which", ["another epoch", "ahead"])
def test_an_unknown_cursor_gets_a_snapshot(user_id: str, client_of: ClientOf, which: str) -> None:
    conftest.notify(user_id, n=3)
    epoch = selectors.get_head(user_id).epoch
    cursor = "0:1" if which == "another epoch" else f"{epoch}:4"

    answer = client_of(user_id).get(LIST, {"after": cursor})

    assert answer.json()["snapshot_required"] is True
    assert seqs(answer) == [1, 2, 3]
    assert answer.json()["cursor"] == f"{epoch}:3"


@pytest.mark.parametrize(
    "cursor", ["1", "1:", ":1", "x:1", "1:1:1", "1:-1", "1:١", "1:\x00", "1:" + "9" * 30]
)
def test_a_malformed_cursor_is_refused(user_id: str, client_of: ClientOf, cursor: str) -> None:
    listed = client_of(user_id).get(LIST, {"after": cursor})
    read = client_of(user_id).post(READ, {"cursor": cursor}, format="json")

    assert (listed.status_code, listed.json()["field"]) == (400, "after")
    assert (read.status_code, read.json()["field"]) == (400, "cursor")


@pytest.mark.parametrize(
    ("query", "field"), [({"limit": 0}, "limit"), ({"limit": 201}, "limit"), ({"since": 1}, "since")], ids=str
)
def test_a_query_is_checked(user_id: str, client_of: ClientOf, query: dict[str, Any], field: str) -> None:
    answer = client_of(user_id).get(LIST, query)

    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_reading_marks_the_own_notifications_only(user_id: str, client_of: ClientOf) -> None:
    conftest.notify(user_id, n=3)
    conftest.notify(ANOTHER, n=3)
    epoch = selectors.get_head(user_id).epoch

    answer = client_of(user_id).post(READ, {"cursor": f"{epoch}:2"}, format="json")

    assert answer.json() == {"cursor": f"{epoch}:2", "unread": 1}
    assert [item["read"] for item in client_of(user_id).get(LIST).json()["items"]] == [True, True, False]
    assert client_of(ANOTHER).get(LIST).json()["unread"] == 3


def test_a_withdrawn_notification_does_not_count_as_unread(user_id: str, client_of: ClientOf) -> None:
    conftest.notify(user_id, n=3)
    models.Notification.objects.filter(user_id=user_id, seq=2).update(withdrawn_at=timezone.now())

    assert client_of(user_id).get(LIST).json()["unread"] == 2


def test_reading_with_the_cursor_of_another_user_marks_nothing(user_id: str, client_of: ClientOf) -> None:
    conftest.notify(ANOTHER, n=3)
    models.Feed.objects.filter(user_id=ANOTHER).update(epoch="e1")
    conftest.notify(user_id, n=3)

    answer = client_of(user_id).post(READ, {"cursor": "e1:2"}, format="json")

    assert (answer.status_code, answer.json()["code"]) == (409, "cursor_unknown")
    assert models.Feed.objects.filter(read_seq__gt=0).count() == 0


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (READ, {}, "cursor"),
        (READ, {"cursor": "1:1", "user_id": "x"}, "user_id"),
        (TICKET, {"user_id": "x"}, "user_id"),
    ],
)
def test_a_body_is_checked(
    user_id: str, client_of: ClientOf, path: str, body: dict[str, Any], field: str
) -> None:
    answer = client_of(user_id).post(path, body, format="json")

    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_a_ticket_is_the_users_own_and_short_lived(user_id: str, client_of: ClientOf) -> None:
    answer = client_of(user_id).post(TICKET).json()

    key = tickets._key(answer["ticket"])
    assert answer["expires_in"] == 30
    assert answer["ticket"] not in key
    assert msgspec.json.decode(redis_clients.blocking().get(key)) == {"user_id": user_id, "session": ""}
    assert 28 <= redis_clients.blocking().ttl(key) <= 30


def test_without_redis_a_request_for_a_ticket_is_to_be_repeated(
    user_id: str, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    unavailable = redis.Redis(port=1)
    monkeypatch.setattr(redis_clients, "blocking", lambda: unavailable)

    answer = client_of(user_id).post(TICKET)

    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
