"""Two at once, on real connections: versions stay gapless, an address has one account."""

import itertools
from collections.abc import Callable

import pytest

from auction_project.accounts import identity, models, selectors, services
from auction_project.accounts.tests.conftest import NOW, published
from auction_project.kernel.messaging.tests import sessions

pytestmark = pytest.mark.django_db(databases=["default"], transaction=True)


def test_changes_of_one_account_are_published_one_by_one(make: Callable[..., models.User]) -> None:
    ada = make("ada")

    def toggle() -> None:
        for _ in range(5):
            services.grant_role(user_id=ada.id, role="seller", reason="x", actor="command", now=NOW)
            services.revoke_role(user_id=ada.id, role="seller", reason="x", actor="command", now=NOW)

    assert sessions.at_once("default", *[toggle] * 4) == [None] * 4

    events = published(ada.id)
    assert [version for version, _ in events] == list(range(1, len(events) + 1))
    assert len(events) == 1 + ada.actions.count()
    assert events[-1][1].roles == selectors.get_account(ada.id).roles == ("bidder",)
    assert all(a[1].roles != b[1].roles for a, b in itertools.pairwise(events))


def test_log_ins_at_once_from_one_device_see_it_once(make: Callable[..., models.User]) -> None:
    ada = make("ada")

    def sign_in() -> None:
        identity.record_sign_in(user_id=ada.id, device="d" * 32, address="192.0.2.7", now=NOW)

    assert sessions.at_once("default", *[sign_in] * 4) == [None] * 4

    assert sorted(ada.sightings.values_list("kind", flat=True)) == ["DEVICE", "NETWORK"]
    assert models.Outbox.objects.filter(type="DeviceSeen").count() == 4


def test_an_address_that_two_sign_up_with_at_once_has_one_account() -> None:
    def sign_up() -> None:
        services.register_account(user=models.User(email="ada@example.org", password="!"), now=NOW)

    raised = sessions.at_once("default", *[sign_up] * 4)

    assert sorted(type(error).__name__ for error in raised) == ["EmailTaken"] * 3 + ["NoneType"]
    assert models.Outbox.objects.count() == models.User.objects.count() == 1
