"""The ledger is append-only: whoever tries to change or delete a move, by whatever path, is refused by the database."""

from django.db import migrations

REFUSE = """
CREATE FUNCTION inventory_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a move of the stock ledger never changes: correct it by a counter-move'
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER inventory_move_is_immutable BEFORE UPDATE OR DELETE ON inventory_move
    FOR EACH ROW EXECUTE FUNCTION inventory_refuse_change();
"""
ALLOW = """
DROP TRIGGER inventory_move_is_immutable ON inventory_move;
DROP FUNCTION inventory_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("inventory", "0001_tables")]
    operations = [migrations.RunSQL(REFUSE, ALLOW)]
