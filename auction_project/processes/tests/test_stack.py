"""The ports of the roles: each its own, kept while its role restarts, and a role is known by its instance."""

import http.server
import json
import socket
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from auction_project.processes import health, stack

# A server on an inherited socket, in place of the web role: it answers every request with the instance that it has.
SERVER = """
import http.server, json, os, socket, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"instance": os.environ["GAVEL_INSTANCE"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

server = http.server.HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=int(sys.argv[2]))
server.serve_forever()
"""


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def test_no_two_roles_get_one_port_and_no_outgoing_connection_takes_it() -> None:
    ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])

    ports = [stack.free_port() for _ in range(500)]

    assert len(set(ports)) == len(ports)
    assert max(ports) < ephemeral


def test_who_comes_second_gets_the_next_port_and_the_first_keeps_its_own() -> None:
    wanted = stack.free_port()

    with stack.listen(wanted) as first, stack.listen(wanted) as second, stack.listen(wanted) as third:
        assert [port_of(first), port_of(second), port_of(third)] == [wanted, wanted + 1, wanted + 2]
        with socket.socket() as stranger:
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError, match="in use"):
                stranger.bind(("127.0.0.1", wanted))

    with stack.listen(wanted) as again:
        assert port_of(again) == wanted


@pytest.fixture(name="web")
def role_on_an_inherited_socket(tmp_path: Path) -> Iterator[stack.Process]:
    listener = stack.listen()
    argv = [sys.executable, "-c", SERVER]
    found = stack.Process(
        "web", argv, {health.INSTANCE: "ours"}, tmp_path / "web.log", port_of(listener), listener
    )
    yield found
    found.kill()
    found.release()


def _until_ready(process: stack.Process) -> None:
    for _ in range(100):
        if process.ready():
            return
    raise AssertionError(process.tail())


def test_a_client_that_comes_while_the_role_restarts_waits_and_is_answered(web: stack.Process) -> None:
    web.start()
    _until_ready(web)
    web._popen.kill()
    web._popen.wait()
    answers: list[bytes] = []
    url = f"http://127.0.0.1:{web.health_port}/"
    client = threading.Thread(target=lambda: answers.append(urllib.request.urlopen(url, timeout=30).read()))

    client.start()
    assert web.restart_if_dead()
    client.join(30)

    assert [json.loads(answer) for answer in answers] == [{"instance": "ours"}]


def test_a_role_that_was_killed_refuses_until_it_is_started_again(web: stack.Process) -> None:
    web.start()
    _until_ready(web)

    web.kill()
    web.kill()
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", web.health_port), 5):
        pass
    web.start()
    _until_ready(web)


def test_another_process_on_the_port_is_not_taken_for_the_role(tmp_path: Path) -> None:
    class Other(http.server.BaseHTTPRequestHandler):
        said = b'{"role": "web", "ready": true, "instance": "theirs"}'

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.said)))
            self.end_headers()
            self.wfile.write(self.said)

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        found = stack.Process("web", [], {health.INSTANCE: "ours"}, tmp_path / "web.log", other.server_port)
        assert not found.ready()
        Other.said = Other.said.replace(b"theirs", b"ours")
        assert found.ready()
        other.shutdown()
