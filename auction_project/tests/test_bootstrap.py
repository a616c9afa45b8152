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


COMMAND = """
import contextlib
from concurrent import futures
from auction_project.kernel import owned

@contextlib.contextmanager
def store():
    yield "a store"
    with futures.ThreadPoolExecutor() as threads:
        threads.submit(print, "closed").result()

owned.made_by({"store": store})
print(owned.Owned("store")())
"""


def test_what_a_command_made_is_closed_while_threads_can_still_begin() -> None:
    ended = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", COMMAND],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "a store\nclosed\n", "")
