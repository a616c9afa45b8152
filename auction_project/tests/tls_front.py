"""TLS in front of a server that has none: accepts on a free port of 127.0.0.1, and passes what is inside on.

`starttls` is for PostgreSQL, whose clients ask in clear whether they may encrypt. The authority is made for one test.
"""

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

CHUNK_BYTES = 65536
PATIENCE_SECONDS = 20.0
_POSTGRES_ASKS = bytes.fromhex("0000000804d2162f")
_ACCEPTED = b"S"


def make_authority(directory: Path, name: str = "authority") -> Path:
    """A self-signed certificate for 127.0.0.1 and localhost, with its key beside it (`.key`)."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    file = directory / f"{name}.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    file.with_suffix(".key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return file


class TlsFront:
    """Ends TLS with `certificate` in front of `target`. `encrypted` counts the handshakes that held."""

    def __init__(self, certificate: Path, target: tuple[str, int], *, starttls: bool = False) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        self._context.set_alpn_protocols(["postgresql"])
        self._target = target
        self._starttls = starttls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.encrypted = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            client.settimeout(PATIENCE_SECONDS)
            if self._starttls:
                if client.recv(len(_POSTGRES_ASKS), socket.MSG_WAITALL) != _POSTGRES_ASKS:
                    return
                client.sendall(_ACCEPTED)
            with (
                self._context.wrap_socket(client, server_side=True) as inside,
                socket.create_connection(self._target) as server,
            ):
                self.encrypted += 1
                inside.settimeout(None)
                back = threading.Thread(target=_copy, args=(server, inside), daemon=True)
                back.start()
                _copy(inside, server)
                back.join(PATIENCE_SECONDS)
        except OSError:
            pass  # a client that does not trust the certificate, or is gone
        finally:
            client.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while chunk := source.recv(CHUNK_BYTES):
            target.sendall(chunk)
    except OSError:
        pass
    finally:
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
