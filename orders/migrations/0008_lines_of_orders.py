"""An order from before lines becomes an order with one line."""

from django.db import migrations

LINES = """
INSERT INTO orders_orderline (order_id, product_id, title, quantity, amount)
    SELECT number, product_id, title, quantity, amount FROM orders_order ORDER BY placed_at, number;
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0007_lines_and_checkouts")]

    operations = [
        migrations.RunSQL(LINES, migrations.RunSQL.noop),
        migrations.RemoveConstraint("order", "orders_order_quantity_positive"),
        migrations.RemoveField("order", "product_id"),
        migrations.RemoveField("order", "quantity"),
    ]
