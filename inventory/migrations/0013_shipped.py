"""Units of a sale leave for the customer, and come back."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0012_in_shop'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='reservation',
            name='inventory_reservation_state',
        ),
        migrations.AddField(
            model_name='reservation',
            name='returned',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name='move',
            name='destination',
            field=models.CharField(choices=[('AVAILABLE', 'Available'), ('RESERVED', 'Reserved'), ('COMMITTED', 'Committed'), ('SET_ASIDE', 'Set aside'), ('SUPPLIER', 'Supplier'), ('CUSTOMER', 'Customer'), ('LOSS', 'Loss')], max_length=10, verbose_name='to'),
        ),
        migrations.AlterField(
            model_name='move',
            name='kind',
            field=models.CharField(choices=[('RECEIVE', 'Received'), ('ADJUST', 'Adjusted'), ('TRANSFER', 'Transferred'), ('RESERVE', 'Reserved'), ('RELEASE', 'Released'), ('COMMIT', 'Committed'), ('RESTOCK', 'Restocked'), ('SHIP', 'Shipped'), ('RETURN', 'Returned')], max_length=10),
        ),
        migrations.AlterField(
            model_name='move',
            name='source',
            field=models.CharField(choices=[('AVAILABLE', 'Available'), ('RESERVED', 'Reserved'), ('COMMITTED', 'Committed'), ('SET_ASIDE', 'Set aside'), ('SUPPLIER', 'Supplier'), ('CUSTOMER', 'Customer'), ('LOSS', 'Loss')], max_length=10, verbose_name='from'),
        ),
        migrations.AlterField(
            model_name='reservation',
            name='state',
            field=models.CharField(choices=[('HELD', 'Held'), ('COMMITTED', 'Committed'), ('RELEASED', 'Released'), ('LOST', 'Lost'), ('REFUSED', 'Refused'), ('SHIPPED', 'Shipped'), ('CANCELLED', 'Cancelled')], max_length=10),
        ),
        migrations.AddConstraint(
            model_name='reservation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'SALE'), models.Q(('state', 'REFUSED'), _negated=True)), models.Q(models.Q(('kind', 'SALE'), _negated=True), models.Q(('state__in', ['COMMITTED', 'SHIPPED', 'CANCELLED']), _negated=True)), _connector='OR'), name='inventory_reservation_state'),
        ),
        migrations.AddConstraint(
            model_name='reservation',
            constraint=models.CheckConstraint(condition=models.Q(('returned', 0), models.Q(('returned__lte', models.F('quantity')), ('state', 'SHIPPED')), _connector='OR'), name='inventory_reservation_returned'),
        ),
    ]
