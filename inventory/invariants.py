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

# One row for each holder; a live sale holds exactly its units, a lot with stock of its own has them all, itself or in
# its sales; a final reservation holds none; and what live ones hold is what the balances call reserved and committed.
_I3 = """
WITH claims AS (
    SELECT sale.auction_id, sum(holding.from_lot) AS units
      FROM inventory_reservation AS sale JOIN inventory_holding AS holding ON holding.reservation_id = sale.id
     WHERE sale.kind = 'SALE' AND sale.state IN ('HELD', 'COMMITTED') GROUP BY 1
), held AS (
    SELECT reservation.id, reservation.kind, reservation.holder, reservation.state, reservation.product_id,
           reservation.quantity, coalesce(sum(holding.quantity), 0) AS units,
           count(holding.id) AS places, coalesce(claims.units, 0) AS claimed
      FROM inventory_reservation AS reservation
      LEFT JOIN inventory_holding AS holding ON holding.reservation_id = reservation.id
      LEFT JOIN claims ON reservation.kind = 'LOT' AND claims.auction_id = reservation.holder
     GROUP BY reservation.id, claims.units
), by_place AS (
    SELECT reservation.product_id, holding.warehouse_id, reservation.state, sum(holding.quantity) AS units
      FROM inventory_holding AS holding JOIN inventory_reservation AS reservation ON reservation.id = holding.reservation_id
     WHERE reservation.state IN ('HELD', 'COMMITTED') GROUP BY 1, 2, 3
), balances AS (
    SELECT product_id, warehouse_id, state, units FROM inventory_balance,
           LATERAL (VALUES ('HELD', reserved), ('COMMITTED', committed)) AS kept(state, units)
)
SELECT kind || ' ' || holder,
       CASE WHEN count(*) > 1 THEN format('%s reservations', count(*)) END
  FROM held GROUP BY kind, holder
UNION ALL
SELECT kind || ' ' || holder,
       CASE WHEN state NOT IN ('HELD', 'COMMITTED', 'RELEASED', 'LOST', 'REFUSED')
              OR (kind = 'SALE' AND state IN ('HELD', 'COMMITTED') AND units <> quantity)
              OR (kind = 'LOT' AND state = 'HELD' AND places > 0 AND units + claimed <> quantity)
              OR (state IN ('RELEASED', 'LOST', 'REFUSED') AND units <> 0)
            THEN format('%s holds %s of %s, its sales %s', state, units, quantity, claimed)
       END
  FROM held
UNION ALL
SELECT format('%s units of %s in %s', state, product_id, warehouse_id),
       CASE WHEN coalesce(by_place.units, 0) <> coalesce(balances.units, 0)
            THEN format('reservations have %s, the balance %s', coalesce(by_place.units, 0), coalesce(balances.units, 0))
       END
  FROM by_place FULL JOIN balances USING (product_id, warehouse_id, state)
"""


def check() -> list[findings.Finding]:
    """All invariants of the stock."""
    return [check_never_negative(), check_ledger(), check_reservations()]


def check_never_negative() -> findings.Finding:
    """I1: no state of a balance is negative, and the database would refuse it."""
    return _finding("I1", _I1)


def check_ledger() -> findings.Finding:
    """I2: for each product, warehouse and state, the ledger's sum is the balance."""
    return _finding("I2", _I2)


def check_reservations() -> findings.Finding:
    """I3: each reservation is one row in one state, and holds what its state says."""
    return _finding("I3", _I3)


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
