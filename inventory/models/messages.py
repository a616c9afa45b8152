"""The app's outbox, and the keys of what happens once."""

from auction_project.kernel.messaging import once, outbox

DATABASE = "inventory"


class Outbox(outbox.OutboxRow):
    class Meta(outbox.OutboxRow.Meta):
        default_permissions = ()


class Once(once.OnceRow):
    class Meta(once.OnceRow.Meta):
        default_permissions = ()
