"""Each client of a store, and of the mail server, speaks TLS when its URL says so, accepts the named authority, and no other."""

import contextlib
import gc
import os
import socket
import ssl
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib import parse

import confluent_kafka
import kombu
import pytest
import redis
from django.conf import settings as gavel
from django.core import mail
from django.core.cache.backends.redis import RedisCache

from auction_project.kernel import errors
from auction_project.kernel.messaging.backends import kafka, redis_streams
from auction_project.tests import tls_front
from bidding.store import client, mongo

pytestmark = pytest.mark.everywhere
Front = Callable[..., tls_front.TlsFront]


@pytest.fixture(autouse=True)
def _sockets_of_failed_handshakes_end_with_their_test() -> Iterator[None]:
    """Client libraries leave the socket of a handshake that failed to the garbage collector: without this, its warning
    fails a later test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    return tls_front.make_authority(tmp_path)


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    return tls_front.make_authority(tmp_path, "stranger")


@pytest.fixture
def front(authority: Path) -> Iterator[Front]:
    opened: list[tls_front.TlsFront] = []

    def open_front(url: str, **options: Any) -> tls_front.TlsFront:
        place = parse.urlsplit(url)
        opened.append(tls_front.TlsFront(authority, (str(place.hostname), int(place.port or 0)), **options))
        return opened[-1]

    yield open_front
    for one in opened:
        one.close()


def _moved(url: str, port: int, **query: str) -> str:
    """`url` at 127.0.0.1 and another port, with TLS options."""
    parts = parse.urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    merged = dict(parse.parse_qsl(parts.query)) | query
    return parts._replace(netloc=f"{user}{at}127.0.0.1:{port}", query=parse.urlencode(merged)).geturl()


def _rediss(url: str, port: int, **query: str) -> str:
    return _moved(url.replace("redis://", "rediss://", 1), port, **query)


def test_redis_is_asked_over_tls_by_broker_cache_and_celery(
    front: Front, authority: Path, settings: Any
) -> None:
    before = front(gavel.REDIS_URL)
    url = _rediss(gavel.REDIS_URL, before.port, ssl_ca_certs=str(authority))

    redis_streams.RedisStreamsBroker(url, namespace="tls").ping()
    assert before.encrypted >= 1
    seen = before.encrypted
    cache = RedisCache(url, {})
    cache.set("tls", "kept", 5)
    assert (cache.get("tls"), before.encrypted > seen) == ("kept", True)
    seen = before.encrypted
    with kombu.Connection(url, ssl={"ssl_cert_reqs": ssl.CERT_REQUIRED}, connect_timeout=2) as connection:
        connection.ensure_connection(max_retries=1, timeout=2)
    assert before.encrypted > seen


@pytest.mark.parametrize("query", [{}, {"ssl_ca_certs": "stranger"}])
def test_a_redis_of_another_authority_is_refused_by_every_client(
    front: Front, stranger: Path, query: dict[str, str]
) -> None:
    before = front(gavel.REDIS_URL)
    url = _rediss(gavel.REDIS_URL, before.port, **dict.fromkeys(query, str(stranger)))

    with pytest.raises(errors.Unavailable):
        redis_streams.RedisStreamsBroker(url, namespace="tls").ping()
    with pytest.raises(redis.ConnectionError):
        RedisCache(url, {}).get("tls")
    with (
        kombu.Connection(url, ssl={"ssl_cert_reqs": ssl.CERT_REQUIRED}, connect_timeout=2) as connection,
        pytest.raises(kombu.exceptions.OperationalError),
    ):
        connection.ensure_connection(max_retries=1, timeout=2)
    assert before.encrypted == 0


def test_celery_asks_for_verification_which_kombu_leaves_out() -> None:
    shown = _settings_with("settings.CELERY_BROKER_USE_SSL", CELERY_BROKER_URL="rediss://:secret@x/1")

    assert shown == str({"ssl_cert_reqs": ssl.CERT_REQUIRED})
    assert gavel.CELERY_BROKER_USE_SSL is False


def test_postgresql_is_asked_over_tls_with_the_options_of_its_url(
    front: Front, authority: Path, stranger: Path
) -> None:
    before = front(_database_url(), starttls=True)

    def connect(trusted: Path) -> str:
        query = {"sslmode": "verify-full", "sslrootcert": str(trusted)}
        shown = (
            "[__import__('psycopg').connect(**parameters).info.encoding for parameters in "
            "[__import__('django.db').db.connections['default'].get_connection_params()]]"
        )
        return _settings_with(shown, DATABASE_URL_DEFAULT=_moved(_database_url(), before.port, **query))

    assert connect(authority) == "['utf-8']"
    assert before.encrypted == 1
    assert "certificate verify failed" in connect(stranger)


async def test_mongodb_is_asked_over_tls_with_the_options_of_its_url(
    front: Front, authority: Path, stranger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = front(gavel.MONGODB_URL)

    opened = mongo.MongoStore(
        _moved(gavel.MONGODB_URL, before.port, tls="true", tlsCAFile=str(authority), directConnection="true"),
        gavel.MONGODB_DATABASE,
    )
    await opened.clock_offset_ms()
    await opened.close()
    assert before.encrypted >= 1

    seen = before.encrypted
    monkeypatch.setattr(client, "OPERATION_SECONDS", 0.5)
    refused = mongo.MongoStore(
        _moved(gavel.MONGODB_URL, before.port, tls="true", tlsCAFile=str(stranger), directConnection="true"),
        gavel.MONGODB_DATABASE,
    )
    with pytest.raises(errors.Unavailable):
        await refused.clock_offset_ms()
    await refused.close()
    assert before.encrypted == seen


def test_kafka_is_asked_over_tls_and_the_file_of_its_authority_must_be_there(
    front: Front, authority: Path, stranger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No Kafka answers here: the handshake is what is seen."""
    monkeypatch.setattr(kafka, "REQUEST_SECONDS", 2.0)
    before = front(gavel.REDIS_URL)
    servers = f"localhost:{before.port}"
    sasl = {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "gavel", "sasl.password": "secret"}

    def ask(trusted: Path) -> None:
        options = {"security.protocol": "SASL_SSL", "ssl.ca.location": str(trusted), **sasl}
        with pytest.raises(errors.Unavailable):
            kafka.KafkaBroker(servers, options=options).ping()

    ask(stranger)
    assert before.encrypted == 0
    ask(authority)
    assert before.encrypted >= 1
    with pytest.raises(confluent_kafka.KafkaException, match=r"ssl\.ca\.location"):
        kafka.KafkaBroker(servers, options={"security.protocol": "SSL", "ssl.ca.location": "/not/there.pem"})


# --- mail --------------------------------------------------------------------------------------------------------


class SmtpServer:
    """As much SMTP as a submission needs: EHLO, STARTTLS, AUTH PLAIN, one message; keeps what it was given."""

    def __init__(self, certificate: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.commands: list[str] = []
        self.message = ""
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), client:
                client.settimeout(tls_front.PATIENCE_SECONDS)
                client.sendall(b"220 ready\r\n")
                self._talk(client, ehlo=b"STARTTLS")
                with self._context.wrap_socket(client, server_side=True) as inside:
                    self._talk(inside, ehlo=b"AUTH PLAIN")

    def _talk(self, client: socket.socket, *, ehlo: bytes) -> None:
        """Until QUIT or STARTTLS."""
        answers = {
            "EHLO": b"250-here\r\n250 %b\r\n" % ehlo,
            "STARTTLS": b"220 go on\r\n",
            "AUTH": b"235 welcome\r\n",
            "DATA": b"354 go on\r\n",
            "QUIT": b"221 bye\r\n",
        }
        with client.makefile("rb") as lines:
            while line := lines.readline().decode().strip():
                verb = line.partition(" ")[0].upper()
                self.commands.append(verb)
                client.sendall(answers.get(verb, b"250 fine\r\n"))
                if verb == "DATA":
                    while (part := lines.readline().decode()) != ".\r\n":
                        self.message += part
                    client.sendall(b"250 taken\r\n")
                if verb in ("STARTTLS", "QUIT"):
                    return


@pytest.fixture
def smtp(authority: Path) -> Iterator[SmtpServer]:
    server = SmtpServer(authority)
    yield server
    server.close()


def _send_by(smtp: SmtpServer, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "localhost", smtp.port
    settings.EMAIL_USE_TLS, settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = True, "gavel", "secret"
    mail.send_mail("Verify", "Follow the link.", gavel.DEFAULT_FROM_EMAIL, ["ada@example.org"])


def test_mail_goes_out_encrypted_and_signed_in(
    smtp: SmtpServer, authority: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))

    _send_by(smtp, settings)

    assert smtp.commands == ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]
    assert "Follow the link." in smtp.message


def test_no_password_and_no_mail_reach_a_server_of_another_authority(
    smtp: SmtpServer, stranger: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(stranger))

    with pytest.raises(ssl.SSLCertVerificationError):
        _send_by(smtp, settings)

    assert smtp.commands == ["EHLO", "STARTTLS"]
    assert smtp.message == ""


def _database_url() -> str:
    database = gavel.DATABASES["default"]
    user = f"{database['USER']}:{parse.quote(database['PASSWORD'], safe='')}"
    name = os.environ["DATABASE_URL_DEFAULT"].rpartition("/")[2]
    return f"postgres://{user}@{database['HOST']}:{database['PORT']}/{name}"


def _settings_with(expression: str, **variables: str) -> str:
    """What the development settings answer in a process of their own; its errors, where it fails."""
    answer = subprocess.run(
        [sys.executable, "-c", f"from django.conf import settings; print({expression})"],
        cwd=gavel.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "auction_project.settings.base", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stderr if answer.returncode else answer.stdout.strip()
