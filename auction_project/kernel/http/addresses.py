"""The address of a client, and which forwarded headers count. No other module knows about proxies.

TRUSTED_PROXY_COUNT is the only setting that makes a forwarded header count. Without it nothing reads X-Forwarded-For
and X-Forwarded-Proto, because any client can send them.
"""

import functools
import ipaddress
from typing import Any

from django.conf import settings

IPV6_NETWORK_BITS = 64  # one household or server has a whole network of this size
IPV4_NEIGHBOURHOOD_BITS, IPV6_NEIGHBOURHOOD_BITS = 24, 48  # what one provider hands out in one place
MAX_CACHED = 10_000
_HTTPS = {"http": "https", "ws": "wss"}


def believe_proxies(scope: Any) -> None:
    """Put the client and the scheme that the trusted proxies saw into `scope`. Without such proxies, do nothing.

    Each proxy appends the address that it saw, so the entry that counts is number TRUSTED_PROXY_COUNT from the end. A
    request with fewer entries bypassed a proxy, so its own address counts.
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
    """The unit that limits count by: an IPv4 address, or the network of an IPv6 address. Other text stays as it is."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, IPV6_NETWORK_BITS), strict=False))


def neighbourhood_of(address: str) -> str:
    """The network around an address, within which the addresses of one client change. Other text stays as it is."""
    try:
        parsed = ipaddress.ip_address(network_of(address).partition("/")[0])
    except ValueError:
        return address
    bits = IPV4_NEIGHBOURHOOD_BITS if parsed.version == 4 else IPV6_NEIGHBOURHOOD_BITS
    return str(ipaddress.ip_network((parsed, bits), strict=False))


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
