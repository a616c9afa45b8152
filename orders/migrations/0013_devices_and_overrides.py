"""The devices of accounts, the buyers whom operators accept despite their score, and the limit of each score."""

from django.db import migrations, models

WRITTEN_ONCE = (
    "CREATE TRIGGER orders_written_once BEFORE UPDATE OR DELETE ON orders_riskoverride"
    " FOR EACH ROW EXECUTE FUNCTION orders_refuse_change()"
)


class Migration(migrations.Migration):
    dependencies = [("orders", "0012_desk")]

    operations = [
        migrations.AddField(
            "riskassessment", "limit", models.PositiveIntegerField(db_default=80, default=80)
        ),
        migrations.CreateModel(
            name="Device",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("user_id", models.CharField(max_length=64)),
                ("device", models.CharField(max_length=64)),
                ("first_seen_at", models.DateTimeField()),
                ("last_seen_at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["device", "user_id"], name="orders_device_of_accounts"),
                    models.Index(fields=["last_seen_at"], name="orders_device_age"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("user_id", "device"), name="orders_device_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="RiskOverride",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("user_id", models.CharField(max_length=64)),
                ("actor", models.CharField(max_length=64)),
                ("reason", models.CharField(max_length=500)),
                ("at", models.DateTimeField()),
                ("until", models.DateTimeField()),
            ],
            options={
                "verbose_name": "accepted buyer",
                "ordering": ["-id"],
                "permissions": [("override_risk", "Can accept buyers despite their risk score")],
                "default_permissions": ("view",),
                "indexes": [models.Index(fields=["user_id", "-id"], name="orders_override_of_user")],
                "constraints": [
                    models.CheckConstraint(
                        condition=~models.Q(reason=""), name="orders_override_has_reason"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(until__gte=models.F("at")), name="orders_override_until"
                    ),
                ],
            },
        ),
        migrations.RunSQL(
            WRITTEN_ONCE, "DROP TRIGGER orders_written_once ON orders_riskoverride"
        ),
    ]
