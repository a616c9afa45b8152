"""Carts, and at most one checkout of a buyer under way."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0008_lines_of_orders'),
    ]

    operations = [
        migrations.CreateModel(
            name='CartLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('user_id', models.CharField(max_length=64)),
                ('product_id', models.CharField(max_length=64)),
                ('quantity', models.PositiveIntegerField()),
                ('seen_price', models.BigIntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('added_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['added_at', 'id'],
                'default_permissions': ('view',),
            },
        ),
        migrations.AddConstraint(
            model_name='checkout',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['RESERVING', 'RESERVED', 'PAYING'])), fields=('user_id',), name='orders_checkout_one_running'),
        ),
        migrations.AddConstraint(
            model_name='cartline',
            constraint=models.UniqueConstraint(fields=('user_id', 'product_id'), name='orders_cart_line_once_per_product'),
        ),
        migrations.AddConstraint(
            model_name='cartline',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__gt', 0), ('seen_price__gt', 0)), name='orders_cart_line_holds_something'),
        ),
        migrations.AddConstraint(
            model_name='cartline',
            constraint=models.CheckConstraint(condition=models.Q(('currency__regex', '^[A-Z]{3}$')), name='orders_cart_line_currency'),
        ),
    ]
