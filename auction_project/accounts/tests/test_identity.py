"""The digital identity: what a log-in stores and publishes of its device and network, and that neither can be read from it."""

import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import signing
from django.db import connection
from django.test import Client

from auction_project.accounts import devices, identity, models, personal, retention, services
from auction_project.accounts.tests.conftest import NOW, PASSWORD, App
from auction_project.kernel import contracts, ids, instants, tokens

pytestmark = pytest.mark.django_db(databases="__all__")  # the Overview asks all apps
Make = Callable[..., models.User]
ADDRESS = "198.51.100.77"


def browser(address: str = ADDRESS) -> Client:
    return Client(REMOTE_ADDR=address)


def enter(client: Client, name: str = "ada") -> None:
    answer = client.post("/accounts/login/", {"login": f"{name}@example.org", "password": PASSWORD})
    assert answer.status_code == 302
    client.post("/accounts/logout/")


def seen(user: models.User, kind: str = "DEVICE") -> list[str]:
    """The hashes, in the order in which they were first seen."""
    rows = models.Sighting.objects.filter(user=user, kind=kind).order_by("first_seen_at", "id")
    return list(rows.values_list("hash", flat=True))


def events(user: models.User) -> list[contracts.events.DeviceSeen]:
    rows = models.Outbox.objects.filter(key=user.id, type="DeviceSeen").order_by("id")
    return [contracts.decode(bytes(row.body))[1] for row in rows]


def sign_in(user: models.User, device: str = "a", address: str = ADDRESS, *, day: int = 0) -> None:
    identity.record_sign_in(user_id=user.id, device=device, address=address, now=NOW + timedelta(days=day))


# --- the cookie --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secure", [True, False])
def test_a_log_in_sets_the_cookie_of_the_device_for_a_year(make: Make, settings: Any, secure: bool) -> None:
    settings.SESSION_COOKIE_SECURE = secure
    make("ada")
    client = browser()

    enter(client)

    cookie = client.cookies[devices.COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"], cookie["path"]) == (
        True,
        "Lax",
        365 * 24 * 3600,
        "/",
    )
    assert bool(cookie["secure"]) is secure


def test_a_device_stays_the_same_at_the_next_log_in_and_its_cookie_lasts_a_year_from_there(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = make("ada")
    client = browser()
    enter(client)
    first = client.cookies[devices.COOKIE].value
    year = devices.MAX_AGE_SECONDS
    clock = signing.time.time
    monkeypatch.setattr(signing.time, "time", lambda: clock() + year - 60)
    enter(client)
    renewed = client.cookies[devices.COOKIE].value
    monkeypatch.setattr(signing.time, "time", lambda: clock() + 2 * year - 180)
    enter(client)

    assert renewed != first
    assert renewed.partition(":")[0] == first.partition(":")[0]
    assert len(seen(ada)) == 1


def test_a_cookie_that_was_made_up_or_changed_names_no_device(make: Make) -> None:
    ada, bob = make("ada"), make("bob")
    client = browser()
    enter(client)
    genuine = client.cookies[devices.COOKIE].value

    for forged in ("a" * 32, f"{'a' * 32}:{genuine.partition(':')[2]}", genuine[:-1] + "_"):
        thief = browser()
        thief.cookies[devices.COOKIE] = forged
        enter(thief, "bob")

    assert not set(seen(bob)) & set(seen(ada))
    assert len(seen(bob)) == 3


def test_without_a_log_in_no_cookie_is_set(make: Make) -> None:
    make("ada")
    client = browser()

    client.get("/accounts/login/")
    client.post("/accounts/login/", {"login": "ada@example.org", "password": "guess"})

    assert devices.COOKIE not in client.cookies
    assert models.Sighting.objects.count() == 0


def test_two_accounts_of_one_browser_have_the_same_device(make: Make) -> None:
    ada, bob = make("ada"), make("bob")
    client = browser()

    enter(client)
    enter(client, "bob")
    enter(browser())

    assert seen(ada)[0] == seen(bob)[0]
    assert len(seen(ada)) == 2


# --- programs ----------------------------------------------------------------------------------------------------


def test_a_program_gets_no_cookie_and_is_told_by_its_network_for_its_account_alone(
    app: App, make: Make
) -> None:
    ada, bob = make("ada"), make("bob")

    for name in ("ada", "ada", "bob"):
        app.log_in(name)

    assert devices.COOKIE not in app._client.cookies
    assert (len(seen(ada)), len(seen(bob))) == (1, 1)
    assert seen(ada) != seen(bob)
    assert seen(ada, "NETWORK") == seen(bob, "NETWORK")
    sign_in(ada, device="", address="203.0.113.9")
    assert len(seen(ada)) == 2


def test_an_access_token_says_nothing_of_the_device(app: App, make: Make) -> None:
    """ADR 58: the risk check needs no field of a sale, so no token, bid or event of a sale carries one."""
    make("ada")
    token = app.log_in("ada")["access_token"]

    assert set(tokens.Claims.__struct_fields__) == {
        "sub",
        "roles",
        "email_verified",
        "created_at",
        "exp",
        "session",
    }
    assert not {"device", "address"} & json.loads(_payload(token)).keys()


def _payload(token: str) -> bytes:
    import base64

    part = token.split(".")[1]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


# --- what is stored ----------------------------------------------------------------------------------------------


def test_neither_the_device_nor_the_address_is_in_the_tables_the_events_or_the_export(
    app: App, make: Make
) -> None:
    ada = make("ada")
    client = browser()
    enter(client)
    device = client.cookies[devices.COOKIE].value.partition(":")[0]
    assert ids.is_id(device)

    stored = io.StringIO()
    with connection.cursor() as cursor, cursor.copy("COPY accounts_sighting TO STDOUT") as rows:
        stored.writelines(bytes(row).decode() for row in rows)
    published = b"".join(bytes(row.body) for row in models.Outbox.objects.all()).decode()
    exported = json.dumps(personal.export(ada)["devices_and_networks"])

    assert len(json.loads(exported)) == 2
    for text in (stored.getvalue(), published, exported):
        assert seen(ada)[0] in text
        for raw in (device, ADDRESS, "198.51.100."):
            assert raw not in text


def test_the_device_is_in_no_line_of_the_log(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    ada = make("ada")
    client = browser()

    enter(client)

    assert "login_succeeded" in caplog.text
    for secret in (client.cookies[devices.COOKIE].value.partition(":")[0], *seen(ada)):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    ("address", "other", "same"),
    [
        ("198.51.100.7", "198.51.100.200", True),
        ("198.51.100.7", "198.51.101.7", False),
        ("198.51.100.7", "::ffff:198.51.100.9", True),
        ("2001:db8:1:2::1", "2001:db8:1:ffff::9", True),
        ("2001:db8:1::1", "2001:db8:2::1", False),
    ],
)
def test_a_network_is_24_bits_of_ipv4_and_48_of_ipv6(
    make: Make, address: str, other: str, same: bool
) -> None:
    ada = make("ada")

    sign_in(ada, address=address)
    sign_in(ada, address=other)

    assert len(seen(ada, "NETWORK")) == (1 if same else 2)


def test_a_log_in_publishes_since_when_its_device_is_known(make: Make) -> None:
    ada = make("ada")

    sign_in(ada, "a")
    sign_in(ada, "b", day=1)
    sign_in(ada, "a", day=2)

    a, b = seen(ada)
    day = 24 * 3600 * 1000
    start = instants.of(NOW)
    assert [(each.device, each.first_seen_at - start, each.last_seen_at - start) for each in events(ada)] == [
        (a, 0, 0),
        (b, day, day),
        (a, 0, 2 * day),
    ]
    assert {each.address for each in events(ada)} == set(seen(ada, "NETWORK"))


def test_an_account_keeps_its_first_device_and_of_the_others_those_seen_last(make: Make) -> None:
    ada, bob = make("ada"), make("bob")
    sign_in(bob, "first")
    for day in range(identity.MAX_KEPT):
        sign_in(ada, f"device {day}", day=day)
    before = seen(ada)
    assert len(before) == identity.MAX_KEPT
    sign_in(ada, "device 1", day=60)

    sign_in(ada, "one more", day=61)

    after = seen(ada)
    assert len(after) == identity.MAX_KEPT
    assert set(before) - set(after) == {before[2]}
    assert after[:2] == before[:2]
    assert len(seen(bob)) == 1


def test_a_device_stays_known_when_the_secret_key_rotates(make: Make, settings: Any) -> None:
    ada = make("ada")
    sign_in(ada, "a")
    [old] = seen(ada)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another secret key of fifty characters and a few more"

    sign_in(ada, "a", day=1)

    [new] = seen(ada)
    assert new != old
    assert [(each.device, each.first_seen_at) for each in events(ada)] == [
        (old, instants.of(NOW)),
        (new, instants.of(NOW)),
    ]


# --- deletion ----------------------------------------------------------------------------------------------------


def test_an_erased_account_keeps_no_device_and_no_network(make: Make) -> None:
    ada, bob = make("ada"), make("bob")
    for user in (ada, bob):
        sign_in(user)

    personal.erase(user_id=ada.id, reason="Asked.", actor="command", now=NOW)

    assert models.Sighting.objects.filter(user=ada).count() == 0
    assert models.Sighting.objects.filter(user=bob).count() == 2


def test_a_device_that_was_not_seen_for_its_days_is_deleted(make: Make, settings: Any) -> None:
    settings.DEVICES_KEEP_DAYS = 30
    ada = make("ada")
    sign_in(ada, "old", address="192.0.2.1")
    sign_in(ada, "young", day=1)

    assert retention.prune_sightings(NOW + timedelta(days=30, microseconds=1)) == 2
    assert (len(seen(ada)), len(seen(ada, "NETWORK"))) == (1, 1)
    assert retention.prune_sightings(NOW + timedelta(days=31)) == 0


def test_a_log_in_of_a_suspended_account_stores_nothing(make: Make) -> None:
    ada = make("ada")
    services.bar_account(user_id=ada.id, reason="Did not pay.", actor="command", now=NOW)

    browser().post("/accounts/login/", {"login": "ada@example.org", "password": PASSWORD})

    assert models.Sighting.objects.count() == 0
    assert events(ada) == []
