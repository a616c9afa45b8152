"""The demo's figures: what happened since it began, each row is read once, and none of what happened before."""

import contextlib
import http.server
import threading
from datetime import UTC, datetime

import pytest
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext

from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import outbox
from auction_project.tools.demo import figures
from sagas import models as sagas

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SALE = {"order_number": "G-1", "auction_id": "a", "user_id": "u"}

pytestmark = pytest.mark.django_db(databases=["default", "sagas", "orders", "notifications"])


@pytest.fixture(name="relay")
def relay_with_metrics():
    """A list: what its counter says, None when it does not answer."""
    said = [0]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if said[0] is None:
                self.send_error(503)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"# HELP x\ngavel_bid_log_published_total {said[0]:.1f}\n".encode())

        def log_message(self, *_): ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        said.append(f"http://127.0.0.1:{server.server_port}")
        yield said
        server.shutdown()


def end(*, failed=""):
    event = (
        events.BidFailed(sale_id="s", reason=failed, **SALE)
        if failed
        else events.SaleSettled(sale_id="s", **SALE)
    )
    with transaction.atomic(using="sagas"):
        outbox.publish(sagas.Outbox, event, now=NOW)


def test_what_happened_before_is_not_counted_and_what_happens_is_counted_once(relay):
    end()
    reader = figures.Reader(relay[1])

    end()
    end()
    end(failed="payment_refused")
    for _ in range(2):
        sales = reader.read()

    assert sales.sagas == {"COMPLETED": 2, "COMPENSATED": 1}
    assert sales.undone == {"payment_refused": 1}
    assert sales.sales_ended == 3


def test_the_entries_go_on_growing_when_the_relay_begins_anew_or_is_unavailable(relay):
    reader = figures.Reader(relay[1])
    grown = []

    for said in (10, 25, None, 4, 9):
        relay[0] = said
        grown.append(reader.read().entries)

    assert grown == [10, 25, 25, 29, 34]


def test_no_table_is_counted(relay):
    reader = figures.Reader(relay[1])

    with contextlib.ExitStack() as stack:
        captured = [
            stack.enter_context(CaptureQueriesContext(connections[alias]))
            for alias in ("default", "sagas", "orders", "notifications")
        ]
        reader.read()

    asked = [query["sql"] for of_one in captured for query in of_one]
    assert len(asked) >= len(captured)
    assert [sql for sql in asked if "COUNT" in sql and "PARKED" not in sql and "WAITING" not in sql] == []
