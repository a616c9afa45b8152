"""A pool grows and shrinks behind a real gateway while a client asks without a pause. The web processes are stand-ins."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from auction_project.processes import identity, roles, stack

# It answers its name. After SIGUSR1 it serves and is not ready for a while, then ends, as the web role does.
SERVER = """
import http.server, json, os, signal, socket, sys, threading

leaving = threading.Event()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = json.dumps({"instance": os.environ["GAVEL_INSTANCE"]}).encode()
        self.send_response(503 if leaving.is_set() and self.path == "/readyz" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

def serve(sock):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.daemon_threads = True
    server.socket = sock
    server.server_activate()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server

private = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["GAVEL_HEALTH_PORT"])), Handler)
threading.Thread(target=private.serve_forever, daemon=True).start()
server = serve(socket.socket(fileno=int(sys.argv[2])))

def leave(*_):
    leaving.set()
    threading.Timer(2.5, end).start()

def end(*_):
    server.shutdown()
    os._exit(0)

signal.signal(signal.SIGUSR1, leave)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
while True:
    signal.pause()
"""


class Client(threading.Thread):
    """Asks for one path after the other until `stop`; `answers` counts them by status, 0 for none."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._stopping = threading.Event()
        self.answers: Counter[int] = Counter()
        self.instances: set[str] = set()

    def run(self) -> None:
        number = 0
        while not self._stopping.wait(0.002):
            number += 1
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=15)
            try:
                connection.request("GET", f"/api/v1/auctions/{number:032x}/bids")
                response = connection.getresponse()
                body = response.read()
                self.answers[response.status] += 1
                if response.status == 200:
                    self.instances.add(json.loads(body)["instance"])
            except OSError:
                self.answers[0] += 1
            finally:
                connection.close()

    def wait_for(self, instances: set[str]) -> None:
        """Until each of them has answered."""
        deadline = time.monotonic() + 20
        while not self.instances >= instances:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def stop(self) -> None:
        self._stopping.set()
        self.join()


@pytest.fixture(name="running")
def small_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[stack.Stack]:
    """A gateway and two pools, of which `site` serves all but bids."""
    server = tmp_path / "server.py"
    server.write_text(SERVER)
    web = msgspec.structs.replace(roles.BY_NAME["web"], command=(str(server),))
    monkeypatch.setitem(roles.BY_NAME, "web", web)
    monkeypatch.setattr(roles, "ROLES", (web, roles.BY_NAME["gateway"]))
    pools = {"bids": ("bids",), "site": ("site", "push", "stock", "orders")}
    unlimited = {
        "ANONYMOUS_REQUESTS_PER_SECOND": "0",
        "DJANGO_SETTINGS_MODULE": "auction_project.settings.base",
    }
    one = stack.Stack(tmp_path / "stack", environment=unlimited, web_port=0, pools=pools)
    one.start()
    yield one
    one.stop()


def test_a_pool_grows_and_shrinks_while_no_request_fails(running: stack.Stack) -> None:
    client = Client(running.web_port)
    client.start()

    running.scale("bids", 4)
    assert running.copies("bids") == ["bids", "bids-2", "bids-3", "bids-4"]
    grown = {running[name].environment[identity.INSTANCE] for name in running.copies("bids")}
    client.wait_for(grown)
    running.scale("bids", 1)
    client.stop()

    assert running.copies("bids") == ["bids"]
    assert client.answers.keys() == {200}
    assert client.instances == grown


def test_all_processes_restart_while_no_request_fails(running: stack.Stack) -> None:
    client = Client(running.web_port)
    client.start()
    before = running.pids()

    restarted = list(running.roll())
    client.stop()

    assert restarted == ["bids", "site", "gateway"]
    assert running.pids().keys() == before.keys()
    assert {name for name, pid in running.pids().items() if before[name] != pid} == before.keys()
    assert client.answers.keys() == {200}


@pytest.mark.parametrize("copies", [0, 5])
def test_a_pool_has_as_many_copies_as_the_gateway_knows(running: stack.Stack, copies: int) -> None:
    before = running.pids()

    with pytest.raises(stack.NotReady, match="bids has 1 to 4 copies"):
        running.scale("bids", copies)

    assert running.pids() == before
