"""Triggers: what is written once stays; a payment keeps its figures and its end; debits equal credits at each commit."""

from django.db import migrations

WRITTEN_ONCE = (
    "orders_order",
    "orders_orderfact",
    "orders_paymentfact",
    "orders_journalentry",
    "orders_posting",
    "orders_riskassessment",
)

FUNCTIONS = """
CREATE FUNCTION orders_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is written once: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION orders_guard_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a payment is never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (OLD.order_number, OLD.key, OLD.user_id, OLD.sale_id, OLD.auction_id, OLD.title, OLD.amount, OLD.currency,
        OLD.token, OLD.started_at)
       IS DISTINCT FROM
       (NEW.order_number, NEW.key, NEW.user_id, NEW.sale_id, NEW.auction_id, NEW.title, NEW.amount, NEW.currency,
        NEW.token, NEW.started_at) THEN
        RAISE EXCEPTION 'a payment keeps its figures' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state IN ('DECLINED', 'CANCELLED', 'REFUNDED') AND NEW.state <> OLD.state THEN
        RAISE EXCEPTION 'a payment that is % stays so', OLD.state USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION orders_check_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    difference numeric;
BEGIN
    SELECT coalesce(sum(abs(total)), 0) INTO difference
    FROM (SELECT sum(debit) - sum(credit) AS total FROM orders_posting WHERE entry_id = NEW.entry_id GROUP BY currency) AS sums;
    IF difference <> 0 THEN
        RAISE EXCEPTION 'journal entry % is out of balance by %', NEW.entry_id, difference USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER orders_guard_payment BEFORE UPDATE OR DELETE ON orders_payment
    FOR EACH ROW EXECUTE FUNCTION orders_guard_payment();
CREATE CONSTRAINT TRIGGER orders_check_balance AFTER INSERT ON orders_posting DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION orders_check_balance();
"""

NO_FUNCTIONS = """
DROP TRIGGER orders_check_balance ON orders_posting;
DROP TRIGGER orders_guard_payment ON orders_payment;
DROP FUNCTION orders_check_balance;
DROP FUNCTION orders_guard_payment;
DROP FUNCTION orders_refuse_change;
"""


def _written_once(table):
    return migrations.RunSQL(
        f"CREATE TRIGGER orders_written_once BEFORE UPDATE OR DELETE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION orders_refuse_change()",
        f"DROP TRIGGER orders_written_once ON {table}",
    )


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial")]

    operations = [migrations.RunSQL(FUNCTIONS, NO_FUNCTIONS), *(_written_once(table) for table in WRITTEN_ONCE)]
