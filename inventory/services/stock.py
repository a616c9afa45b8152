"""What a clerk does by hand. Each change names the clerk, and goes through the books.

A form that is sent twice under one `key` is one change; the same key with other figures is refused. A refused form may be
sent again, corrected, under its key.
"""

from datetime import datetime

from django.db import transaction

from inventory import books, ledger, models, refusals
from inventory.services import form_keys, losses

MAX_REASON_CHARACTERS = 200


def receive_stock(
    *, key: str, product_id: str, warehouse: str, quantity: int, actor: str, now: datetime, reason: str = ""
) -> form_keys.Outcome:
    """Units arrive from the supplier; the product's figures.

    Raises FormReused, InvalidFigure, UnknownProduct, UnknownWarehouse.
    """
    _check_units(quantity, "quantity")

    def effect() -> form_keys.Outcome:
        leg = ledger.Leg(quantity, ledger.SUPPLIER, ledger.available_in(warehouse))
        cause = _cause(models.MoveKind.RECEIVE, key, reason, actor, now)
        with books.opened([product_id]) as stock:
            return stock.post(stock.product(product_id), [leg], cause).as_dict()

    form = _form(models.MoveKind.RECEIVE, product_id, warehouse=warehouse, quantity=quantity)
    return form_keys.perform(form, _own(key), effect, now=now)


def adjust_stock(
    *,
    key: str,
    product_id: str,
    warehouse: str,
    expected: int,
    counted: int,
    reason: str,
    actor: str,
    now: datetime,
    confirmation: str = "",
) -> form_keys.Outcome:
    """Set the units on hand to `counted`, provided that they are still `expected`; the product's figures.

    When reserved units are missing, lots and sales lose them: LotsConcerned names these and a `confirmation`, which
    the same count must carry. Sold units cannot be missing. Raises StaleFigure with the present figure, LotsConcerned,
    FormReused, InsufficientStock, InvalidFigure, UnknownProduct, UnknownWarehouse.
    """
    _check_units(counted, "counted", least=0)
    if not reason.strip():
        raise refusals.InvalidFigure("An adjustment needs a reason.", field="reason")

    def effect() -> form_keys.Outcome:
        cause = _cause(models.MoveKind.ADJUST, key, reason, actor, now)
        with books.opened([product_id]) as stock:
            product = stock.product(product_id)
            present = _present(stock, product, warehouse)
            if present != expected:
                raise refusals.StaleFigure(
                    f"The stock has changed since you looked: {refusals.units(present)} on hand now, not {expected}.",
                    present=present,
                    expected=expected,
                )
            if counted == present:
                return stock.figures(product).as_dict()
            if counted > present:
                leg = ledger.Leg(counted - present, ledger.LOSS, ledger.available_in(warehouse))
                return stock.post(product, [leg], cause).as_dict()
            loss = losses.assess(stock, product, warehouse, present - counted)
            if loss.confirmation and loss.confirmation != confirmation:
                raise refusals.LotsConcerned(confirmation=loss.confirmation, lots=loss.concerned)
            return losses.book(stock, product, loss, cause).as_dict()

    form = _form(models.MoveKind.ADJUST, product_id, warehouse=warehouse, expected=expected, counted=counted)
    return form_keys.perform(form, _own(key), effect, now=now)


def transfer_stock(
    *,
    key: str,
    product_id: str,
    source: str,
    destination: str,
    quantity: int,
    actor: str,
    now: datetime,
    reason: str = "",
) -> form_keys.Outcome:
    """Free units go from one warehouse to another; the product's figures.

    Raises SameWarehouse, FormReused, InsufficientStock, InvalidFigure, UnknownProduct, UnknownWarehouse.
    """
    _check_units(quantity, "quantity")
    if source == destination:
        raise refusals.SameWarehouse

    def effect() -> form_keys.Outcome:
        leg = ledger.Leg(quantity, ledger.available_in(source), ledger.available_in(destination))
        cause = _cause(models.MoveKind.TRANSFER, key, reason, actor, now)
        with books.opened([product_id]) as stock:
            return stock.post(stock.product(product_id), [leg], cause).as_dict()

    form = _form(
        models.MoveKind.TRANSFER, product_id, source=source, destination=destination, quantity=quantity
    )
    return form_keys.perform(form, _own(key), effect, now=now)


def set_threshold(*, product_id: str, threshold: int, now: datetime) -> models.Product:
    """Set the number of free units at or below which operators are notified; 0 is never. Raises InvalidFigure, UnknownProduct."""
    _check_units(threshold, "threshold", least=0)
    with transaction.atomic(using=models.DATABASE), books.opened([product_id]) as stock:
        product = stock.product(product_id)
        if product.low_threshold != threshold:
            product.low_threshold = threshold
            stock.restate(product, now=now)
        return product


def _present(stock: books.Books, product: models.Product, warehouse: str) -> int:
    """The product's units on hand in the warehouse. Raises UnknownWarehouse."""
    balances = {balance.warehouse_id: balance for balance in stock.balances(product)}
    if warehouse in balances:
        return balances[warehouse].on_hand
    if not models.Warehouse.objects.filter(code=warehouse).exists():
        raise refusals.UnknownWarehouse(warehouse=warehouse)
    return 0


def _check_units(units: int, field: str, *, least: int = 1) -> None:
    if not least <= units <= models.MAX_UNITS:
        raise refusals.InvalidFigure(
            f"This must be between {least} and {models.MAX_UNITS}.",
            field=field,
            least=least,
            most=models.MAX_UNITS,
        )


def _own(key: str) -> str:
    """A clerk's keys are apart from the sagas', whichever key a browser sends."""
    return f"desk:{key}"


def _form(kind: models.MoveKind, product_id: str, **figures: str | int) -> form_keys.Form:
    return {"kind": kind.value, "product_id": product_id, **figures}


def _cause(kind: models.MoveKind, key: str, reason: str, actor: str, now: datetime) -> ledger.Cause:
    return ledger.Cause(
        kind=kind, reference=_own(key), actor=actor, reason=reason.strip()[:MAX_REASON_CHARACTERS], now=now
    )
