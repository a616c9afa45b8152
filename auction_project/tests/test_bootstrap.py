"""Every kind of process closes at its end what it owns."""

import subprocess
import sys

from django.conf import settings

PROGRAM = """
import django
django.setup()
from bidding import runtime
from notifications import redis_clients
from orders import provider
print(*(owned().__class__.__name__ for owned in (runtime.current, provider.current, redis_clients.blocking)))
"""


def test_a_program_that_only_ends_closes_what_it_made_and_says_nothing() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=settings.BASE_DIR, capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "Runtime BankClient Redis\n", "")
