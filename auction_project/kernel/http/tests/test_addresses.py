"""Which forwarded headers count: none, until a setting says how many proxies stand in front."""

from typing import Any

import pytest

from auction_project.kernel.http import addresses

OWN = ("192.0.2.9", 5000)


def _seen(*headers: tuple[bytes, bytes], kind: str = "http") -> tuple[str, str]:
    """Address and scheme that a request with `headers` counts as."""
    scope: dict[str, Any] = {"type": kind, "scheme": kind, "client": OWN, "headers": list(headers)}
    addresses.believe_proxies(scope)
    return addresses.client_address(scope), scope["scheme"]


def _for(value: str) -> tuple[bytes, bytes]:
    return b"x-forwarded-for", value.encode()


def test_without_trusted_proxies_forwarded_headers_are_nothing() -> None:
    assert _seen(_for("198.51.100.1"), (b"x-forwarded-proto", b"https")) == ("192.0.2.9", "http")


@pytest.mark.parametrize(
    ("count", "headers", "address"),
    [
        (1, [_for("198.51.100.1")], "198.51.100.1"),
        (1, [_for("203.0.113.7, 198.51.100.1")], "198.51.100.1"),  # a client may send the header, too
        (2, [_for("203.0.113.7, 198.51.100.1"), _for("10.0.0.1")], "198.51.100.1"),
        (2, [_for("198.51.100.1")], "192.0.2.9"),  # it came around the outer proxy
        (1, [], "192.0.2.9"),
        (1, [_for("unknown")], "192.0.2.9"),
        (1, [_for("198.51.100.1:80")], "198.51.100.1"),
        (1, [_for("[2001:db8::1]:80")], "2001:db8::1"),
        (1, [_for("2001:db8::1")], "2001:db8::1"),
    ],
)
def test_the_entry_of_the_outermost_trusted_proxy_counts(
    count: int, headers: list[tuple[bytes, bytes]], address: str, settings: Any
) -> None:
    settings.TRUSTED_PROXY_COUNT = count

    assert _seen(*headers)[0] == address


def test_a_trusted_proxy_says_whether_the_client_came_by_https(settings: Any) -> None:
    settings.TRUSTED_PROXY_COUNT = 1

    assert _seen((b"x-forwarded-proto", b"https"))[1] == "https"
    assert _seen((b"x-forwarded-proto", b"https"), kind="ws")[1] == "wss"
    assert _seen((b"x-forwarded-proto", b"http"))[1] == "http"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.9", "192.0.2.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.9", "192.0.2.9"),
        ("not:an:address", "not:an:address"),
        ("", ""),
    ],
)
def test_limits_count_an_ipv6_network_as_one(address: str, network: str) -> None:
    assert addresses.network_of(address) == network
