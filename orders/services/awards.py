"""Awards: lots that buyers have won on terms to pay later. They pay them in the shop, with others and with what is in their cart.

    record_awards    bidding has made the sales (SaleAwarded)
    lapse_awards     what was not paid in time: BidFailed tells bidding, which goes on to the runner-up

What happens between is a part of a checkout (`checkouts`). An award that a payment is under way for does not lapse; it does
when that fails after the time.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from auction_project.kernel import contracts, instants
from auction_project.kernel.messaging import outbox
from orders import models

LAPSED_AT_ONCE = 100

_State = models.AwardState


def record_awards(sales: Sequence[contracts.events.SaleAwarded], *, now: datetime) -> None:
    """Keep what buyers are to pay. A repeat changes nothing. Needs the transaction of the consumer."""
    models.Award.objects.bulk_create(
        [
            models.Award(
                sale_id=sale.sale_id,
                auction_id=sale.auction_id,
                user_id=sale.user_id,
                order_number=sale.order_number,
                product_id=sale.line.product_id,
                owner_id=sale.line.owner_id,
                title=sale.line.title,
                quantity=sale.line.quantity,
                price=sale.line.price,
                currency=sale.currency,
                awarded_at=now,
                due_at=instants.moment(sale.pay_by_at),
                changed_at=now,
            )
            for sale in sales
        ],
        ignore_conflicts=True,
    )


def lapse_awards(*, now: datetime) -> int:
    """Give up what was not paid in time; how many, LAPSED_AT_ONCE at most: the next call goes on. Parallel calls share them."""
    with transaction.atomic(using=models.DATABASE):
        awards = models.Award.lapsing_locked(now=now, most=LAPSED_AT_ONCE)
        models.Award.become(awards, _State.LAPSED, now=now)
        for award in awards:
            event = contracts.events.BidFailed(
                sale_id=award.sale_id,
                order_number=award.order_number,
                user_id=award.user_id,
                auction_id=award.auction_id,
                reason="unpaid",
                title=award.title,
            )
            outbox.publish(models.Outbox, event, now=now, event_id=f"{award.sale_id}:lapsed")
    return len(awards)


def settle(awards: Sequence[models.Award], sale: models.CheckoutSale, *, now: datetime) -> None:
    """The sale of a checkout has paid these awards, which are locked: bidding settles their lots."""
    models.Award.become(awards, _State.PAID, now=now, checkout=sale.checkout)
    for award in awards:
        event = contracts.events.SaleSettled(
            sale_id=award.sale_id,
            order_number=sale.order_number,
            user_id=award.user_id,
            auction_id=award.auction_id,
        )
        outbox.publish(models.Outbox, event, now=now, event_id=f"{award.sale_id}:paid")
