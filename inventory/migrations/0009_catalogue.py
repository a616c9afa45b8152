"""Categories, attributes, and several pictures for each product. The picture that a product has becomes its first one, and the
pictures that it had before keep their addresses."""

import django.db.models.constraints
import django.db.models.deletion
from django.db import migrations, models

NO_CIRCLE = """
CREATE FUNCTION inventory_refuse_circle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('inventory_category'));  -- two moves at once could make a circle together
    IF EXISTS (
        WITH RECURSIVE above (id, parent_id) AS (
            SELECT id, parent_id FROM inventory_category WHERE id = NEW.parent_id
            UNION
            SELECT higher.id, higher.parent_id FROM inventory_category AS higher JOIN above ON higher.id = above.parent_id
        ) SELECT FROM above WHERE id = NEW.id
    ) THEN
        RAISE EXCEPTION 'a category cannot be below itself' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER inventory_category_has_no_circle BEFORE INSERT OR UPDATE OF parent_id ON inventory_category
    FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL) EXECUTE FUNCTION inventory_refuse_circle();
"""
CIRCLES = """
DROP TRIGGER inventory_category_has_no_circle ON inventory_category;
DROP FUNCTION inventory_refuse_circle();
"""

KEEP_PICTURES = """
INSERT INTO inventory_picture (product_id, digest, image, thumbnail, alt, position, added_at, added_by)
SELECT id, image_digest, image, thumbnail, '', 0, created_at, created_by FROM inventory_product WHERE image_digest <> '';
INSERT INTO inventory_picture (product_id, digest, image, thumbnail, alt, position, added_at, added_by)
SELECT DISTINCT ON (product_id, image_digest) product_id, image_digest, image, thumbnail, '', NULL::smallint, at, actor
  FROM inventory_correction WHERE image_digest <> '' ORDER BY product_id, image_digest, id
    ON CONFLICT (product_id, digest) DO NOTHING;
SET CONSTRAINTS ALL IMMEDIATE;
"""
# Corrections get no picture back: their former ones are not known any more.
RESTORE_PICTURES = """
UPDATE inventory_product AS product SET image = picture.image, thumbnail = picture.thumbnail
  FROM inventory_picture AS picture WHERE picture.product_id = product.id AND picture.position = 0;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0008_offers'),
    ]

    operations = [
        migrations.CreateModel(
            name='Category',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(max_length=80, unique=True)),
                ('name', models.CharField(max_length=60)),
                ('position', models.PositiveIntegerField()),
                ('parent', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='children', to='inventory.category')),
            ],
            options={
                'verbose_name_plural': 'categories',
                'ordering': ['position', 'id'],
                'default_permissions': ('add', 'change', 'view'),
                'constraints': [models.UniqueConstraint(fields=('parent', 'name'), name='inventory_category_once', nulls_distinct=False), models.CheckConstraint(condition=models.Q(('parent__isnull', True), models.Q(('parent', models.F('id')), _negated=True), _connector='OR'), name='inventory_category_elsewhere')],
            },
        ),
        migrations.RunSQL(NO_CIRCLE, CIRCLES),
        migrations.AddField(
            model_name='product',
            name='category',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='products', to='inventory.category'),
        ),
        migrations.AddField(
            model_name='product',
            name='attributes',
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name='correction',
            name='category',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='inventory.category'),
        ),
        migrations.AddField(
            model_name='correction',
            name='attributes',
            field=models.JSONField(default=list),
        ),
        migrations.CreateModel(
            name='Picture',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(max_length=64)),
                ('image', models.FileField(max_length=120, upload_to='')),
                ('thumbnail', models.FileField(max_length=120, upload_to='')),
                ('alt', models.CharField(blank=True, max_length=200, verbose_name='alternative text')),
                ('position', models.PositiveSmallIntegerField(null=True)),
                ('added_at', models.DateTimeField()),
                ('added_by', models.CharField(max_length=64)),
                ('product', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='pictures', to='inventory.product')),
            ],
            options={
                'ordering': ['position', 'id'],
                'default_permissions': ('view',),
                'constraints': [models.UniqueConstraint(fields=('product', 'digest'), name='inventory_picture_once'), models.UniqueConstraint(deferrable=django.db.models.constraints.Deferrable['DEFERRED'], fields=('product', 'position'), name='inventory_picture_order'), models.CheckConstraint(condition=models.Q(('digest', ''), _negated=True), name='inventory_picture_has_content')],
            },
        ),
        migrations.RunSQL(KEEP_PICTURES, RESTORE_PICTURES),
        migrations.RemoveField(
            model_name='correction',
            name='image',
        ),
        migrations.RemoveField(
            model_name='correction',
            name='image_digest',
        ),
        migrations.RemoveField(
            model_name='correction',
            name='thumbnail',
        ),
        migrations.RemoveField(
            model_name='product',
            name='image',
        ),
        migrations.RemoveField(
            model_name='product',
            name='thumbnail',
        ),
    ]
