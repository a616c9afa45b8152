"""What follows a confirmed order: shipments, deliveries, returns and refunds, with the triggers that keep them possible."""

import django.db.models.deletion
from django.db import migrations, models

WRITTEN_ONCE = ("orders_shipment", "orders_delivery", "orders_return", "orders_returnline")

FUNCTIONS = """
CREATE FUNCTION orders_check_fact() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_confirmed boolean;
BEGIN
    IF NEW.kind = 'PLACED' THEN
        RETURN NEW;
    END IF;
    IF NEW.kind = 'CONFIRMED' THEN
        IF EXISTS (SELECT FROM orders_orderfact WHERE order_id = NEW.order_id AND kind = 'CANCELLED') THEN
            RAISE EXCEPTION 'order % is cancelled: it cannot be confirmed', NEW.order_id USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    is_confirmed := EXISTS (SELECT FROM orders_orderfact WHERE order_id = NEW.order_id AND kind = 'CONFIRMED');
    IF NEW.kind = 'CANCELLED' AND is_confirmed THEN
        IF EXISTS (SELECT FROM orders_shipment WHERE order_id = NEW.order_id) THEN
            RAISE EXCEPTION 'order % is shipped: it cannot be cancelled', NEW.order_id USING ERRCODE = 'restrict_violation';
        END IF;
        IF (SELECT coalesce(sum(amount), 0) FROM orders_refund WHERE payment_id = NEW.order_id)
           IS DISTINCT FROM (SELECT amount FROM orders_payment WHERE order_number = NEW.order_id) THEN
            RAISE EXCEPTION 'order % is paid: it is cancelled with a refund of all', NEW.order_id
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF NEW.kind <> 'CANCELLED' AND NOT is_confirmed THEN
        RAISE EXCEPTION 'order % is not confirmed: it cannot be %', NEW.order_id, NEW.kind USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION orders_check_shipment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM orders_order WHERE number = NEW.order_id FOR UPDATE;
    IF NOT EXISTS (SELECT FROM orders_orderfact WHERE order_id = NEW.order_id AND kind = 'CONFIRMED')
       OR EXISTS (SELECT FROM orders_orderfact WHERE order_id = NEW.order_id AND kind = 'CANCELLED') THEN
        RAISE EXCEPTION 'order % is not to be shipped', NEW.order_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION orders_check_return() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    sold orders_orderline%ROWTYPE;
BEGIN
    SELECT * INTO sold FROM orders_orderline WHERE id = NEW.line_id FOR UPDATE;
    IF NOT EXISTS (SELECT FROM orders_shipment WHERE order_id = sold.order_id AND owner_id = sold.owner_id) THEN
        RAISE EXCEPTION 'line % was not shipped', NEW.line_id USING ERRCODE = 'restrict_violation';
    END IF;
    IF (SELECT coalesce(sum(quantity), 0) FROM orders_returnline WHERE line_id = NEW.line_id) + NEW.quantity > sold.quantity THEN
        RAISE EXCEPTION 'line % has no more units to return', NEW.line_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION orders_check_refund() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    paid orders_payment%ROWTYPE;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT * INTO paid FROM orders_payment WHERE order_number = NEW.payment_id FOR UPDATE;
        IF paid.state <> 'CAPTURED' THEN
            RAISE EXCEPTION 'payment % is %', NEW.payment_id, paid.state USING ERRCODE = 'restrict_violation';
        END IF;
        IF NOT EXISTS (SELECT FROM orders_orderfact WHERE order_id = NEW.payment_id AND kind = 'CONFIRMED') THEN
            RAISE EXCEPTION 'order % is not confirmed', NEW.payment_id USING ERRCODE = 'restrict_violation';
        END IF;
        IF (SELECT coalesce(sum(amount), 0) FROM orders_refund WHERE payment_id = NEW.payment_id) + NEW.amount > paid.amount THEN
            RAISE EXCEPTION 'payment % has no more to give back', NEW.payment_id USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a refund is never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (OLD.id, OLD.payment_id, OLD.key, OLD.asked, OLD.amount, OLD.reason, OLD.actor, OLD.created_at)
       IS DISTINCT FROM (NEW.id, NEW.payment_id, NEW.key, NEW.asked, NEW.amount, NEW.reason, NEW.actor, NEW.created_at) THEN
        RAISE EXCEPTION 'a refund keeps its figures' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = 'DONE' THEN
        RAISE EXCEPTION 'a refund that is DONE stays so' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER orders_check_fact BEFORE INSERT ON orders_orderfact FOR EACH ROW EXECUTE FUNCTION orders_check_fact();
CREATE TRIGGER orders_check_shipment BEFORE INSERT ON orders_shipment FOR EACH ROW EXECUTE FUNCTION orders_check_shipment();
CREATE TRIGGER orders_check_return BEFORE INSERT ON orders_returnline FOR EACH ROW EXECUTE FUNCTION orders_check_return();
CREATE TRIGGER orders_check_refund BEFORE INSERT OR UPDATE OR DELETE ON orders_refund
    FOR EACH ROW EXECUTE FUNCTION orders_check_refund();
"""

NO_FUNCTIONS = """
DROP TRIGGER orders_check_refund ON orders_refund;
DROP TRIGGER orders_check_return ON orders_returnline;
DROP TRIGGER orders_check_shipment ON orders_shipment;
DROP TRIGGER orders_check_fact ON orders_orderfact;
DROP FUNCTION orders_check_refund;
DROP FUNCTION orders_check_return;
DROP FUNCTION orders_check_shipment;
DROP FUNCTION orders_check_fact;
"""


def _written_once(table):
    return migrations.RunSQL(
        f"CREATE TRIGGER orders_written_once BEFORE UPDATE OR DELETE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION orders_refuse_change()",
        f"DROP TRIGGER orders_written_once ON {table}",
    )


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0010_addresses'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='order',
            options={'ordering': ['-placed_at', 'number'], 'permissions': [('ship_order', 'Can ship orders, and note that they arrived'), ('cancel_order', 'Can cancel confirmed orders that are not shipped'), ('refund_order', 'Can give money of orders back'), ('return_order', 'Can take units of orders back')]},
        ),
        migrations.CreateModel(
            name='Shipment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('owner_id', models.CharField(blank=True, max_length=64)),
                ('carrier', models.CharField(max_length=60)),
                ('tracking_number', models.CharField(blank=True, max_length=60)),
                ('actor', models.CharField(max_length=64, verbose_name='by')),
                ('at', models.DateTimeField()),
            ],
            options={
                'ordering': ['at', 'id'],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='OrderAddress',
            fields=[
                ('order', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='address_row', serialize=False, to='orders.order')),
                ('address', models.JSONField()),
            ],
            options={
                'verbose_name_plural': 'addresses of orders',
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='Refund',
            fields=[
                ('id', models.CharField(max_length=32, primary_key=True, serialize=False)),
                ('key', models.CharField(max_length=128)),
                ('asked', models.BigIntegerField(null=True)),
                ('amount', models.BigIntegerField(help_text='in minor units')),
                ('reason', models.CharField(max_length=500)),
                ('actor', models.CharField(max_length=64, verbose_name='by')),
                ('state', models.CharField(choices=[('PENDING', 'Pending'), ('DONE', 'Done')], default='PENDING', max_length=10)),
                ('tries', models.PositiveIntegerField(default=0)),
                ('detail', models.TextField(blank=True)),
                ('correlation_id', models.CharField(max_length=100)),
                ('created_at', models.DateTimeField()),
                ('due_at', models.DateTimeField(null=True)),
                ('done_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['created_at', 'id'],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='Return',
            fields=[
                ('id', models.CharField(max_length=32, primary_key=True, serialize=False)),
                ('key', models.CharField(max_length=128)),
                ('digest', models.CharField(max_length=64)),
                ('reason', models.CharField(max_length=500)),
                ('actor', models.CharField(max_length=64, verbose_name='by')),
                ('at', models.DateTimeField()),
            ],
            options={
                'ordering': ['at', 'id'],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='ReturnLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('quantity', models.PositiveIntegerField()),
                ('damaged', models.BooleanField()),
            ],
            options={
                'ordering': ['id'],
                'default_permissions': ('view',),
            },
        ),
        migrations.RemoveConstraint(
            model_name='journalentry',
            name='orders_journal_once_per_kind',
        ),
        migrations.RemoveConstraint(
            model_name='orderfact',
            name='orders_fact_one_end',
        ),
        migrations.RemoveConstraint(
            model_name='orderfact',
            name='orders_fact_kind',
        ),
        migrations.AddField(
            model_name='orderline',
            name='owner_id',
            field=models.CharField(blank=True, default='', max_length=64),
        ),
        migrations.AlterField(
            model_name='journalentry',
            name='kind',
            field=models.CharField(choices=[('CAPTURE', 'Capture'), ('REFUND', 'Refund'), ('SALE', 'Sale'), ('SALE_REFUND', 'Refund of a sale')], max_length=12),
        ),
        migrations.AlterField(
            model_name='orderfact',
            name='kind',
            field=models.CharField(choices=[('PLACED', 'Placed'), ('CONFIRMED', 'Confirmed'), ('CANCELLED', 'Cancelled'), ('SHIPPED', 'Shipped'), ('DELIVERED', 'Delivered'), ('RETURNED', 'Returned'), ('REFUNDED', 'Refunded')], max_length=20),
        ),
        migrations.AddIndex(
            model_name='orderline',
            index=models.Index(fields=['owner_id', 'order'], name='orders_line_of_owner'),
        ),
        migrations.AddConstraint(
            model_name='orderfact',
            constraint=models.UniqueConstraint(condition=models.Q(('kind__in', ['CANCELLED', 'SHIPPED'])), fields=('order',), name='orders_fact_one_end'),
        ),
        migrations.AddConstraint(
            model_name='orderfact',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ('CANCELLED', 'REFUNDED', 'RETURNED', 'DELIVERED', 'SHIPPED', 'CONFIRMED', 'PLACED'))), name='orders_fact_kind'),
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('shipment', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='delivery', serialize=False, to='orders.shipment')),
                ('actor', models.CharField(max_length=64, verbose_name='by')),
                ('at', models.DateTimeField()),
            ],
            options={
                'verbose_name_plural': 'deliveries',
                'default_permissions': ('view',),
            },
        ),
        migrations.AddField(
            model_name='shipment',
            name='order',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='shipments', to='orders.order'),
        ),
        migrations.AddField(
            model_name='refund',
            name='payment',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='refunds', to='orders.payment'),
        ),
        migrations.AddField(
            model_name='journalentry',
            name='refund',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='entry', to='orders.refund'),
        ),
        migrations.AddConstraint(
            model_name='journalentry',
            constraint=models.UniqueConstraint(condition=models.Q(('refund__isnull', True)), fields=('payment', 'kind'), name='orders_journal_once_per_kind'),
        ),
        migrations.AddConstraint(
            model_name='journalentry',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'SALE_REFUND'), ('refund__isnull', False)), models.Q(models.Q(('kind', 'SALE_REFUND'), _negated=True), ('refund__isnull', True)), _connector='OR'), name='orders_journal_refund'),
        ),
        migrations.AddField(
            model_name='return',
            name='order',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='returns', to='orders.order'),
        ),
        migrations.AddField(
            model_name='returnline',
            name='line',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='returns', to='orders.orderline'),
        ),
        migrations.AddField(
            model_name='returnline',
            name='returned',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='orders.return'),
        ),
        migrations.AddConstraint(
            model_name='shipment',
            constraint=models.UniqueConstraint(fields=('order', 'owner_id'), name='orders_shipment_once_per_part'),
        ),
        migrations.AddIndex(
            model_name='refund',
            index=models.Index(condition=models.Q(('state', 'PENDING')), fields=['due_at'], name='orders_refund_due'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.UniqueConstraint(fields=('payment', 'key'), name='orders_refund_once'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0), models.Q(('reason', ''), _negated=True)), name='orders_refund_says_what'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('done_at__isnull', True), ('due_at__isnull', False), ('state', 'PENDING')), models.Q(('done_at__isnull', False), ('due_at__isnull', True), ('state', 'DONE')), _connector='OR'), name='orders_refund_state'),
        ),
        migrations.AddConstraint(
            model_name='return',
            constraint=models.UniqueConstraint(fields=('order', 'key'), name='orders_return_once'),
        ),
        migrations.AddConstraint(
            model_name='return',
            constraint=models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='orders_return_reason'),
        ),
        migrations.AddConstraint(
            model_name='returnline',
            constraint=models.UniqueConstraint(fields=('returned', 'line', 'damaged'), name='orders_return_line_once_per_state'),
        ),
        migrations.AddConstraint(
            model_name='returnline',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__gt', 0)), name='orders_return_line_quantity'),
        ),
        migrations.RunSQL(FUNCTIONS, NO_FUNCTIONS),
        *(_written_once(table) for table in WRITTEN_ONCE),
    ]
