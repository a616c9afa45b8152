"""A sale has a reservation for each of its products, and checkouts have reservations that expire."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0006_relisted_and_lost'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='reservation',
            name='inventory_reservation_once',
        ),
        migrations.RemoveConstraint(
            model_name='reservation',
            name='inventory_reservation_holder',
        ),
        migrations.RemoveConstraint(
            model_name='reservation',
            name='inventory_reservation_state',
        ),
        migrations.AddField(
            model_name='reservation',
            name='checkout_id',
            field=models.CharField(blank=True, default='', max_length=64),
        ),
        migrations.AddField(
            model_name='reservation',
            name='expires_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name='reservation',
            name='auction_id',
            field=models.CharField(blank=True, default='', max_length=64),
        ),
        migrations.AlterField(
            model_name='reservation',
            name='kind',
            field=models.CharField(choices=[('LOT', 'Lot'), ('CHECKOUT', 'Checkout'), ('SALE', 'Sale')], max_length=8),
        ),
        migrations.AddIndex(
            model_name='reservation',
            index=models.Index(condition=models.Q(('kind', 'CHECKOUT'), ('state', 'HELD')), fields=['expires_at'], name='inventory_checkout_expires'),
        ),
        migrations.AddConstraint(
            model_name='reservation',
            constraint=models.UniqueConstraint(fields=('holder', 'kind', 'product'), name='inventory_reservation_once'),
        ),
        migrations.AddConstraint(
            model_name='reservation',
            constraint=models.UniqueConstraint(condition=models.Q(('kind', 'LOT')), fields=('holder',), name='inventory_reservation_one_lot'),
        ),
        migrations.AddConstraint(
            model_name='reservation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'SALE'), ('product__isnull', False), ('quantity__gt', 0)), models.Q(('holder', models.F('auction_id')), ('kind', 'LOT')), models.Q(('holder', models.F('checkout_id')), ('kind', 'CHECKOUT'), ('product__isnull', False)), _connector='OR'), name='inventory_reservation_holder'),
        ),
        migrations.AddConstraint(
            model_name='reservation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('expires_at__isnull', False), ('kind', 'CHECKOUT')), models.Q(models.Q(('kind', 'CHECKOUT'), _negated=True), ('expires_at__isnull', True)), _connector='OR'), name='inventory_reservation_expiry'),
        ),
        migrations.AddConstraint(
            model_name='reservation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'SALE'), models.Q(('state', 'REFUSED'), _negated=True)), models.Q(models.Q(('kind', 'SALE'), _negated=True), models.Q(('state', 'COMMITTED'), _negated=True)), _connector='OR'), name='inventory_reservation_state'),
        ),
    ]
