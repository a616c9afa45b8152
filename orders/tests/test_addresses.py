"""The address book: cleaned fields, one default, twenty addresses, its owner alone, and nothing left of a closed account."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from auction_project.kernel import contracts, errors, ids
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import consuming
from orders import exceptions, handlers, models, postal, services
from orders.tests import sales

pytestmark = pytest.mark.django_db(databases=["orders"])

ClientOf = Callable[..., Client]
USER, OTHER = "a" * 32, "b" * 32
ADDRESSES = "/api/v1/addresses"
FIELDS = {
    "name": "Ada Example",
    "line1": "Hauptstraße 1",
    "line2": "",
    "postal_code": "10115",
    "city": "Berlin",
    "country": "DE",
    "phone": "+49 30 (1234) 5",
}


def add(key: str = "", user_id: str = USER, *, is_default: bool = False, **changes: str) -> models.Address:
    return services.add_address(
        user_id=user_id,
        key=key or ids.new_id(),
        fields=FIELDS | changes,
        is_default=is_default,
        now=sales.NOW,
    )


def book(user_id: str = USER) -> list[tuple[str, bool]]:
    rows = models.Address.objects.filter(user_id=user_id).order_by("line1")
    return list(rows.values_list("line1", "is_default"))


def account_changed(*, closed: bool, version: int = 1) -> None:
    event = events.AccountChanged(
        user_id=USER,
        version=version,
        email="",
        email_verified=True,
        created_at=0,
        roles=() if closed else ("bidder",),
        closed=closed,
    )
    message = contracts.encode(
        event, event_id=ids.new_id(), source="test", time=sales.NOW, version=version, correlation_id="c"
    )
    received = consuming.Received(*contracts.decode(message))
    handlers.SUBSCRIPTION.handlers[events.AccountChanged]([received])


# --- what an address must have ---------------------------------------------------------------------------------------


def test_an_address_is_cleaned_before_it_is_stored() -> None:
    dirty = {"name": " Ada\t \u202eExample\x07 ", "city": "Mu\u0308nchen", "country": "de", "line2": "\u200b"}

    address = postal.checked(FIELDS | dirty)

    assert (address.name, address.city, address.country, address.line2) == (
        "Ada Example",
        "München",
        "DE",
        "",
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "\u202e\u200b."}, "name"),
        ({"line1": "—"}, "line1"),
        ({"city": " "}, "city"),
        ({"country": "XX"}, "country"),
        ({"country": "D"}, "country"),
        ({"country": ""}, "country"),
        ({"postal_code": ""}, "postal_code"),
        ({"postal_code": "1" * 17}, "postal_code"),
        ({"phone": "call me"}, "phone"),
        ({"phone": "++1"}, "phone"),
        ({"name": "a" * 101}, "name"),
    ],
)
def test_what_no_parcel_can_be_sent_to_is_refused_by_the_name_of_its_field(
    changes: dict[str, str], field: str
) -> None:
    with pytest.raises(exceptions.InvalidAddress) as refused:
        add(**changes)

    assert refused.value.field == field
    assert book() == []


def test_a_country_without_postal_codes_needs_none() -> None:
    assert add(country="HK", postal_code="", city="Kowloon").postal_code == ""


def test_the_countries_are_those_of_iso_3166() -> None:
    assert len(postal.COUNTRIES) == 249
    assert postal._WITH_POSTAL_CODES <= postal.COUNTRIES


# --- the book --------------------------------------------------------------------------------------------------------


def test_the_first_address_is_the_default_until_another_one_is() -> None:
    add(line1="1")
    add(line1="2")
    assert book() == [("1", True), ("2", False)]

    third = add(line1="3", is_default=True)
    assert book() == [("1", False), ("2", False), ("3", True)]

    services.change_address(
        user_id=USER, address_id=third.id, fields=FIELDS | {"line1": "3a"}, is_default=False, now=sales.NOW
    )
    assert book() == [("1", False), ("2", False), ("3a", True)]


def test_the_newest_address_takes_the_place_of_a_default_that_is_removed() -> None:
    first = add(line1="1")
    for line in ("2", "3"):
        add(line1=line)
    models.Address.objects.filter(line1="3").update(created_at=sales.NOW.replace(hour=13))

    services.remove_address(user_id=USER, address_id=first.id)

    assert book() == [("2", False), ("3", True)]


def test_a_repeated_request_adds_nothing_and_another_one_under_its_key_is_refused() -> None:
    first = add("k")

    assert add("k").id == first.id
    with pytest.raises(errors.KeyReused):
        add("k", city="Hamburg")
    assert add("k", OTHER).id != first.id

    assert len(book()) == 1


def test_a_book_has_twenty_addresses() -> None:
    for _ in range(20):
        add()

    with pytest.raises(exceptions.TooManyAddresses) as refused:
        add()

    assert refused.value.figures == {"maximum": 20}
    assert (len(book()), add(user_id=OTHER).is_default) == (20, True)


def test_the_database_itself_refuses_a_second_default() -> None:
    add()
    second = add()

    with (
        pytest.raises(IntegrityError, match="orders_address_one_default"),
        transaction.atomic(using="orders"),
    ):
        models.Address.objects.filter(pk=second.pk).update(is_default=True)


def test_a_closed_account_loses_its_book_and_begins_no_other() -> None:
    add()
    add(user_id=OTHER)

    account_changed(closed=True)

    assert (book(), len(book(OTHER))) == ([], 1)
    with pytest.raises(exceptions.MayNotBuy):
        add()
    assert book() == []


def test_another_change_of_the_account_leaves_its_book() -> None:
    add()

    account_changed(closed=False)

    assert len(book()) == 1


# --- REST ------------------------------------------------------------------------------------------------------------


def test_owners_add_see_change_and_remove_their_addresses(client_of: ClientOf) -> None:
    client = client_of(USER)

    answer = client.post(ADDRESSES, FIELDS, content_type="application/json", headers={"Idempotency-Key": "k"})
    again = client.post(ADDRESSES, FIELDS, content_type="application/json", headers={"Idempotency-Key": "k"})

    address = answer.json()
    assert (answer.status_code, address) == (201, {"id": address["id"], **FIELDS, "is_default": True})
    assert again.json() == address
    changed = client.put(
        f"{ADDRESSES}/{address['id']}", FIELDS | {"city": "Potsdam"}, content_type="application/json"
    )
    assert (changed.status_code, changed.json()) == (200, address | {"city": "Potsdam"})
    assert client.get(ADDRESSES).json() == {"items": [changed.json()]}
    assert client.delete(f"{ADDRESSES}/{address['id']}").status_code == 204
    assert client.delete(f"{ADDRESSES}/{address['id']}").status_code == 404
    assert client.get(ADDRESSES).json() == {"items": []}


@pytest.mark.parametrize("roles", [("bidder",), ("operator",)])
def test_an_address_of_another_looks_like_none(client_of: ClientOf, roles: tuple[str, ...]) -> None:
    address = add()
    stranger = client_of(OTHER, *roles)

    assert stranger.get(ADDRESSES).json() == {"items": []}
    for address_id in (address.id, "0" * 32, "%00", "x"):
        path = f"{ADDRESSES}/{address_id}"
        answers = [stranger.put(path, FIELDS, content_type="application/json"), stranger.delete(path)]
        assert [answer.status_code for answer in answers] == [404, 404]

    assert book() == [("Hauptstraße 1", True)]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        (FIELDS | {"country": "Germany"}, "country"),
        (FIELDS | {"country": "XX"}, "country"),
        (FIELDS | {"name": 7}, "name"),
        (FIELDS | {"city": "\x00"}, "city"),
        (FIELDS | {"user_id": OTHER}, "user_id"),
        (FIELDS | {"is_default": "yes"}, "is_default"),
    ],
)
def test_a_body_that_is_no_address_is_400_and_names_the_field(
    client_of: ClientOf, body: dict[str, Any], field: str
) -> None:
    answer = client_of(USER).post(ADDRESSES, body, content_type="application/json")

    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert book() == []


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_anonymous_client_has_no_book(method: str) -> None:
    assert getattr(Client(), method)(ADDRESSES).status_code == 401
