"""SKUs are unique in their folded form. Of products whose SKUs are the same in that form, the oldest keeps its own; each later one
gets the first free of "-2", "-3" … behind it, and the migration names both."""

import unicodedata

from django.db import migrations, models

MAX_SKU_CHARACTERS = 40
BATCH = 1000


def folded(sku):
    """As `inventory.texts.folded` when this migration was written."""
    once = unicodedata.normalize("NFKC", _line(sku)).casefold()
    return _line(unicodedata.normalize("NFKC", once))


def _line(text):
    shown = (one for one in " ".join(text.split()) if one in "\u200c\u200d" or unicodedata.category(one)[0] != "C")
    return "".join(shown).strip()


def fold(apps, schema_editor):
    products = apps.get_model("inventory", "Product").objects.using(schema_editor.connection.alias)
    taken = {}
    rows = list(products.order_by("created_at", "id").only("id", "sku"))
    for product in rows:  # those that are alone first of all: a new SKU must not take the one of another
        taken.setdefault(folded(product.sku), product.id)
    for product in rows:
        if taken[folded(product.sku)] != product.id:
            former = product.sku
            product.sku = _free(former, taken)
            taken[folded(product.sku)] = product.id
            print(f"\n  product {product.id}: the SKU {former!r} is now {product.sku!r}, because an older one has it", end="")
        product.sku_folded = folded(product.sku)
    products.bulk_update(rows, ["sku", "sku_folded"], batch_size=BATCH)


def _free(sku, taken):
    number = 2
    while True:
        suffix = f"-{number}"
        wanted = sku[: MAX_SKU_CHARACTERS - len(suffix)] + suffix
        if folded(wanted) not in taken:
            return wanted
        number += 1


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0009_catalogue'),
    ]

    operations = [
        migrations.AddField(
            model_name='product',
            name='sku_folded',
            field=models.CharField(editable=False, max_length=800, null=True),
        ),
        migrations.AlterField(
            model_name='product',
            name='sku',
            field=models.CharField(db_index=True, max_length=40, verbose_name='SKU'),
        ),
        migrations.RunPython(fold, migrations.RunPython.noop),
        migrations.AlterField(
            model_name='product',
            name='sku_folded',
            field=models.CharField(editable=False, max_length=800, unique=True),
        ),
    ]
