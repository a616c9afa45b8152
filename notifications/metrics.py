"""The metrics of the notifications."""

from auction_project.kernel import metrics

_WEB = ("web",)

sockets = metrics.gauge("gavel_push_sockets", "Connected clients.", ["transport"], roles=_WEB)
frames_sent = metrics.counter(
    "gavel_push_frames_total", "Frames handed to a client's connection.", ["transport"], roles=_WEB
)
frame_seconds = metrics.histogram(
    "gavel_push_frame_seconds",
    "From the arrival of a bid, or the making of a notification, to its hand-over to the watchers of this process. Only what "
    "comes live counts, not what a client catches up on.",
    ["feed"],
    roles=_WEB,
)
handshakes_refused = metrics.counter(
    "gavel_push_handshakes_refused_total", "Streams refused before they were opened.", ["code"], roles=_WEB
)
closed = metrics.counter(
    "gavel_push_closed_total", "Connections that this side ended.", ["transport", "code"], roles=_WEB
)
snapshots = metrics.counter(
    "gavel_push_snapshots_required_total", "Clients that must load anew.", ["scope"], roles=_WEB
)
watched = metrics.gauge(
    "gavel_push_watched_auctions", "Auctions that a client of this process watches.", roles=_WEB
)
subscribed = metrics.Measured(
    "gavel_push_subscribed",
    "1: the subscription to Redis is open. 0: clients get what they miss when it is open again.",
    roles=_WEB,
)
subscription_losses = metrics.counter(
    "gavel_push_subscription_losses_total", "Times that the subscription to Redis broke.", roles=_WEB
)
notifications = metrics.counter(
    "gavel_notifications_total", "Notifications written.", ["kind"], roles=("consume",)
)
emails = metrics.counter("gavel_emails_total", "E-mails by what became of them.", ["state"], roles=("mail",))
