"""The metrics of the notifications, for Prometheus."""

import prometheus_client as prometheus

sockets = prometheus.Gauge("gavel_push_sockets", "Connected clients", ["transport"])
frames_sent = prometheus.Counter("gavel_push_frames", "Frames handed to a client's connection", ["transport"])
handshakes_refused = prometheus.Counter(
    "gavel_push_handshakes_refused", "Streams refused before they were opened", ["code"]
)
closed = prometheus.Counter("gavel_push_closed", "Connections that this side ended", ["transport", "code"])
snapshots = prometheus.Counter("gavel_push_snapshots_required", "Clients that must load anew", ["scope"])
watched = prometheus.Gauge("gavel_push_watched_auctions", "Auctions that a client of this process watches")
subscription_losses = prometheus.Counter(
    "gavel_push_subscription_losses", "Times that the subscription to Redis broke"
)
notifications = prometheus.Counter("gavel_notifications", "Notifications written", ["kind"])
emails = prometheus.Counter("gavel_emails", "E-mails by what became of them", ["state"])
