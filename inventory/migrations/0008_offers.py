"""Offers of the shop, and their prices before."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0007_checkouts'),
    ]

    operations = [
        migrations.CreateModel(
            name='Offer',
            fields=[
                ('product', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='offer', serialize=False, to='inventory.product')),
                ('price', models.BigIntegerField(help_text='for one unit, in minor units')),
                ('currency', models.CharField(max_length=3)),
                ('max_per_order', models.PositiveIntegerField(verbose_name='at most in one order')),
                ('published', models.BooleanField()),
                ('slug', models.SlugField(max_length=160, unique=True)),
                ('version', models.PositiveBigIntegerField(default=0)),
                ('changed_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['product_id'],
                'permissions': [('change_offer', 'Can set prices and publish offers')],
                'default_permissions': ('view',),
                'constraints': [models.CheckConstraint(condition=models.Q(('max_per_order__gt', 0), ('price__gt', 0)), name='inventory_offer_sells_something'), models.CheckConstraint(condition=models.Q(('currency__regex', '^[A-Z]{3}$')), name='inventory_offer_currency')],
            },
        ),
        migrations.CreateModel(
            name='OfferPrice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('price', models.BigIntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('actor', models.CharField(max_length=64, verbose_name='set by')),
                ('at', models.DateTimeField(verbose_name='from')),
                ('offer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='prices', to='inventory.offer')),
            ],
            options={
                'ordering': ['-id'],
                'default_permissions': ('view',),
            },
        ),
    ]
