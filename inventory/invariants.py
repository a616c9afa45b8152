"""The stock's invariants I1, I2 and I3, checked over the raw tables. Each is one SQL statement, hence one snapshot:
the checks are exact on a live system, too.

Reads columns, not models: a checker that shared the code which keeps the invariant could share its mistake.
"""

from django.db import connections

from auction_project.kernel import findings
from inventory import models

MAX_VIOLATIONS = 100

# Every balance, and whether the constraints that keep it above 0 stand. A row: (subject, what is wrong or NULL).
_I1 = """
SELECT 'balance ' || product_id || ' in ' || warehouse_id,
       CASE WHEN least(available, reserved, committed, set_aside) < 0
            THEN format('available %s, reserved %s, committed %s, set aside %s', available, reserved, committed, set_aside)
       END
  FROM inventory_balance
UNION ALL
SELECT 'constraint ' || required.name,
       CASE WHEN present.convalidated IS NOT TRUE THEN 'is missing or not validated' END
  FROM unnest(ARRAY['available', 'reserved', 'committed', 'set_aside']) AS state,
       LATERAL (SELECT 'inventory_balance_' || state AS name) AS required
  LEFT JOIN pg_constraint AS present
    ON present.conname = required.name AND present.conrelid = 'inventory_balance'::regclass AND present.contype = 'c'
"""

# The moves into a state less those out of it, for each product, warehouse and state, against its balance.
_I2 = """
WITH entries AS (
    SELECT product_id, source_warehouse_id AS warehouse_id, source AS state, -quantity AS units FROM inventory_move
    UNION ALL
    SELECT product_id, destination_warehouse_id, destination, quantity FROM inventory_move
), sums AS (
    SELECT product_id, warehouse_id, state, sum(units) AS units FROM entries
     WHERE state IN ('AVAILABLE', 'RESERVED', 'COMMITTED', 'SET_ASIDE') GROUP BY 1, 2, 3
), balances AS (
    SELECT product_id, warehouse_id, state, units FROM inventory_balance,
           LATERAL (VALUES ('AVAILABLE', available), ('RESERVED', reserved), ('COMMITTED', committed),
                           ('SET_ASIDE', set_aside)) AS kept(state, units)
)
SELECT format('%s of %s in %s', state, product_id, warehouse_id),
       CASE WHEN coalesce(sums.units, 0) <> coalesce(balances.units, 0) OR warehouse_id IS NULL
            THEN format('the ledger says %s, the balance %s', coalesce(sums.units, 0), coalesce(balances.units, 0))
       END
  FROM sums FULL JOIN balances USING (product_id, warehouse_id, state)
"""

# One row for each holder and product; a live sale holds exactly its units, and a shipped one names those that it held; a lot
# with stock of its own or a checkout has them all, itself or in its sales; a final reservation holds none; what live ones hold is
# what the balances call reserved and committed; and what shipped ones have not got back is with customers by the ledger.
_I3 = """
WITH claims AS (
    SELECT coalesce(nullif(sale.auction_id, ''), sale.checkout_id) AS source, sale.product_id, sum(holding.from_lot) AS units
      FROM inventory_reservation AS sale JOIN inventory_holding AS holding ON holding.reservation_id = sale.id
     WHERE sale.kind = 'SALE' AND sale.state IN ('HELD', 'COMMITTED', 'SHIPPED') GROUP BY 1, 2
), held AS (
    SELECT reservation.id, reservation.kind, reservation.holder, reservation.state, reservation.product_id,
           reservation.quantity, coalesce(sum(holding.quantity), 0) AS units,
           count(holding.id) AS places, coalesce(claims.units, 0) AS claimed
      FROM inventory_reservation AS reservation
      LEFT JOIN inventory_holding AS holding ON holding.reservation_id = reservation.id
      LEFT JOIN claims ON reservation.kind IN ('LOT', 'CHECKOUT') AND claims.source = reservation.holder
                      AND claims.product_id = reservation.product_id
     GROUP BY reservation.id, claims.units
), by_place AS (
    SELECT reservation.product_id, holding.warehouse_id, reservation.state, sum(holding.quantity) AS units
      FROM inventory_holding AS holding JOIN inventory_reservation AS reservation ON reservation.id = holding.reservation_id
     WHERE reservation.state IN ('HELD', 'COMMITTED') GROUP BY 1, 2, 3
), balances AS (
    SELECT product_id, warehouse_id, state, units FROM inventory_balance,
           LATERAL (VALUES ('HELD', reserved), ('COMMITTED', committed)) AS kept(state, units)
), moved AS (
    SELECT product_id, sum(CASE WHEN destination = 'CUSTOMER' THEN quantity ELSE -quantity END) AS units
      FROM inventory_move WHERE 'CUSTOMER' IN (source, destination) GROUP BY 1
), shipped AS (
    SELECT product_id, sum(quantity - returned) AS units FROM inventory_reservation WHERE state = 'SHIPPED' GROUP BY 1
)
SELECT kind || ' ' || holder,
       CASE WHEN count(*) > 1 THEN format('%s reservations', count(*)) END
  FROM held GROUP BY kind, holder, CASE WHEN kind <> 'LOT' THEN product_id END
UNION ALL
SELECT kind || ' ' || holder,
       CASE WHEN state NOT IN ('HELD', 'COMMITTED', 'SHIPPED', 'RELEASED', 'LOST', 'REFUSED', 'CANCELLED')
              OR (kind = 'SALE' AND state IN ('HELD', 'COMMITTED', 'SHIPPED') AND units <> quantity)
              OR (kind IN ('LOT', 'CHECKOUT') AND state = 'HELD' AND places > 0 AND units + claimed <> quantity)
              OR (state IN ('RELEASED', 'LOST', 'REFUSED', 'CANCELLED') AND units <> 0)
            THEN format('%s holds %s of %s, its sales %s', state, units, quantity, claimed)
       END
  FROM held
UNION ALL
SELECT format('%s units of %s in %s', state, product_id, warehouse_id),
       CASE WHEN coalesce(by_place.units, 0) <> coalesce(balances.units, 0)
            THEN format('reservations have %s, the balance %s', coalesce(by_place.units, 0), coalesce(balances.units, 0))
       END
  FROM by_place FULL JOIN balances USING (product_id, warehouse_id, state)
UNION ALL
SELECT format('units of %s with customers', product_id),
       CASE WHEN coalesce(shipped.units, 0) <> coalesce(moved.units, 0)
            THEN format('reservations have %s, the ledger %s', coalesce(shipped.units, 0), coalesce(moved.units, 0))
       END
  FROM shipped FULL JOIN moved USING (product_id)
"""

_I5 = """
WITH stock AS (SELECT product_id, sum(available) > 0 AS has FROM inventory_balance GROUP BY product_id),
offers AS (
    SELECT offer.product_id, ROW(offer.price, offer.currency, product.condition, product.category_id,
                                 coalesce(stock.has, FALSE), product.in_shop) AS state
      FROM inventory_offer AS offer JOIN inventory_product AS product ON product.id = offer.product_id
      LEFT JOIN stock ON stock.product_id = product.id WHERE offer.published),
entries AS (
    SELECT product_id, ROW(price, currency, condition, category_id, in_stock, TRUE) AS state FROM inventory_searchentry)
SELECT format('offer of %s', product_id),
       CASE WHEN entries.product_id IS NULL THEN 'searches do not find it'
            WHEN offers.product_id IS NULL THEN 'searches find it, and it is not published'
            WHEN offers.state IS DISTINCT FROM entries.state
            THEN format('it is %s, and searches find %s', offers.state, entries.state)
       END
  FROM offers FULL JOIN entries USING (product_id)
"""


def check() -> list[findings.Finding]:
    """All invariants of the stock."""
    return [check_never_negative(), check_ledger(), check_reservations(), check_search()]


def check_never_negative() -> findings.Finding:
    """I1: no state of a balance is negative, and the database would refuse it."""
    return _finding("I1", _I1)


def check_ledger() -> findings.Finding:
    """I2: for each product, warehouse and state, the ledger's sum is the balance."""
    return _finding("I2", _I2)


def check_reservations() -> findings.Finding:
    """I3: each reservation is one row in one state, and holds what its state says."""
    return _finding("I3", _I3)


def check_search() -> findings.Finding:
    """I5: searches find each published offer, as it is, and no other."""
    return _finding("I5", _I5)


def _finding(invariant: str, statement: str) -> findings.Finding:
    """Run a statement that gives (subject, what is wrong or NULL) for each thing it looks at."""
    with connections[models.DATABASE].cursor() as cursor:
        cursor.execute(
            f"WITH looked AS ({statement}) SELECT count(*) OVER (), * FROM looked AS found(subject, wrong) "  # noqa: S608 - constants only
            f"ORDER BY wrong IS NULL, subject LIMIT {MAX_VIOLATIONS}"
        )
        rows = cursor.fetchall()
    return findings.Finding(
        invariant=invariant,
        checked=rows[0][0] if rows else 0,
        violations=tuple(f"{subject}: {wrong}" for _, subject, wrong in rows if wrong is not None),
    )
