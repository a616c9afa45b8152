"""What the owner's desk records of events. It has a group of its own, so that nothing of a sale waits for it.

It has no inbox, because its rows recognise repeats (`recording`).
"""

from auction_project.kernel.messaging import consuming
from orders.desk import recording

SUBSCRIPTION = consuming.Subscription(
    group="desk", inbox=None, handlers=dict.fromkeys(recording.TYPES, recording.record)
)
