"""The ports of the roles: each its own, and taken by nobody while its role restarts."""

import socket
from pathlib import Path

from auction_project import stack


def test_no_two_roles_get_one_port_and_no_outgoing_connection_takes_it() -> None:
    ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])

    ports = [stack.free_port() for _ in range(500)]

    assert len(set(ports)) == len(ports)
    assert max(ports) < ephemeral


def test_the_preferred_port_is_given_when_nobody_listens_there() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        taken = other.getsockname()[1]
        assert stack.free_port(taken) != taken
    assert stack.free_port(taken) == taken
