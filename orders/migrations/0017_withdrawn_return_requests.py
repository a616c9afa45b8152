"""A buyer may withdraw a request for a return, which the trigger that guards it allows."""

from django.db import migrations, models

_GUARD = """
CREATE OR REPLACE FUNCTION orders_guard_return_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a return request is never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (OLD.id, OLD.order_id, OLD.owner_id, OLD.key, OLD.digest, OLD.reason, OLD.at)
       IS DISTINCT FROM (NEW.id, NEW.order_id, NEW.owner_id, NEW.key, NEW.digest, NEW.reason, NEW.at) THEN
        RAISE EXCEPTION 'a return request keeps what it asks for' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (OLD.state, NEW.state) NOT IN (%s) THEN
        RAISE EXCEPTION 'a return request that is %% cannot become %%', OLD.state, NEW.state USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""
_BEFORE = "('ASKED', 'ACCEPTED'), ('ASKED', 'DECLINED'), ('ACCEPTED', 'DECLINED'), ('ACCEPTED', 'RETURNED')"
_WITHDRAWN = "('ASKED', 'WITHDRAWN'), ('ACCEPTED', 'WITHDRAWN')"


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0016_return_requests'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='returnrequest',
            name='orders_return_request_state',
        ),
        migrations.AlterField(
            model_name='returnrequest',
            name='state',
            field=models.CharField(choices=[('ASKED', 'Asked'), ('ACCEPTED', 'Accepted'), ('DECLINED', 'Declined'), ('RETURNED', 'Returned'), ('WITHDRAWN', 'Withdrawn')], default='ASKED', max_length=10),
        ),
        migrations.AlterField(
            model_name='returnrequestfact',
            name='kind',
            field=models.CharField(choices=[('ASKED', 'Asked'), ('ACCEPTED', 'Accepted'), ('DECLINED', 'Declined'), ('RETURNED', 'Returned'), ('WITHDRAWN', 'Withdrawn')], max_length=10),
        ),
        migrations.AddConstraint(
            model_name='returnrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('returned__isnull', False), ('state', 'RETURNED')), models.Q(('returned__isnull', True), ('state__in', ['ASKED', 'ACCEPTED', 'DECLINED', 'WITHDRAWN'])), _connector='OR'), name='orders_return_request_state'),
        ),
        migrations.RunSQL(_GUARD % f"{_BEFORE}, {_WITHDRAWN}", _GUARD % _BEFORE),
    ]
