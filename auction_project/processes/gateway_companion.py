"""A small process beside the gateway, which keeps it in the registry: HAProxy cannot say by itself what it is.

It is a child of HAProxy, and ends soon after it, however HAProxy ends. It loads neither Django nor settings, and holds no socket
of the gateway. If it dies, the gateway serves on, and is missing from the registry until its next start.
"""

import argparse
import os
import signal
import socket
import threading

from auction_project.kernel import logs
from auction_project.processes import registry

LOOK_SECONDS = 0.5  # between two looks at whether the gateway runs
ANSWER_SECONDS = 1.0
MAX_ANSWER_BYTES = 4096


def answers(private_address: str, instance: str) -> bool:
    """Whether this HAProxy says that it is ready. One that drains has closed this port, and a successor may have it."""
    host, _, port = private_address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS) as connection:
            connection.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
            with connection.makefile("rb") as answer:
                text = answer.read(MAX_ANSWER_BYTES)
            return b" 200 " in text and instance.encode() in text
    except OSError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("gateway", type=int, help="the process id of HAProxy")
    parser.add_argument("address")
    parser.add_argument("private_address")
    parser.add_argument("instance")
    chosen = parser.parse_args()
    logs.configure(json=os.environ["GAVEL_LOG_FORMAT"] == "json", level=os.environ["GAVEL_LOG_LEVEL"])
    for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGTERM):
        signal.signal(
            number, signal.SIG_IGN
        )  # they are meant for HAProxy, whose end is the end of this process
    entry = registry.Registration(
        "gateway",
        registry.About(address=chosen.address),
        redis_url=os.environ["REDIS_URL"],
        private_address=chosen.private_address,
        is_ready=lambda: answers(chosen.private_address, chosen.instance),
        pid=chosen.gateway,
    ).start()
    pause = threading.Event()
    while os.getppid() == chosen.gateway:
        pause.wait(LOOK_SECONDS)
    entry.close()


if __name__ == "__main__":
    main()
