"""Checkouts, the mirror of the offers, and lines of orders, which are written once."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0006_barred'),
    ]

    operations = [
        migrations.CreateModel(
            name='Checkout',
            fields=[
                ('id', models.CharField(max_length=32, primary_key=True, serialize=False)),
                ('user_id', models.CharField(max_length=64)),
                ('key', models.CharField(max_length=128)),
                ('asked', models.JSONField()),
                ('state', models.CharField(choices=[('RESERVING', 'Reserving'), ('RESERVED', 'Reserved'), ('PAYING', 'Paying'), ('PAID', 'Paid'), ('REFUSED', 'Refused'), ('ABANDONED', 'Abandoned')], default='RESERVING', max_length=10)),
                ('lines', models.JSONField()),
                ('shipping', models.BigIntegerField(default=0)),
                ('currency', models.CharField(max_length=3)),
                ('address', models.JSONField(null=True)),
                ('shortages', models.JSONField(default=list)),
                ('failure', models.TextField(blank=True)),
                ('started_at', models.DateTimeField()),
                ('changed_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['-started_at', 'id'],
            },
        ),
        migrations.CreateModel(
            name='CheckoutSale',
            fields=[
                ('sale_id', models.CharField(max_length=100, primary_key=True, serialize=False)),
                ('attempt', models.PositiveIntegerField()),
                ('price', models.BigIntegerField(help_text='total in minor units')),
                ('outcome', models.CharField(blank=True, choices=[('SETTLED', 'Settled'), ('FAILED', 'Failed')], default='', max_length=10)),
                ('at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['at', 'sale_id'],
            },
        ),
        migrations.CreateModel(
            name='Offer',
            fields=[
                ('product_id', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('version', models.BigIntegerField()),
                ('owner_id', models.CharField(max_length=64)),
                ('title', models.TextField()),
                ('slug', models.CharField(max_length=160)),
                ('thumbnail', models.CharField(blank=True, max_length=200)),
                ('price', models.BigIntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('max_per_order', models.PositiveIntegerField()),
                ('published', models.BooleanField()),
            ],
        ),
        migrations.CreateModel(
            name='OrderLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('product_id', models.CharField(max_length=64)),
                ('title', models.TextField()),
                ('quantity', models.PositiveIntegerField()),
                ('amount', models.BigIntegerField(help_text='total of the line in minor units')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.AddField(
            model_name='order',
            name='shipping',
            field=models.BigIntegerField(default=0, help_text='in minor units'),
        ),
        migrations.AlterField(
            model_name='order',
            name='auction_id',
            field=models.CharField(blank=True, default='', max_length=64),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('shipping__gte', 0), ('shipping__lte', models.F('amount'))), name='orders_order_shipping'),
        ),
        migrations.AddIndex(
            model_name='checkout',
            index=models.Index(fields=['user_id', '-started_at'], name='orders_checkout_of_user'),
        ),
        migrations.AddConstraint(
            model_name='checkout',
            constraint=models.UniqueConstraint(fields=('user_id', 'key'), name='orders_checkout_once'),
        ),
        migrations.AddConstraint(
            model_name='checkout',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['RESERVING', 'RESERVED', 'PAYING', 'PAID', 'REFUSED', 'ABANDONED'])), name='orders_checkout_state'),
        ),
        migrations.AddConstraint(
            model_name='checkout',
            constraint=models.CheckConstraint(condition=models.Q(('shipping__gte', 0)), name='orders_checkout_shipping'),
        ),
        migrations.AddConstraint(
            model_name='checkout',
            constraint=models.CheckConstraint(condition=models.Q(('currency__regex', '^[A-Z]{3}$')), name='orders_checkout_currency'),
        ),
        migrations.AddField(
            model_name='checkoutsale',
            name='checkout',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sales', to='orders.checkout'),
        ),
        migrations.AddConstraint(
            model_name='offer',
            constraint=models.CheckConstraint(condition=models.Q(('price__gt', 0)), name='orders_offer_price_positive'),
        ),
        migrations.AddConstraint(
            model_name='offer',
            constraint=models.CheckConstraint(condition=models.Q(('currency__regex', '^[A-Z]{3}$')), name='orders_offer_currency'),
        ),
        migrations.AddField(
            model_name='orderline',
            name='order',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='orders.order'),
        ),
        migrations.AddConstraint(
            model_name='checkoutsale',
            constraint=models.UniqueConstraint(fields=('checkout', 'attempt'), name='orders_checkout_attempt_once'),
        ),
        migrations.AddConstraint(
            model_name='checkoutsale',
            constraint=models.UniqueConstraint(condition=models.Q(('outcome', 'FAILED'), _negated=True), fields=('checkout',), name='orders_checkout_pays_once'),
        ),
        migrations.AddConstraint(
            model_name='checkoutsale',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('outcome', '')), models.Q(('ended_at__isnull', False), ('outcome__in', ['SETTLED', 'FAILED'])), _connector='OR'), name='orders_checkout_sale_outcome'),
        ),
        migrations.AddIndex(
            model_name='orderline',
            index=models.Index(fields=['product_id'], name='orders_line_of_product'),
        ),
        migrations.AddConstraint(
            model_name='orderline',
            constraint=models.UniqueConstraint(fields=('order', 'product_id'), name='orders_line_once_per_product'),
        ),
        migrations.AddConstraint(
            model_name='orderline',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gte', 0), ('quantity__gt', 0)), name='orders_line_sells_something'),
        ),
        migrations.RunSQL(
            "CREATE TRIGGER orders_written_once BEFORE UPDATE OR DELETE ON orders_orderline"
            " FOR EACH ROW EXECUTE FUNCTION orders_refuse_change()",
            "DROP TRIGGER orders_written_once ON orders_orderline",
        ),
    ]
