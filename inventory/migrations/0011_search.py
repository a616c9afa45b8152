"""What searches read, and the searches that users save."""

import django.contrib.postgres.indexes
import django.db.models.deletion
import inventory.models.search
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0010_folded_skus'),
    ]

    operations = [
        migrations.CreateModel(
            name='SavedSearch',
            fields=[
                ('id', models.CharField(max_length=32, primary_key=True, serialize=False)),
                ('user_id', models.CharField(max_length=64, verbose_name='user')),
                ('query', models.JSONField()),
                ('digest', models.CharField(max_length=64)),
                ('anchor', models.CharField(max_length=8)),
                ('created_at', models.DateTimeField()),
                ('matched_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name_plural': 'saved searches',
                'ordering': ['-created_at', 'id'],
                'default_permissions': (),
                'indexes': [models.Index(fields=['anchor', 'id'], name='inventory_saved_search_anchor')],
                'constraints': [models.UniqueConstraint(fields=('user_id', 'digest'), name='inventory_saved_search_once')],
            },
        ),
        migrations.CreateModel(
            name='SearchWord',
            fields=[
                ('word', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('offers', models.IntegerField()),
            ],
            options={
                'ordering': ['word'],
                'default_permissions': (),
                'indexes': [models.Index(condition=models.Q(('offers__gt', 0)), fields=['word'], name='inventory_search_word_begins', opclasses=['text_pattern_ops'])],
            },
        ),
        migrations.CreateModel(
            name='SearchEntry',
            fields=[
                ('product', models.OneToOneField(db_index=False, on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='search_entry', serialize=False, to='inventory.product')),
                ('title_words', inventory.models.search.WordsField()),
                ('words', inventory.models.search.WordsField()),
                ('title_share', models.PositiveSmallIntegerField()),
                ('condition', models.CharField(choices=[('NEW', 'New'), ('LIKE_NEW', 'Like new'), ('GOOD', 'Good'), ('FAIR', 'Fair'), ('FOR_PARTS', 'For parts or repair')], max_length=10)),
                ('currency', models.CharField(max_length=3)),
                ('price', models.BigIntegerField()),
                ('in_stock', models.BooleanField()),
                ('published_at', models.DateTimeField()),
                ('is_compared', models.BooleanField(default=False)),
                ('compared_up_to', models.CharField(default='', max_length=32)),
                ('category', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='inventory.category')),
            ],
            options={
                'ordering': ['product_id'],
                'default_permissions': (),
                'indexes': [django.contrib.postgres.indexes.GinIndex(fastupdate=False, fields=['title_words'], name='inventory_search_title_words'), django.contrib.postgres.indexes.GinIndex(fastupdate=False, fields=['words'], name='inventory_search_words'), models.Index(fields=['currency', 'price', 'product'], name='inventory_search_price'), models.Index(fields=['published_at', 'product'], name='inventory_search_newest'), models.Index(fields=['title_share', 'published_at', 'product'], name='inventory_search_relevance'), models.Index(fields=['currency', 'category', 'condition', 'price', 'in_stock'], name='inventory_search_counts'), models.Index(condition=models.Q(('is_compared', False)), fields=['product'], name='inventory_search_uncompared')],
            },
        ),
    ]
