"""A sale has lines; it is of an auction or of a checkout. A sale of the former shape becomes a sale with one line."""

from django.db import migrations, models

LINES = """
UPDATE sagas_saga SET lines = jsonb_build_array(
    jsonb_build_object('product_id', product_id, 'quantity', quantity, 'price', price, 'title', title)
)
"""


class Migration(migrations.Migration):
    dependencies = [("sagas", "0004_longer_names")]

    operations = [
        migrations.AddField("saga", "lines", models.JSONField(default=list), preserve_default=False),
        migrations.RunSQL(LINES, migrations.RunSQL.noop),
        migrations.AddField("saga", "shipping", models.BigIntegerField(default=0)),
        migrations.AddField("saga", "checkout_id", models.CharField(blank=True, default="", max_length=100)),
        migrations.AlterField("saga", "auction_id", models.CharField(blank=True, default="", max_length=100)),
        migrations.RemoveConstraint("saga", "saga_sells_something"),
        migrations.RemoveField("saga", "quantity"),
        migrations.AddConstraint(
            "saga",
            models.CheckConstraint(
                name="saga_sells_something",
                condition=~models.Q(lines=[]) & models.Q(price__gte=0, shipping__gte=0),
            ),
        ),
        migrations.AddConstraint(
            "saga",
            models.CheckConstraint(
                name="saga_is_of_an_auction_or_a_checkout",
                condition=models.Q(auction_id="") ^ models.Q(checkout_id=""),
            ),
        ),
    ]
