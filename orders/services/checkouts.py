"""Checkouts: a buyer's lines at accepted prices, reserved for minutes, paid as one sale.

    start_checkout   the prices are checked, and CheckoutStarted asks inventory for the units
    record_reserved  inventory has them (or record_refused: it names the lines that it has not)
    pay_checkout     SaleConfirmed starts the saga, which claims the reserved units and captures the payment
    record_settled   the saga has succeeded: the checkout is PAID, and its units leave the cart (or record_failed: it may be
                     paid again while the units are reserved)

Each is one transaction on the database `orders`, with its event. A buyer has one checkout at a time, of what is in their
cart and of lots that they have won (`awards`): a second one takes the place of the first. A lot's units are reserved already, so a
checkout of lots alone asks inventory nothing. A process may die on any line: a request comes again
under its key, an event is handled again, and a checkout that nobody goes on with expires by itself in both databases.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from django.conf import settings
from django.db import transaction

from auction_project.kernel import contracts, errors, ids, instants, money, reasons
from auction_project.kernel.messaging import outbox
from orders import exceptions, models, postal, selectors, totals
from orders.services import awards, carts

_State = models.CheckoutState


def start_checkout(
    *,
    user_id: str,
    key: str,
    lines: Sequence[carts.Wanted],
    currency: str,
    now: datetime,
    address_id: str | None = None,
    award_ids: Collection[str] = (),
) -> models.Checkout:
    """Start the checkout of these lines and awards, each of another product, unless there is one of this buyer under `key`. It takes
    the place of the one that is under way, unless that is being paid. Without `address_id` it is sent to the buyer's default address.

    Raises MayNotBuy, CheckoutUnderWay, CartChanged, NotForSale, TooMany, MixedCurrencies, PriceChanged, NotAwarded, SameProduct,
    BelowMinimum, AddressMissing, AddressNotFound, and KeyReused for a key of another request.
    """
    asked = {
        "lines": msgspec.to_builtins(sorted(lines, key=lambda line: line.product_id)),
        "currency": currency,
        "address_id": address_id,
    }
    if award_ids:
        asked["awards"] = sorted(award_ids)
    with transaction.atomic(using=models.DATABASE):
        models.CartLine.lock(user_id)
        if present := _present(user_id, key, asked):
            return present
        replaced = _check_start(user_id, lines, now)
        address = _address(user_id, address_id)
        won = _won(user_id, award_ids, currency, now)
        time_to_pay = now + timedelta(minutes=settings.CHECKOUT_MINUTES)
        return _start(
            models.Checkout(
                id=ids.new_id(),
                user_id=user_id,
                key=key,
                asked=asked,
                currency=currency,
                address=msgspec.to_builtins(address),
                started_at=now,
                changed_at=now,
                expires_at=min([time_to_pay, *(award.due_at for award in won)]),
            ),
            lines,
            won,
            replaced,
        )


def pay_checkout(*, checkout_id: str, user_id: str, now: datetime) -> models.CheckoutSale:
    """Begin the payment of the checkout by the card on file. A repeat while it is under way, or after it, gets the same sale.

    Raises CheckoutNotFound, CheckoutExpired, WrongCheckoutState, MayNotBuy, NoUsableCard, NotAwarded.
    """
    with transaction.atomic(using=models.DATABASE):
        checkout = models.Checkout.locked(checkout_id, user_id=user_id)
        if checkout.state in (_State.PAYING, _State.PAID):
            return checkout.sales.exclude(outcome=models.CheckoutSale.Outcome.FAILED).get()
        if checkout.status(now) == models.EXPIRED:
            raise exceptions.CheckoutExpired
        carts.check_buyer(user_id)
        _check_card(user_id)
        checkout.become(_State.PAYING, now=now, failure="")
        owners = _owners(checkout) | _begin_awards(checkout, now)
        sale = models.CheckoutSale.next_of(checkout, now=now)
        outbox.publish(
            models.Outbox,
            contracts.events.SaleConfirmed(
                sale_id=sale.sale_id,
                order_number=sale.order_number,
                user_id=user_id,
                checkout_id=checkout.id,
                price=sale.price,
                currency=checkout.currency,
                shipping=checkout.shipping,
                title=checkout.title,
                lines=tuple(
                    contracts.events.SaleLine(
                        product_id=line.product_id,
                        quantity=line.quantity,
                        price=line.price,
                        title=line.title,
                        owner_id=owners.get(line.product_id, ""),
                        auction_id=line.auction_id,
                    )
                    for line in checkout.sold
                ),
            ),
            now=now,
        )
        return sale


def abandon_checkout(*, checkout_id: str, user_id: str, now: datetime) -> None:
    """Give the checkout up: what it has reserved is free. A repeat changes nothing. Raises CheckoutNotFound, WrongCheckoutState."""
    with transaction.atomic(using=models.DATABASE):
        checkout = models.Checkout.locked(checkout_id, user_id=user_id)
        if checkout.state in (_State.ABANDONED, _State.REFUSED):
            return
        _abandon(checkout, now)


def record_reserved(*, checkout_id: str, now: datetime) -> None:
    """Inventory has reserved all units."""
    with transaction.atomic(using=models.DATABASE):
        checkout = models.Checkout.locked(checkout_id)
        if checkout.can_become(_State.RESERVED):
            checkout.become(_State.RESERVED, now=now)


def record_refused(
    *, checkout_id: str, shortages: Sequence[contracts.events.Shortage], now: datetime
) -> None:
    """Inventory has reserved nothing."""
    with transaction.atomic(using=models.DATABASE):
        checkout = models.Checkout.locked(checkout_id)
        if checkout.can_become(_State.REFUSED):
            checkout.become(_State.REFUSED, now=now, shortages=msgspec.to_builtins(list(shortages)))


def record_settled(*, sale_id: str, now: datetime) -> None:
    """The saga of the sale has succeeded: its checkout is paid, and what it bought leaves the cart."""
    with transaction.atomic(using=models.DATABASE):
        sale, checkout = _locked_sale(sale_id)
        if sale.outcome:
            return
        sale.end(models.CheckoutSale.Outcome.SETTLED, now=now)
        checkout.become(_State.PAID, now=now, failure="")
        awards.settle(models.Award.locked(checkout.award_ids), sale, now=now)
        units = {line.product_id: line.quantity for line in checkout.sold if not line.award_id}
        models.CartLine.take_out(checkout.user_id, units)


def record_failed(
    *, sale_id: str, reason: contracts.events.FailureReason, detail: str, now: datetime
) -> None:
    """The saga of the sale was undone: the buyer may pay again while the time lasts, and is told so."""
    failure = detail or reasons.in_words(reason)
    with transaction.atomic(using=models.DATABASE):
        sale, checkout = _locked_sale(sale_id)
        if sale.outcome:
            return
        sale.end(models.CheckoutSale.Outcome.FAILED, now=now)
        checkout.become(_State.RESERVED, now=now, failure=failure)
        models.Award.become(models.Award.locked(checkout.award_ids), models.AwardState.DUE, now=now)
        may_pay = checkout.status(now) != models.EXPIRED
        event = contracts.events.CheckoutUnpaid(
            checkout_id=checkout.id,
            user_id=checkout.user_id,
            sale_id=sale.sale_id,
            order_number=sale.order_number,
            title=checkout.title,
            reason=reason,
            detail=detail,
            pay_by_at=instants.of(checkout.pay_by) if may_pay else 0,
        )
        outbox.publish(models.Outbox, event, now=now)


def record_offers(offers: Sequence[models.Offer]) -> None:
    """Keep what inventory reports of these offers, of each product the newest."""
    newest = {offer.product_id: offer for offer in sorted(offers, key=lambda offer: offer.version)}
    models.Offer.keep_newest([newest[product_id] for product_id in sorted(newest)])


def _present(user_id: str, key: str, asked: Mapping[str, object]) -> models.Checkout | None:
    """The checkout that was started under the key. Raises KeyReused when it was of other lines."""
    present = models.Checkout.objects.filter(user_id=user_id, key=key).first()
    if present is not None and present.asked != asked:
        raise errors.KeyReused
    return present


def _start(
    checkout: models.Checkout, lines: Sequence[carts.Wanted], won: Sequence[models.Award], replaced: str
) -> models.Checkout:
    """Store the checkout with its lines at our prices, and ask for the units that are not reserved."""
    offers = models.Offer.objects.in_bulk([line.product_id for line in lines])
    carts.check_lines(lines, offers, checkout.currency)
    sold = [
        models.CheckoutLine(
            product_id=line.product_id,
            title=offers[line.product_id].title,
            quantity=line.quantity,
            unit_price=line.unit_price,
        )
        for line in lines
    ]
    units = tuple(contracts.events.Units(product_id=line.product_id, quantity=line.quantity) for line in sold)
    sold += [award.line for award in won]
    _check_products(sold)
    rule = selectors.shipping_rule(checkout.currency)
    sums = totals.totals([(line.price, line.quantity) for line in sold], rule)
    _check_minimum(sums.total, checkout.currency)
    checkout.lines = msgspec.to_builtins(sold)
    checkout.shipping = sums.shipping
    checkout.state = _State.RESERVING if units else _State.RESERVED
    checkout.save(force_insert=True)
    if not units:
        return checkout
    event = contracts.events.CheckoutStarted(
        checkout_id=checkout.id,
        user_id=checkout.user_id,
        units=units,
        expires_at=instants.of(checkout.expires_at),
        replaces=replaced,
    )
    outbox.publish(models.Outbox, event, now=checkout.started_at)
    return checkout


def _check_start(user_id: str, lines: Sequence[carts.Wanted], now: datetime) -> str:
    """The buyer may order these lines of their cart now; the id of the checkout that gave way for it, empty without one."""
    carts.check_buyer(user_id)
    replaced = _replaced(user_id, now)
    _check_cart(user_id, lines)
    return replaced


def _address(user_id: str, address_id: str | None) -> postal.Postal:
    """The address of the buyer's book, or its default. Raises AddressNotFound, AddressMissing."""
    if address_id is not None:
        return models.Address.owned(address_id, user_id=user_id).postal
    default = models.Address.objects.filter(user_id=user_id, is_default=True).first()
    if default is None:
        raise exceptions.AddressMissing(field="address_id")
    return default.postal


def _won(user_id: str, award_ids: Collection[str], currency: str, now: datetime) -> list[models.Award]:
    """These awards of the buyer, who can still pay them. Raises NotAwarded, MixedCurrencies."""
    won = list(models.Award.due_to(user_id, now=now).filter(pk__in=award_ids))
    if missing := sorted(set(award_ids) - {award.pk for award in won}):
        raise exceptions.NotAwarded(sale_id=missing[0], field="awards")
    for award in won:
        if award.currency != currency:
            raise exceptions.MixedCurrencies(product_id=award.product_id, currency=award.currency)
    return won


def _begin_awards(checkout: models.Checkout, now: datetime) -> dict[str, str]:
    """The payment of the checkout's awards begins; the seller of each product. Raises NotAwarded: another checkout has paid one."""
    won = models.Award.locked(checkout.award_ids)
    for award in won:
        if award.state != models.AwardState.DUE:
            raise exceptions.NotAwarded(sale_id=award.pk)
    models.Award.become(won, models.AwardState.PAYING, now=now, checkout=checkout)
    return {award.product_id: award.owner_id for award in won}


def _owners(checkout: models.Checkout) -> dict[str, str]:
    """The seller of each product of the cart."""
    return models.Offer.owners(line.product_id for line in checkout.sold if not line.award_id)


def _check_products(lines: Sequence[models.CheckoutLine]) -> None:
    """A sale has one line for each product, by which its units are shipped and come back. Raises SameProduct."""
    seen: set[str] = set()
    for line in lines:
        if line.product_id in seen:
            raise exceptions.SameProduct(product_id=line.product_id)
        seen.add(line.product_id)


def _replaced(user_id: str, now: datetime) -> str:
    """Give up the buyer's checkout that is under way, for a new one; its id, empty without one. Raises CheckoutUnderWay."""
    running = models.Checkout.running_locked(user_id)
    if running is None:
        return ""
    if running.state == _State.PAYING:
        raise exceptions.CheckoutUnderWay(checkout_id=running.id)
    _abandon(running, now)
    return running.id


def _check_cart(user_id: str, lines: Sequence[carts.Wanted]) -> None:
    """The lines are in the cart as they are: else another tab has changed it, or has ordered them already."""
    in_cart = dict(models.CartLine.of(user_id).values_list("product_id", "quantity"))
    changed = [
        {
            "product_id": line.product_id,
            "asked": line.quantity,
            "in_cart": in_cart.get(line.product_id, 0),
        }
        for line in lines
        if in_cart.get(line.product_id) != line.quantity
    ]
    if changed:
        raise exceptions.CartChanged(lines=changed)


def _check_minimum(total: int, currency: str) -> None:
    least = money.MINIMUM_CHARGE[currency]
    if total < least:
        raise exceptions.BelowMinimum(
            total=money.format(total, currency), minimum=money.format(least, currency), currency=currency
        )


def _abandon(checkout: models.Checkout, now: datetime) -> None:
    checkout.become(_State.ABANDONED, now=now)
    event = contracts.events.CheckoutAbandoned(checkout_id=checkout.id)
    outbox.publish(models.Outbox, event, now=now)


def _check_card(user_id: str) -> None:
    card = models.Card.objects.filter(user_id=user_id).first()
    if card is None or not card.is_usable:
        raise exceptions.NoUsableCard


def _locked_sale(sale_id: str) -> tuple[models.CheckoutSale, models.Checkout]:
    """The sale and its checkout, which is locked until the transaction ends."""
    checkout_id = models.CheckoutSale.objects.values_list("checkout_id", flat=True).get(pk=sale_id)
    checkout = models.Checkout.locked(checkout_id)
    return checkout.sales.get(pk=sale_id), checkout
