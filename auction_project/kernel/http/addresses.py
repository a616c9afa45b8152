"""Who asks: the address of a client, and which forwarded headers count. The one place that knows about proxies.

TRUSTED_PROXY_COUNT is the only setting that makes a forwarded header count. Without it, X-Forwarded-For and
X-Forwarded-Proto are ordinary headers that anybody can send, and nothing reads them.
"""

import functools
import ipaddress
from typing import Any

from django.conf import settings

IPV6_NETWORK_BITS = 64  # one household or server has a whole network of this size
MAX_CACHED = 10_000
_HTTPS = {"http": "https", "ws": "wss"}


def believe_proxies(scope: Any) -> None:
    """Put the client and the scheme that the trusted proxies saw into `scope`. Without such proxies, do nothing.

    Each proxy appends the address that it saw, so the entry that counts stands TRUSTED_PROXY_COUNT from the end. A
    request with fewer entries came around the proxies: its own address counts.
    """
    count = settings.TRUSTED_PROXY_COUNT
    if not count:
        return
    forwarded_for = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    entries = b",".join(forwarded_for).decode("latin-1").split(",")
    if len(entries) >= count:
        address = _parsed(entries[-count].strip())
        if address:
            scope["client"] = (address, 0)
    if any(name == b"x-forwarded-proto" and value == b"https" for name, value in scope["headers"]):
        scope["scheme"] = _HTTPS.get(scope["scheme"], scope["scheme"])


def client_address(scope: Any) -> str:
    """The address of the client of an ASGI scope (`request.scope` in Django); empty on a Unix socket."""
    client = scope.get("client")
    return str(client[0]) if client else ""


@functools.lru_cache(maxsize=MAX_CACHED)
def network_of(address: str) -> str:
    """What limits count by: an IPv4 address, or the network of an IPv6 address."""
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((found, IPV6_NETWORK_BITS), strict=False))


def _parsed(entry: str) -> str | None:
    """The address in an entry of X-Forwarded-For, which may carry a port; None when it holds no address."""
    if entry.startswith("["):
        entry = entry[1:].partition("]")[0]
    elif entry.count(":") == 1:
        entry = entry.partition(":")[0]
    try:
        return str(ipaddress.ip_address(entry))
    except ValueError:
        return None
