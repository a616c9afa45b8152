"""What orders learns of accounts: the newest version, whatever the order of the messages."""

from datetime import UTC, datetime
from typing import Any

import pytest

from auction_project.kernel import contracts
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import consuming
from orders import handlers, models, services
from orders.tests import sales

pytestmark = pytest.mark.django_db(databases=["orders"])


def tell(version: int, **changes: Any) -> None:
    """As the consumer does."""
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
    envelope, decoded = contracts.decode(message)
    handlers.SUBSCRIPTION.handlers[type(decoded)](envelope, decoded)


def known() -> tuple[int, bool, bool, datetime]:
    account = models.Account.objects.get(user_id="u" * 32)
    return account.version, account.email_verified, account.closed, account.created_at


def test_the_newest_version_is_kept_and_an_old_one_changes_nothing() -> None:
    made = datetime.fromtimestamp(1_700_000_000, UTC)

    tell(1)
    assert known() == (1, False, False, made)
    tell(3, email_verified=True)
    tell(2, closed=True)
    tell(3, closed=True)

    assert known() == (3, True, False, made)


def test_a_closed_account_keeps_no_card_and_bidding_hears_of_it() -> None:
    tell(1)
    services.set_card(user_id="u" * 32, number=sales.ACCEPTS, now=sales.NOW)

    tell(2, closed=True)
    tell(2, closed=True)

    card = models.Card.objects.get(user_id="u" * 32)
    assert (card.token, card.last4, card.version) == ("", "", 2)
    assert sales.card_states() == [("u" * 32, 1, True), ("u" * 32, 2, False)]


def test_orders_subscribes_to_accounts_with_an_inbox() -> None:
    subscription = handlers.SUBSCRIPTION

    assert isinstance(subscription, consuming.Subscription)
    assert (subscription.group, subscription.topics, subscription.inbox) == (
        "orders",
        ("accounts",),
        models.Once,
    )
