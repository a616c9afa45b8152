"""The ports of the roles: each role keeps its own while it restarts, and is recognised by its instance."""

import http.server
import json
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from auction_project.processes import identity, stack

# A server on an inherited socket, in place of the web role: it answers every request with its own instance.
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
server.server_activate()
server.serve_forever()
"""


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def test_no_two_roles_get_one_port_and_no_outgoing_connection_takes_it() -> None:
    ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])

    ports = [stack.free_port() for _ in range(500)]

    assert len(set(ports)) == len(ports)
    assert max(ports) < ephemeral


def test_the_second_listener_gets_the_next_port_and_the_first_keeps_its_own() -> None:
    preferred = stack.free_port()

    with (
        stack.listen(preferred) as first,
        stack.listen(preferred) as second,
        stack.listen(preferred) as third,
    ):
        assert [port_of(first), port_of(second), port_of(third)] == [preferred, preferred + 1, preferred + 2]
        with socket.socket() as stranger:
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError, match="in use"):
                stranger.bind(("127.0.0.1", preferred))

    with stack.listen(preferred) as again:
        assert port_of(again) == preferred


@pytest.fixture(name="web")
def role_on_an_inherited_socket(tmp_path: Path) -> Iterator[stack.Process]:
    listener = stack.listen()
    argv = [sys.executable, "-c", SERVER]
    process = stack.Process(
        "web", argv, {identity.INSTANCE: "ours"}, tmp_path / "web.log", port_of(listener), listener
    )
    yield process
    process.kill()
    process.release()


def _until_ready(process: stack.Process) -> None:
    process.wait_until(process.ready, time.monotonic() + 20)


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


def test_behind_a_gateway_a_role_that_dies_refuses_at_once_and_comes_back_on_its_port(tmp_path: Path) -> None:
    port = stack.free_port()
    argv = [sys.executable, "-c", SERVER]
    copy = stack.Process("bids", argv, {identity.INSTANCE: "ours"}, tmp_path / "bids.log", port, port=port)
    try:
        copy.start()
        _until_ready(copy)

        copy._popen.kill()
        copy._popen.wait()
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 5):
            pass
        assert copy.restart_if_dead()
        _until_ready(copy)
    finally:
        copy.kill()


def test_a_role_that_was_killed_refuses_until_it_is_started_again(web: stack.Process) -> None:
    web.start()
    _until_ready(web)

    web.kill()
    web.kill()
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", web.health_port), 5):
        pass
    web.start()
    _until_ready(web)


def test_two_stacks_in_two_directories_have_ports_data_and_web_processes_of_their_own(tmp_path: Path) -> None:
    """As two demos that are started with one command have."""
    preferred = stack.free_port()
    both = [stack.Stack(tmp_path / name, environment={}, web_port=preferred) for name in ("a", "b")]
    for running in both:
        web = running["web"]
        web.argv = [sys.executable, "-c", SERVER]
        web.health_port = running.web_port  # SERVER answers everything on one port
        web.start()
    try:
        for running in both:
            _until_ready(running["web"])
        instances = [running["web"].environment[identity.INSTANCE] for running in both]
        answers = [
            json.load(urllib.request.urlopen(f"http://127.0.0.1:{running.web_port}/", timeout=30))
            for running in both
        ]
        both[0]["web"].health_port = both[1].web_port

        assert [running.web_port for running in both] == [preferred, preferred + 1]
        assert answers == [{"instance": instance} for instance in instances]
        assert not both[0]["web"].ready()  # the other one's process is not mistaken for its own
        for running in both:
            for name in ("GAVEL_VAR_DIR", "MEDIA_ROOT"):
                assert Path(running.environment[name]).is_relative_to(running.directory)
            assert running.environment["PUBLIC_URL"] == running.url
            assert all(process.log_file.parent == running.directory for process in running.processes.values())
        ports = [
            process.health_port
            for running in both
            for process in running.processes.values()
            if process.name != "web"
        ]
        ports += [int(running.environment["BANK_URL"].rpartition(":")[2]) for running in both]
        assert len(set(ports)) == len(ports)
    finally:
        for running in both:
            running["web"].kill()
            running["web"].release()


def test_another_process_on_the_port_is_not_mistaken_for_the_role(tmp_path: Path) -> None:
    class Other(http.server.BaseHTTPRequestHandler):
        body = b'{"role": "web", "ready": true, "instance": "theirs"}'

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.body)))
            self.end_headers()
            self.wfile.write(self.body)

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        process = stack.Process(
            "web", [], {identity.INSTANCE: "ours"}, tmp_path / "web.log", other.server_port
        )
        assert not process.ready()
        Other.body = Other.body.replace(b"theirs", b"ours")
        assert process.ready()
        other.shutdown()
