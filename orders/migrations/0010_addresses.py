"""The address book of each user."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0009_carts'),
    ]

    operations = [
        migrations.CreateModel(
            name='Address',
            fields=[
                ('id', models.CharField(max_length=32, primary_key=True, serialize=False)),
                ('user_id', models.CharField(max_length=64)),
                ('key', models.CharField(max_length=128)),
                ('digest', models.CharField(max_length=64)),
                ('name', models.CharField(max_length=100)),
                ('line1', models.CharField(max_length=120)),
                ('line2', models.CharField(blank=True, max_length=120)),
                ('postal_code', models.CharField(blank=True, max_length=16)),
                ('city', models.CharField(max_length=80)),
                ('country', models.CharField(max_length=2)),
                ('phone', models.CharField(blank=True, max_length=30)),
                ('is_default', models.BooleanField()),
                ('created_at', models.DateTimeField()),
                ('changed_at', models.DateTimeField()),
            ],
            options={
                'verbose_name_plural': 'addresses',
                'ordering': ['-is_default', '-created_at', 'id'],
                'default_permissions': ('view',),
                'constraints': [models.UniqueConstraint(fields=('user_id', 'key'), name='orders_address_once'), models.UniqueConstraint(condition=models.Q(('is_default', True)), fields=('user_id',), name='orders_address_one_default'), models.CheckConstraint(condition=models.Q(('country__regex', '^[A-Z]{2}$')), name='orders_address_country'), models.CheckConstraint(condition=models.Q(models.Q(('name', ''), _negated=True), models.Q(('line1', ''), _negated=True), models.Q(('city', ''), _negated=True)), name='orders_address_complete')],
            },
        ),
    ]
