"""The sagas that Gavel runs, as data. Pure: names only; `steps` says which services do the work.

A saga keeps the version that it started with. So never edit a version that open sagas may have: put the new one beside
it, let NEWEST name it, and delete the old one when no open saga has it. A worker that does not know a saga's version
leaves that saga alone.
"""

from collections.abc import Mapping

from sagas import engine

# Compensation goes upwards from the step that was due. No saga turns once confirm_order was started.
_UP_TO_ORDER = (
    engine.Step(
        name="reserve_stock", queue="inventory", compensation="release_stock", refusal="stock_refused"
    ),
    engine.Step(name="assess_risk", queue="orders", refusal="risk_refused"),
    engine.Step(
        name="capture_payment", queue="orders", compensation="refund_payment", refusal="payment_refused"
    ),
    engine.Step(name="place_order", queue="orders", compensation="cancel_order"),
)
_CONFIRM_ORDER = engine.Step(name="confirm_order", queue="orders", is_pivot=True)

# Version 1 gave the reason step_failed when reserved stock could not be committed. Sales of it may still be open.
SETTLE_SALE_1 = engine.Definition(
    name="SETTLE_SALE",
    version=1,
    steps=(
        *_UP_TO_ORDER,
        engine.Step(name="commit_stock", queue="inventory", compensation="restock"),
        _CONFIRM_ORDER,
    ),
)
SETTLE_SALE = engine.Definition(
    name="SETTLE_SALE",
    version=2,
    steps=(
        *_UP_TO_ORDER,
        engine.Step(name="commit_stock", queue="inventory", compensation="restock", refusal="stock_refused"),
        _CONFIRM_ORDER,
    ),
)

NEWEST = SETTLE_SALE
KNOWN: Mapping[tuple[str, int], engine.Definition] = {
    (definition.name, definition.version): definition for definition in (SETTLE_SALE_1, SETTLE_SALE)
}
QUEUES = frozenset(step.queue for definition in KNOWN.values() for step in definition.steps)


def find(name: str, version: int) -> engine.Definition | None:
    """The definition, or None if this release does not know it."""
    return KNOWN.get((name, version))
