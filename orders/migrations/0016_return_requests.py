"""What buyers ask to return, with the triggers that keep a request possible and its figures as they are."""

import django.db.models.deletion
from django.db import migrations, models

WRITTEN_ONCE = ("orders_returnrequestline", "orders_returnrequestfact")

FUNCTIONS = """
CREATE FUNCTION orders_guard_return_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a return request is never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (OLD.id, OLD.order_id, OLD.owner_id, OLD.key, OLD.digest, OLD.reason, OLD.at)
       IS DISTINCT FROM (NEW.id, NEW.order_id, NEW.owner_id, NEW.key, NEW.digest, NEW.reason, NEW.at) THEN
        RAISE EXCEPTION 'a return request keeps what it asks for' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (OLD.state, NEW.state) NOT IN (
        ('ASKED', 'ACCEPTED'), ('ASKED', 'DECLINED'), ('ACCEPTED', 'DECLINED'), ('ACCEPTED', 'RETURNED')
    ) THEN
        RAISE EXCEPTION 'a return request that is % cannot become %', OLD.state, NEW.state USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION orders_check_return_request_line() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    sold orders_orderline%ROWTYPE;
BEGIN
    SELECT * INTO sold FROM orders_orderline WHERE id = NEW.line_id FOR UPDATE;
    IF NOT EXISTS (SELECT FROM orders_returnrequest WHERE id = NEW.request_id AND order_id = sold.order_id
                   AND owner_id = sold.owner_id) THEN
        RAISE EXCEPTION 'line % is not of the part of request %', NEW.line_id, NEW.request_id USING ERRCODE = 'restrict_violation';
    END IF;
    IF NOT EXISTS (SELECT FROM orders_shipment WHERE order_id = sold.order_id AND owner_id = sold.owner_id) THEN
        RAISE EXCEPTION 'line % was not shipped', NEW.line_id USING ERRCODE = 'restrict_violation';
    END IF;
    IF (SELECT coalesce(sum(quantity), 0) FROM orders_returnline WHERE line_id = NEW.line_id) + NEW.quantity > sold.quantity THEN
        RAISE EXCEPTION 'line % has no more units to return', NEW.line_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER orders_guard_return_request BEFORE UPDATE OR DELETE ON orders_returnrequest
    FOR EACH ROW EXECUTE FUNCTION orders_guard_return_request();
CREATE TRIGGER orders_check_return_request_line BEFORE INSERT ON orders_returnrequestline
    FOR EACH ROW EXECUTE FUNCTION orders_check_return_request_line();
"""

NO_FUNCTIONS = """
DROP TRIGGER orders_check_return_request_line ON orders_returnrequestline;
DROP TRIGGER orders_guard_return_request ON orders_returnrequest;
DROP FUNCTION orders_check_return_request_line;
DROP FUNCTION orders_guard_return_request;
"""


def _written_once(table):
    return migrations.RunSQL(
        f"CREATE TRIGGER orders_written_once BEFORE UPDATE OR DELETE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION orders_refuse_change()",
        f"DROP TRIGGER orders_written_once ON {table}",
    )


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0015_checkouts_are_viewed'),
    ]

    operations = [
        migrations.CreateModel(
            name='ReturnRequest',
            fields=[
                ('id', models.CharField(max_length=32, primary_key=True, serialize=False)),
                ('owner_id', models.CharField(blank=True, max_length=64, verbose_name='seller')),
                ('key', models.CharField(max_length=128)),
                ('digest', models.CharField(max_length=64)),
                ('reason', models.CharField(max_length=500)),
                ('state', models.CharField(choices=[('ASKED', 'Asked'), ('ACCEPTED', 'Accepted'), ('DECLINED', 'Declined'), ('RETURNED', 'Returned')], default='ASKED', max_length=10)),
                ('at', models.DateTimeField()),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='return_requests', to='orders.order')),
                ('returned', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='requests', to='orders.return')),
            ],
            options={
                'ordering': ['at', 'id'],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='ReturnRequestFact',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('ASKED', 'Asked'), ('ACCEPTED', 'Accepted'), ('DECLINED', 'Declined'), ('RETURNED', 'Returned')], max_length=10)),
                ('actor', models.CharField(max_length=64, verbose_name='by')),
                ('at', models.DateTimeField()),
                ('detail', models.CharField(blank=True, max_length=500)),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='facts', to='orders.returnrequest')),
            ],
            options={
                'ordering': ['at', 'id'],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='ReturnRequestLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('quantity', models.PositiveIntegerField()),
                ('line', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='return_requests', to='orders.orderline')),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='orders.returnrequest')),
            ],
            options={
                'ordering': ['id'],
                'default_permissions': ('view',),
            },
        ),
        migrations.AddConstraint(
            model_name='returnrequest',
            constraint=models.UniqueConstraint(fields=('order', 'owner_id', 'key'), name='orders_return_request_once'),
        ),
        migrations.AddConstraint(
            model_name='returnrequest',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['ASKED', 'ACCEPTED'])), fields=('order', 'owner_id'), name='orders_return_request_one_running'),
        ),
        migrations.AddConstraint(
            model_name='returnrequest',
            constraint=models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='orders_return_request_reason'),
        ),
        migrations.AddConstraint(
            model_name='returnrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('returned__isnull', False), ('state', 'RETURNED')), models.Q(('returned__isnull', True), ('state__in', ['ASKED', 'ACCEPTED', 'DECLINED'])), _connector='OR'), name='orders_return_request_state'),
        ),
        migrations.AddConstraint(
            model_name='returnrequestfact',
            constraint=models.UniqueConstraint(fields=('request', 'kind'), name='orders_return_request_fact_once'),
        ),
        migrations.AddConstraint(
            model_name='returnrequestline',
            constraint=models.UniqueConstraint(fields=('request', 'line'), name='orders_return_request_line_once'),
        ),
        migrations.AddConstraint(
            model_name='returnrequestline',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__gt', 0)), name='orders_return_request_line_units'),
        ),
        migrations.RunSQL(FUNCTIONS, NO_FUNCTIONS),
        *(_written_once(table) for table in WRITTEN_ONCE),
    ]
