"""A product knows whether it is in the shop, so that the stock of others is not compared with searches."""

from django.db import migrations, models

MARK = """
UPDATE inventory_product AS product SET in_shop = TRUE
  FROM inventory_offer AS offer WHERE offer.product_id = product.id AND offer.published;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0011_search'),
    ]

    operations = [
        migrations.AddField(
            model_name='product',
            name='in_shop',
            field=models.BooleanField(default=False),
        ),
        migrations.RunSQL(MARK, migrations.RunSQL.noop),
    ]
