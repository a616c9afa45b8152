"""The real bank, `manage.py bank`, as a process of a test: started, killed, paused and started again on the same
file."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings

API_KEY = "the-bank-s-key-in-tests-0123456789"
START_SECONDS = 120.0
# One client for all, because making one takes longer than most requests. It keeps no connection, because none may outlive
# its bank.
_http = httpx.Client(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class BankProcess:
    def __init__(self, data: Path, *, late_seconds: float = 1000.0) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._late_seconds = late_seconds
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = ["manage.py", "bank", "--port", str(self.port), "--data", str(self.data)]
        command += ["--late-seconds", str(self._late_seconds)]
        self._process = subprocess.Popen(
            [sys.executable, *command],
            cwd=settings.BASE_DIR,
            env=os.environ | {"BANK_API_KEY": API_KEY},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.kill()
            raise

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self.is_running():
                raise RuntimeError("the bank ended at once")
            try:
                if _http.get(f"{self.url}/healthz", timeout=1).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.05)
        raise RuntimeError("the bank does not answer")

    def kill(self) -> None:
        """Kill it, as a crash would."""
        self._send(signal.SIGKILL)
        self._wait()

    def terminate(self) -> int:
        """End it, as an operator would; the exit code."""
        self._send(signal.SIGTERM)
        return self._wait()

    def pause(self) -> None:
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        self._send(signal.SIGCONT)

    def ask(self, method: str, path: str, *, timeout: float = 5.0, **options: Any) -> httpx.Response:
        """A request with the right key, unless `headers` say otherwise."""
        headers = {"Authorization": f"Bearer {API_KEY}"} | options.pop("headers", {})
        return _http.request(method, self.url + path, headers=headers, timeout=timeout, **options)

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _send(self, number: int) -> None:
        if self._process is None:
            raise RuntimeError("the bank was never started")
        self._process.send_signal(number)

    def _wait(self) -> int:
        if self._process is None:
            raise RuntimeError("the bank was never started")
        return self._process.wait(10)
