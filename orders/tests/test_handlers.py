"""What orders keeps of accounts: the newest version, in whichever order the messages come."""

from datetime import UTC, datetime
from typing import Any

import pytest

from auction_project.kernel import contracts
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import consuming
from orders import exceptions, handlers, models, services
from orders.tests import sales

pytestmark = pytest.mark.django_db(databases=["orders"])


def handle(version: int, **changes: Any) -> None:
    """Handle an event as the consumer does."""
    figures: dict[str, Any] = {
        "user_id": "u" * 32,
        "version": version,
        "email": "ada@example.org",
        "email_verified": False,
        "created_at": 1_700_000_000_000,
        "roles": ("bidder",),
        "closed": False,
    }
    event = events.AccountChanged(**figures | changes)
    message = contracts.encode(
        event,
        event_id=f"e{version}",
        source="accounts",
        time=datetime.now(UTC),
        version=version,
        correlation_id="c",
    )
    received = consuming.Received(*contracts.decode(message))
    handlers.SUBSCRIPTION.handlers[type(received.event)]([received])


def stored() -> tuple[int, bool, bool, datetime]:
    account = models.Account.objects.get(user_id="u" * 32)
    return account.version, account.email_verified, account.closed, account.created_at


def test_the_newest_version_is_kept_and_an_old_one_changes_nothing() -> None:
    made = datetime.fromtimestamp(1_700_000_000, UTC)

    handle(1)
    assert stored() == (1, False, False, made)
    handle(3, email_verified=True)
    handle(2, closed=True)
    handle(3, closed=True)

    assert stored() == (3, True, False, made)


def test_the_card_of_a_closed_account_is_removed_and_published() -> None:
    handle(1)
    services.set_card(user_id="u" * 32, number=sales.ACCEPTS, now=sales.NOW)

    handle(2, closed=True)
    handle(2, closed=True)

    card = models.Card.objects.get(user_id="u" * 32)
    assert (card.token, card.last4, card.version) == ("", "", 2)
    assert sales.card_states() == [("u" * 32, 1, True), ("u" * 32, 2, False)]


def test_a_barred_account_has_no_card_and_gets_none_until_it_is_reinstated() -> None:
    handle(1)
    services.set_card(user_id="u" * 32, number=sales.ACCEPTS, now=sales.NOW)

    handle(2, roles=())

    with pytest.raises(exceptions.MayNotBuy):
        services.set_card(user_id="u" * 32, number=sales.ACCEPTS, now=sales.NOW)
    assert models.Card.objects.get(user_id="u" * 32).token == ""
    assert sales.card_states() == [("u" * 32, 1, True), ("u" * 32, 2, False)]
    handle(3)
    services.set_card(user_id="u" * 32, number=sales.ACCEPTS, now=sales.NOW)
    assert sales.card_states()[2:] == [("u" * 32, 3, True)]


def test_an_old_bar_that_comes_after_the_reinstatement_removes_no_card() -> None:
    handle(3)
    services.set_card(user_id="u" * 32, number=sales.ACCEPTS, now=sales.NOW)

    handle(2, roles=())

    assert models.Card.objects.get(user_id="u" * 32).is_usable
    assert sales.card_states() == [("u" * 32, 1, True)]


def test_a_sale_to_an_account_that_was_barred_meanwhile_is_refused() -> None:
    sale = sales.new_sale(user_id="u" * 32)
    handle(1, email_verified=True)
    handle(2, email_verified=True, roles=())

    with pytest.raises(exceptions.RiskRefused):
        sale.assess()

    (stored,) = models.RiskAssessment.objects.values_list("reasons", flat=True)
    assert [reason["rule"] for reason in stored] == ["account_barred"]


def test_a_device_is_kept_since_its_first_log_in_and_an_event_that_comes_again_changes_nothing() -> None:
    event = events.DeviceSeen(
        user_id="u" * 32,
        device="d" * 32,
        address="a" * 32,
        first_seen_at=1_700_000_000_000,
        last_seen_at=1_700_000_900_000,
    )
    message = contracts.encode(
        event, event_id="e", source="accounts", time=datetime.now(UTC), version=0, correlation_id="c"
    )

    for _ in range(2):
        handlers.SUBSCRIPTION.handlers[events.DeviceSeen]([consuming.Received(*contracts.decode(message))])

    row = models.Device.objects.get()
    assert (row.user_id, row.device) == ("u" * 32, "d" * 32)
    assert row.first_seen_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert row.last_seen_at == datetime.fromtimestamp(1_700_000_900, UTC)


def test_orders_subscribes_to_what_buyers_and_checkouts_need_with_an_inbox() -> None:
    subscription = handlers.SUBSCRIPTION

    assert isinstance(subscription, consuming.Subscription)
    assert (subscription.group, subscription.topics, subscription.inbox) == (
        "orders",
        ("accounts", "bid-failed", "checkouts", "inventory.offers", "sale-awarded", "sale-settled"),
        models.Once,
    )
