"""Where the gateway sends requests, and how it runs: a real HAProxy with the project's configuration."""

import http.client
import http.server
import os
import re
import ssl
import subprocess
import sys
import time
import uuid
from concurrent import futures
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.test import override_settings

from auction_project.kernel import errors, tokens
from auction_project.kernel.http import problems
from auction_project.processes import gateway, gateway_companion, identity, registry, roles, stack
from auction_project.processes.tests.gateways import (
    AUCTION,
    AUCTIONS,
    INSTANCE,
    Gateway,
    Pool,
    Start,
    wait_until,
)


@pytest.mark.parametrize(
    ("path", "pool"),
    [
        ("/", "site"),
        ("/admin/", "site"),
        ("/api/v1/token", "site"),
        ("/api/v1/services", "site"),
        ("/api/v1/auctionsx", "site"),
        ("/api/v1/auctions?status=open", "bids"),
        (f"/api/v1/auctions/{AUCTION}/bids", "bids"),
        ("/api/v1/bids/mine", "bids"),
        ("/api/v1/time", "bids"),
        ("/api/v1/stream", "push"),
        ("/ws/v1/stream", "push"),
        ("/api/v1/notifications/ticket", "push"),
        ("/api/v1/products/p1", "stock"),
        ("/api/v1/orders/statistics", "orders"),
        ("/api/v1/card", "orders"),
        ("/api/v1/addresses/a1", "orders"),
    ],
)
def test_a_path_goes_to_the_pool_that_serves_it(front: Gateway, path: str, pool: str) -> None:
    assert front.ask("GET", path).json["pool"].removesuffix("-2") == pool


def test_every_rest_path_of_an_app_goes_to_the_pool_that_serves_the_app(front: Gateway) -> None:
    from django.urls import get_resolver

    wrong = {}
    for pool, apps in roles.POOLS.items():
        for app in apps:
            module = {"accounts": "auction_project.accounts.urls"}.get(app, f"{app}.urls")
            for pattern in get_resolver(module).url_patterns:
                path = "/api/v1/" + re.sub(r"<[^>]+>", "a1", str(pattern.pattern))
                got = front.ask("GET", path).json["pool"].removesuffix("-2")
                if got != pool:
                    wrong[path] = got

    assert wrong == {}


def test_all_bids_of_an_auction_go_to_one_process_and_auctions_are_spread(front: Gateway) -> None:
    by_auction = {
        auction: {front.ask("POST", f"/api/v1/auctions/{auction}/bids").json["pool"] for _ in range(3)}
        for auction in AUCTIONS
    }

    assert all(len(processes) == 1 for processes in by_auction.values())
    assert {process for processes in by_auction.values() for process in processes} == {"bids", "bids-2"}


@pytest.mark.parametrize(
    "path", ["/api/v1/auctions", "/api/v1/auctions/suggestions?q=brass", "/api/v1/bids/mine"]
)
def test_what_is_of_no_single_auction_goes_to_each_process_in_turn(front: Gateway, path: str) -> None:
    processes = {front.ask("GET", path).json["pool"] for _ in range(4)}

    assert processes == {"bids", "bids-2"}


def test_the_outcome_of_a_key_is_asked_where_its_bid_is_decided(front: Gateway) -> None:
    """Only that process knows a bid that it still sends to the store. Another one would answer 404."""
    paths = [f"/api/v1/auctions/{auction}/bids" for auction in AUCTIONS]

    decided = [front.ask("POST", path).json["pool"] for path in paths]
    asked = [front.ask("GET", f"{path}/by-key/a.b/c").json["pool"] for path in paths]

    assert asked == decided


def test_where_a_request_comes_from_is_said_by_the_gateway_alone(front: Gateway) -> None:
    lies = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "for=6.6.6.6",
        "X-Real-IP": "6.6.6.6",
    }

    front.ask("GET", "/", lies)

    _, headers = front.pools["site"].requests[-1]
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers.keys().isdisjoint({"x-forwarded-host", "forwarded", "x-real-ip"})


def test_a_pool_that_is_down_answers_503_and_takes_nothing_else_with_it(start: Start) -> None:
    front = start()
    front.pools["site"].close()

    wait_until(lambda: front.ask("GET", "/api/v1/me").status == 503)

    answer = front.ask("GET", "/api/v1/me")
    assert answer.headers["content-type"] == problems.CONTENT_TYPE
    assert answer.headers["retry-after"] == "1"
    assert answer.json == problems.problem(errors.Unavailable())[1]
    page = front.ask("GET", "/", {"Accept": "text/html"})
    assert (page.status, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert b"We are back in a moment" in page.body
    assert front.ask("POST", f"/api/v1/auctions/{AUCTION}/bids").status == 200


def test_when_a_process_refuses_connections_the_other_one_of_its_pool_takes_its_bids(start: Start) -> None:
    front = start()
    front.pools["bids"].close()

    answers = [front.ask("POST", f"/api/v1/auctions/{auction}/bids") for auction in AUCTIONS]

    assert {answer.json["pool"] for answer in answers} == {"bids-2"}


@pytest.mark.parametrize(
    ("pool", "path"),
    [
        ("push", "/api/v1/notifications"),
        ("site", "/"),
        ("stock", "/api/v1/products"),
        ("orders", "/api/v1/orders"),
    ],
)
def test_a_process_that_is_new_warms_up_before_it_gets_its_share(start: Start, pool: str, path: str) -> None:
    """In each pool that is balanced by connections, two processes share ten requests. Without the warm-up the new one would
    get five."""
    new = Pool(f"{pool}-2")
    new.is_ready = False
    front = start(**{f"GATEWAY_{pool.upper()}_2": new.address})
    wait_until(lambda: not front.is_up(new.name))
    both = [front.pools[pool], new]
    for process in both:
        process.answers.clear()

    new.is_ready = True
    wait_until(lambda: front.is_up(new.name))
    with futures.ThreadPoolExecutor(10) as clients:
        for _ in range(10):
            clients.submit(front.ask, "GET", path)
        wait_until(lambda: sum(len(process.requests) for process in both) == 10)
        for process in both:
            process.answers.set()
    new.close()

    assert len(new.requests) <= 3


def test_a_request_that_was_sent_is_never_sent_again(start: Start) -> None:
    front = start()
    for name in ("bids", "bids-2"):
        front.pools[name].hangs_up = True

    answer = front.ask("POST", f"/api/v1/auctions/{AUCTION}/bids")

    assert (answer.status, answer.json) == (503, problems.problem(errors.Unavailable())[1])
    assert answer.headers["retry-after"] == "1"
    assert len(front.seen()) == 1


def test_a_later_body_in_chunks_and_with_a_length_arrives_as_one_request_of_the_chunks(
    front: Gateway,
) -> None:
    """The gateway refuses such a request if it is the first of its connection. Of a later one, a reader of the length would take
    the rest for another request."""
    requests = front.pools["site"].requests
    before = len(requests)

    front.send(
        b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n"
        b"POST /one HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1e\r\nGET /two HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\n"
    )

    wait_until(lambda: len(requests) >= before + 2)
    assert [path for path, _ in requests[before:]] == ["/first", "/one"]
    assert requests[-1][1].keys() >= {"transfer-encoding"}
    assert "content-length" not in requests[-1][1]


def test_with_a_certificate_it_speaks_tls_and_plain_http_redirects(start: Start, tmp_path: Path) -> None:
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=127.0.0.1",
    ]
    make += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run(make, cwd=tmp_path, check=True, capture_output=True)
    both = tmp_path / "both.pem"
    both.write_bytes((tmp_path / "certificate.pem").read_bytes() + (tmp_path / "key.pem").read_bytes())
    port = stack.free_port()
    front = start(GATEWAY_CERTIFICATE=str(both), GATEWAY_TLS_BIND=f"127.0.0.1:{port}")
    trusting = ssl.create_default_context(cafile=str(tmp_path / "certificate.pem"))
    trusting.set_alpn_protocols(["h2"])

    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=15, context=trusting)
    connection.connect()
    offered = connection.sock.selected_alpn_protocol()
    connection.close()
    trusting.set_alpn_protocols(["http/1.1"])
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=15, context=trusting)
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    connection.request("GET", "/metrics")
    refused = connection.getresponse()
    plain = front.ask("POST", "/api/v1/products")

    assert offered == "h2"
    assert (answer.status, answer.headers["Strict-Transport-Security"]) == (200, "max-age=31536000")
    assert (refused.status, refused.headers["Strict-Transport-Security"]) == (404, "max-age=31536000")
    assert "strict-transport-security" not in plain.headers
    assert front.pools["site"].requests[-1][1]["x-forwarded-proto"] == "https"
    assert (plain.status, plain.headers["location"].partition(":")[0]) == (308, "https")
    connection.close()


def test_the_gateway_is_in_the_registry_as_long_as_it_runs(tmp_path: Path) -> None:
    copy = f"gateway-{uuid.uuid4().hex}"
    port, private_port = stack.free_port(), stack.free_port()
    environment = {**os.environ, "GAVEL_VAR_DIR": str(tmp_path), "GAVEL_HEALTH_PORT": str(private_port)}
    environment |= {f"GATEWAY_{name.upper()}_1": "127.0.0.1:1" for name in roles.POOLS}
    environment |= {identity.COPY: copy, "REDIS_URL": settings.REDIS_URL, identity.INSTANCE: INSTANCE}
    argv = [sys.executable, "manage.py", "gateway", "--bind", f"127.0.0.1:{port}"]

    def listed() -> list[registry.Process]:
        return [one for one in registry.processes(settings.REDIS_URL) if one.copy == copy]

    with (tmp_path / "log").open("wb") as log:
        front = subprocess.Popen(argv, cwd=settings.BASE_DIR, env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: listed() and listed()[0].ready and listed()[0].cpu is not None)
        (process,) = listed()
    finally:
        front.kill()
        front.wait()
    killed = time.monotonic()
    wait_until(lambda: not listed())

    assert (process.role, process.pid) == ("gateway", front.pid)
    assert process.address == f"127.0.0.1:{port}"
    assert process.private_address == f"127.0.0.1:{private_port}"
    assert time.monotonic() - killed < registry.TTL_SECONDS / 2  # its companion removes it


def test_a_gateway_that_drains_is_not_ready_though_its_successor_answers(front: Gateway) -> None:
    private = f"127.0.0.1:{front.private_port}"

    assert gateway_companion.answers(private, INSTANCE)
    assert not gateway_companion.answers(private, "the one before it")
    assert not gateway_companion.answers("127.0.0.1:1", INSTANCE)


def test_the_command_loads_the_settings_and_neither_an_app_nor_a_driver(tmp_path: Path) -> None:
    """No request gets an answer while a gateway starts, so the start must be fast."""
    argv = [sys.executable, "-X", "importtime", "manage.py", "gateway", "--check"]
    environment = {**os.environ, "GAVEL_VAR_DIR": str(tmp_path)}

    started = subprocess.run(
        argv, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=False
    )

    loaded = {
        line.rpartition("|")[2].strip()
        for line in started.stderr.splitlines()
        if line.startswith("import time")
    }
    assert {"auction_project.settings.base", "auction_project.processes.gateway"} <= loaded
    assert loaded.isdisjoint(
        {"django.db", "django.core.management", "psycopg", "redis", "celery", "bidding", "orders"}
    )


def test_the_command_checks_its_configuration(tmp_path: Path) -> None:
    argv = [sys.executable, "manage.py", "gateway", "--check"]
    environment = {**os.environ, "GAVEL_VAR_DIR": str(tmp_path), "GATEWAY_BIDS_1": "127.0.0.1:1"}
    environment |= {f"GATEWAY_{name}_1": "127.0.0.1:1" for name in ("PUSH", "SITE", "STOCK", "ORDERS")}

    good = subprocess.run(
        argv, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=False
    )
    environment["GATEWAY_SITE_1"] = "nowhere.invalid:1"
    bad = subprocess.run(
        argv, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=False
    )

    assert good.returncode == 0, good.stderr
    assert bad.returncode != 0
    assert "nowhere.invalid" in bad.stderr


def test_the_command_reads_another_configuration_where_one_is_named(tmp_path: Path) -> None:
    file = tmp_path / "other.cfg"
    file.write_text("nonsense\n")

    argv = [sys.executable, "manage.py", "gateway", "--check", "--configuration", str(file)]
    checked = subprocess.run(argv, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)

    assert checked.returncode != 0
    assert f"{file}:1" in checked.stderr


def compose() -> dict[str, Any]:
    """The services of docker/compose.yml, in which `!reset` is a word of Compose."""
    text = (gateway.DIRECTORY.parent / "compose.yml").read_text().replace("!reset ", "")
    services: dict[str, Any] = yaml.safe_load(text)["services"]
    return services


def container_values() -> dict[str, str]:
    """What the gateway has in every container."""
    lines = (gateway.DIRECTORY / "containers.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_containers_have_each_pool_as_a_service_and_the_limits_that_the_command_makes() -> None:
    services = compose()
    environment = services["gateway"]["environment"] | container_values()
    with override_settings(
        USER_REQUESTS_PER_SECOND=50,
        ANONYMOUS_REQUESTS_PER_SECOND=50,
        BIDS_PER_SECOND=20,
        STREAMS_PER_SECOND=20,
        STREAMS_PER_ADDRESS=200,
    ):
        made = gateway.values(bind=":8000")

    limits = [
        name
        for name in made
        if name.startswith(("GATEWAY_REQUESTS", "GATEWAY_STREAMS", "GATEWAY_SIGN", "GATEWAY_BIDS"))
    ]
    assert {name: environment[name] for name in limits} == {name: made[name] for name in limits}
    assert made.keys() <= environment.keys()
    assert services["gateway"]["env_file"] == "gateway/containers.env"
    for pool, apps in roles.POOLS.items():
        assert environment[f"GATEWAY_{pool.upper()}"] == f"{pool}:8000"
        assert services[pool]["environment"]["SERVICES"] == ",".join(apps)


def test_containers_start_the_gateway_with_their_values_keys_and_name_server(tmp_path: Path) -> None:
    (tmp_path / "haproxy").symlink_to(gateway.binary())
    given = container_values() | {
        name: str(value) for name, value in compose()["gateway"]["environment"].items()
    }
    given |= {name: str(tmp_path / name) for name in ("GATEWAY_FIRST_KEY", "GATEWAY_SECOND_KEY")}
    given |= {"GATEWAY_DIR": str(gateway.DIRECTORY), "GATEWAY_MAX_CONNECTIONS": "100"}
    given |= {"JWT_PUBLIC_KEY": settings.JWT_PUBLIC_KEY.replace("\n", "\\n"), "JWT_SECOND_PUBLIC_KEY": ""}

    argv = ["sh", str(gateway.DIRECTORY / "start"), "-c"]
    environment = given | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    checked = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stderr
    assert {(tmp_path / name).read_text() for name in ("GATEWAY_FIRST_KEY", "GATEWAY_SECOND_KEY")} == {
        settings.JWT_PUBLIC_KEY
    }


def test_the_secrets_of_containers_name_the_key_as_tokens_do() -> None:
    printed = subprocess.run(
        ["sh", str(gateway.DIRECTORY.parent / "secrets")], capture_output=True, text=True, check=True
    ).stdout
    secrets = dict(line.split("=", 1) for line in printed.splitlines())

    assert secrets["JWT_KEY_ID"] == tokens.key_id(secrets["JWT_PUBLIC_KEY"].replace("\\n", "\n"))
