"""The metrics of the web role: requests by route, and what they wait for."""

from auction_project.kernel import metrics

_WEB = ("web",)

request_seconds = metrics.histogram(
    "gavel_http_request_seconds",
    "From the arrival of a request to the beginning of its answer, by its route and the first digit of its status. 4xx counts "
    "requests that their client has left, too.",
    ["route", "status"],
    roles=_WEB,
)
slots_taken = metrics.Measured(
    "gavel_http_slots_taken",
    "Requests that Django works on, by the limit that they count for.",
    ["limit"],
    roles=_WEB,
)
slots = metrics.Measured("gavel_http_slots", "Requests that Django works on at most.", ["limit"], roles=_WEB)
waiting = metrics.Measured(
    "gavel_http_waiting_requests", "Requests that wait for Django.", ["limit"], roles=_WEB
)
loop_seconds = metrics.Measured(
    "gavel_event_loop_answer_seconds",
    "How long the event loop of the requests took to answer this scrape: how late all else is, too.",
    roles=_WEB,
)
