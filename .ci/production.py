"""`check --deploy` under production settings with a complete environment; and each refusal to start, seen to happen."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ROOT = Path(__file__).resolve().parents[1]
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
PUBLIC = (
    KEY.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
COMPLETE = {
    "DJANGO_SETTINGS_MODULE": "auction_project.settings.production",
    "SECRET_KEY": secrets.token_urlsafe(50),
    "JWT_PRIVATE_KEY": PRIVATE,
    "JWT_PUBLIC_KEY": PUBLIC,
    "ALLOWED_HOSTS": "gavel.example",
    "PUBLIC_URL": "https://gavel.example",
    **{
        f"DATABASE_URL_{name}": f"postgres://gavel:{secrets.token_urlsafe(16)}@db.example/{name.lower()}"
        for name in ("DEFAULT", "INVENTORY", "ORDERS", "NOTIFICATIONS", "SAGAS")
    },
    "MONGODB_URL": "mongodb://mongo.example/",
    "REDIS_URL": "redis://redis.example/0",
    "CELERY_BROKER_URL": "redis://redis.example/1",
    "BANK_URL": "https://bank.example",
    "BANK_API_KEY": secrets.token_urlsafe(40),
}
REFUSED = (
    ("SECRET_KEY", ""),
    ("SECRET_KEY", "short"),
    ("BANK_API_KEY", "a" * 40),
    ("DATABASE_URL_ORDERS", ""),
    ("ALLOWED_HOSTS", "*"),
    ("DEBUG", "true"),
    ("GAVEL_DEMO", "true"),
    ("GAVEL_FAILPOINTS", "relay.before_mark=kill"),
)


def check(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def main() -> int:
    complete = check(COMPLETE)
    if complete.returncode:
        print(complete.stdout, complete.stderr, sep="\n")
        return 1
    print("a complete environment passes check --deploy")
    for name, value in REFUSED:
        answer = check({**COMPLETE, name: value})
        if answer.returncode == 0 or name not in answer.stderr:
            print(f"{name}={value!r} was not refused by name:\n{answer.stderr[-500:]}")
            return 1
        print(
            f"refused: {answer.stderr.strip().splitlines()[-1].rpartition(': ')[0][-100:] or name} ({name})"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
