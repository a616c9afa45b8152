"""The one table of scenarios: a name, the module whose `run()` measures it, and a line for `--help`."""

import msgspec

from benchmarks import profiles


class Scenario(msgspec.Struct, frozen=True):
    """`function` is module:function; it returns the figures of one repeat. `profiled`: whose profile explains them, roles of the
    house, or the process that measures where that does the work itself."""

    function: str
    purpose: str
    profiled: tuple[str, ...] = ()


SCENARIOS = {
    "sales": Scenario(
        "sales:run",
        "sale to confirmed order at 4/s and 50/s; sales/s sustained for 60 s, and their CPU",
        profiled=("worker", "consume"),
    ),
    "sellout": Scenario(
        "sellout:run",
        "a listing of 1,000 units sold out: bids, ends of sales, mails",
        profiled=("worker", "consume"),
    ),
    "checkout": Scenario(
        "checkout:run",
        "50 checkouts of 3 lines at once: answers, reservations, paid orders",
        profiled=("web", "consume"),
    ),
    "statements": Scenario(
        "statements:run", "SQL statements of a sale, alone and in a group of 50", profiled=(profiles.MEASURE,)
    ),
    "stock": Scenario(
        "stock:run", "reservations/s on one product, beside many products", profiled=(profiles.MEASURE,)
    ),
    "bids": Scenario(
        "bids:run",
        "durable bids per CPU-second of the web process, beside a bare echo and a plain DRF view",
        profiled=("web",),
    ),
    "gateway": Scenario("front_door:run", "what the gateway costs a bid", profiled=("web",)),
    "balance": Scenario(
        "balancing:run",
        "one hot auction with 2 and 4 writers: bids by hash of the auction, beside bids at random",
    ),
    "costs": Scenario(
        "costs:run",
        "what a bid costs each process until its notices are stored; bytes of a bid and a sale",
        profiled=("bids", "consume"),
    ),
    "writer": Scenario(
        "writer:run",
        "the writer path in one process, beside raw bulk inserts and a commit per bid",
        profiled=(profiles.MEASURE,),
    ),
    "capacity": Scenario(
        "throughput:run",
        "durable bids/s with all roles; one hot auction; overload; 10,000 bids in flight",
        profiled=("web", "consume"),
    ),
    "onelot": Scenario(
        "onelot:run",
        "1,000 bidders with one bid each on one lot: answers, notices, notifications/s",
        profiled=("web", "consume"),
    ),
    "lots": Scenario(
        "lots:run",
        "lots/s from the request to OPEN; close lag; 10,000 closes due in one second",
        profiled=("web", "consume", "relay"),
    ),
    "push": Scenario(
        "push:run",
        "bid to 1,000 sockets, beside a bare fan-out, and clients that come back",
        profiled=("web",),
    ),
    "sockets": Scenario(
        "idle_sockets:run",
        "10,000 idle sockets on one process: memory, and CPU while nothing happens",
        profiled=("web",),
    ),
    "lists": Scenario(
        "lists:run",
        "lists of 5,000 and 20,000 open lots, and bids beside 40 clients that list",
        profiled=("web",),
    ),
    "search": Scenario(
        "search:run",
        "searches of 100,000 offers, suggestions, and a list with the read cache and without",
        profiled=("web",),
    ),
    "rush": Scenario(
        "rush:run_sales",
        "a sale beside a rush on another product, and beside cards that time out",
        profiled=("worker",),
    ),
    "loss": Scenario(
        "rush:run_loss",
        "a notice on its socket behind 20,000 bids, and after Redis was emptied",
        profiled=("relay", "consume"),
    ),
    "attacks": Scenario("attacks:run", "bids while a client attacks the house", profiled=("web",)),
    "desk": Scenario(
        "desk:run",
        "the owner's desk at 1,000,000 orders: its page by period, its fetches, sales recorded/s",
        profiled=(profiles.MEASURE,),
    ),
    "idle": Scenario("idle:run", "CPU of a house in which nothing happens", profiled=("relay", "consume")),
    "demo": Scenario("demo:run", "the first confirmed sale after the start of the demo"),
}
