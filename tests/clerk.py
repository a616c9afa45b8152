"""A process with Django on the stack's stores, for what has no API: `python -m tests.clerk` runs the functions below.

It reads one JSON line a call, `[function, arguments]`, and answers one. One process serves a whole session: to start
Django for each call would take longer than most tests.
"""

import json
import os
import sys
import traceback
import uuid
from datetime import UTC, datetime


def create_account(email: str, password: str | None, roles: list[str], card: str | None) -> str:
    """The id of a verified account."""
    from auction_project.accounts import services
    from orders import services as orders

    now = datetime.now(UTC)
    user = services.create_account(
        email=email,
        password=password,
        roles=roles,
        groups=(),
        verified=True,
        superuser=False,
        actor="test",
        now=now,
    )
    if card:
        orders.set_card(user_id=user.id, number=card, now=now)
    return str(user.id)


def report_card(user_id: str) -> None:
    """Record a usable card in bidding, as the event of orders does. Like its consumer, it repeats what fails: after an outage
    that was shorter than the time between two looks at the server, the client learns of it by its first write."""
    from auction_project.kernel import errors
    from auction_project.kernel.contracts import events
    from bidding import services

    cards = [events.CardChanged(user_id=user_id, usable=True, version=1)]
    try:
        services.record_cards(cards)
    except errors.Unavailable:
        services.record_cards(cards)


def create_product(title: str, stock: int, sku: str = "") -> str:
    """The id of a product of the house; lists are in the order of `sku`."""
    from inventory import models, services

    now, product_id = datetime.now(UTC), uuid.uuid4().hex
    services.create_product(
        product_id=product_id, sku=sku or product_id[:12], title=title, description="", condition="GOOD",
        owner_id=models.HOUSE, actor="test", now=now,
    )  # fmt: skip
    if stock:
        receive_stock(product_id, stock)
    return product_id


def receive_stock(product_id: str, quantity: int) -> None:
    from inventory import models, services

    warehouse = models.Warehouse.objects.order_by("priority").values_list("code", flat=True)[0]
    services.receive_stock(
        key=uuid.uuid4().hex, product_id=product_id, warehouse=warehouse, quantity=quantity, actor="test",
        now=datetime.now(UTC),
    )  # fmt: skip


def compensate_saga(saga_id: str) -> None:
    from sagas import operators

    operators.compensate_saga(
        saga_id=saga_id, who="operator", reason="The buyer called.", now=datetime.now(UTC)
    )


def violations(settle_seconds: float | None) -> dict[str, list[str]]:
    """The violations of each broken invariant."""
    from auction_project import verification

    report = verification.verify(settle_seconds=settle_seconds, answers=None)
    return {finding.invariant: finding.violations for finding in report.findings if finding.violations}


def behind(settle_seconds: float) -> list[str]:
    """What `verify` reports as still under way."""
    from auction_project import verification

    return list(verification.verify(settle_seconds=settle_seconds, answers=None).behind)


def main() -> None:
    import django
    from django.db import connections

    django.setup()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a print of a library must not become an answer
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            answer = {"answer": globals()[name](**arguments)}
        except Exception:
            answer = {"error": traceback.format_exc()}
        for connection in connections.all():
            connection.close()
            connection.close_pool()  # the server may have restarted by the next call
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
