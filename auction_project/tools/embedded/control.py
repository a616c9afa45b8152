"""How another process sends a command to a running supervisor: one line of JSON each way over loopback TCP.

The port and a token are in state.json. Only its owner can read it, who may kill the servers in any case.
"""

import hmac
import json
import secrets
import socket
from collections.abc import Callable
from typing import Any

from auction_project.tools.embedded.directory import Directory

ACTIONS = ("kill", "pause", "resume", "start")
REQUEST_BYTES_MAX = 4096
READ_TIMEOUT_S = 2.0
ANSWER_TIMEOUT_S = 120.0  # longer than any start may take


class Refused(Exception):
    """The supervisor cannot be reached, or refuses the command."""


class Listener:
    """The supervisor's side. Serves one request at a time, in the supervisor's own loop."""

    def __init__(self) -> None:
        self._token = secrets.token_urlsafe(24)
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=16)
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def describe(self) -> dict[str, Any]:
        return {"port": self._socket.getsockname()[1], "token": self._token}

    def serve_one(self, perform: Callable[[str, str], str]) -> None:
        """Take one waiting request; `perform(action, name)` answers or raises Refused."""
        try:
            connection, _ = self._socket.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(READ_TIMEOUT_S)
            try:
                reply = self._answer(_read_line(connection), perform)
                connection.sendall(json.dumps(reply).encode() + b"\n")
            except (OSError, ValueError):
                return

    def close(self) -> None:
        self._socket.close()

    def _answer(self, line: bytes, perform: Callable[[str, str], str]) -> dict[str, Any]:
        request = json.loads(line)
        if not isinstance(request, dict) or not hmac.compare_digest(str(request.get("token")), self._token):
            return {"ok": False, "message": "wrong token"}
        try:
            return {"ok": True, "message": perform(str(request.get("action")), str(request.get("name")))}
        except Refused as refusal:
            return {"ok": False, "message": str(refusal)}


def ask(directory: Directory, *, action: str, name: str) -> str:
    """The client's side: send a command to the supervisor that uses the directory. Raises Refused."""
    listener = directory.read_state().get("control")
    if listener is None or not directory.is_held():
        raise Refused(f"No run uses {directory.path}.")
    request = {"token": listener["token"], "action": action, "name": name}
    try:
        with socket.create_connection(
            ("127.0.0.1", listener["port"]), timeout=ANSWER_TIMEOUT_S
        ) as connection:
            connection.sendall(json.dumps(request).encode() + b"\n")
            reply = json.loads(_read_line(connection))
    except (OSError, ValueError) as error:
        raise Refused(f"The supervisor of {directory.path} does not answer: {error}") from error
    if not reply["ok"]:
        raise Refused(reply["message"])
    return str(reply["message"])


def _read_line(connection: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n") and len(line) < REQUEST_BYTES_MAX:
        part = connection.recv(REQUEST_BYTES_MAX)
        if not part:
            break
        line += part
    return line
