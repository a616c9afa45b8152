"""Cards get a version and a suspension; the state of each card that is on file already is published once."""

import uuid

import django.utils.timezone
from django.db import migrations, models

from auction_project.kernel import contracts

BATCH_ROWS = 1000


def publish_cards(apps, schema_editor):
    """Version 1 of every card, usable, as an outbox row: bidding learns the cards that were put on file before."""
    database = schema_editor.connection.alias
    card_rows = apps.get_model("orders", "Card").objects.using(database)
    outbox_rows = apps.get_model("orders", "Outbox").objects.using(database)
    now = django.utils.timezone.now()
    user_ids = card_rows.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=BATCH_ROWS)
    for user_id in user_ids:
        event = contracts.events.CardChanged(user_id=user_id, version=1, usable=True)
        event_id = f"{user_id}:card:1"
        body = contracts.encode(
            event, event_id=event_id, source="orders", time=now, version=1, correlation_id=uuid.uuid4().hex
        )
        outbox_rows.create(
            event_id=event_id,
            topic=event.TOPIC,
            key=event.key(),
            type=type(event).__name__,
            body=body,
            created_at=now,
        )
    card_rows.update(version=1)


class Migration(migrations.Migration):
    dependencies = [("orders", "0002_immutable")]

    operations = [
        migrations.AddField("card", "version", models.BigIntegerField(default=0)),
        migrations.AddField(
            "card",
            "declined_at",
            models.DateTimeField(null=True, help_text="when a payment with this card was declined"),
        ),
        migrations.AlterField(
            "card", "token", models.CharField(blank=True, help_text="empty: no card is on file", max_length=100)
        ),
        migrations.AlterField("card", "brand", models.CharField(blank=True, max_length=30)),
        migrations.AlterField("card", "last4", models.CharField(blank=True, max_length=4)),
        migrations.AlterField("card", "behaviour", models.CharField(blank=True, max_length=30)),
        migrations.RunPython(publish_cards, migrations.RunPython.noop),
        migrations.AddConstraint(
            "card",
            models.CheckConstraint(
                name="orders_card_removed_is_empty",
                condition=~models.Q(token="")
                | models.Q(brand="", last4="", behaviour="", declined_at__isnull=True),
            ),
        ),
    ]
