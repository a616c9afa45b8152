"""Tables for these tests alone: an app's outbox and inbox, and the effects of its handler.

They belong to no installed app and have no migration; `conftest.event_tables` creates them in the test database.
"""

from django.db import models

from auction_project.kernel.messaging import once, outbox

APP = "msgtest"


class Outbox(outbox.OutboxRow):
    class Meta(outbox.OutboxRow.Meta):
        app_label = APP


class Once(once.OnceRow):
    class Meta(once.OnceRow.Meta):
        app_label = APP


class Applied(models.Model):
    """One effect of one event, in the order of the effects."""

    key = models.CharField(max_length=100)
    number = models.IntegerField()
    member = models.CharField(max_length=100)

    class Meta:
        app_label = APP

    def __str__(self) -> str:
        return f"{self.key} {self.number}"


ALL = (Outbox, Once, Applied)
