"""A step of a sale in a process of its own, which is killed in the middle of it."""

import os
import signal
import subprocess
import sys

import msgspec
from django.conf import settings as project
from django.db import connections

from auction_project.kernel import failpoints
from orders.tests import sales

WORKER = """
import sys, django
django.setup()
from orders.tests import sales
import msgspec
getattr(msgspec.json.decode(sys.argv[1], type=sales.Sale), sys.argv[2])()
"""


def run_and_die(sale: sales.Sale, step: str, failpoint: str) -> None:
    """Run a step in a process of its own, which is killed at the failpoint."""
    database = connections["orders"].settings_dict
    address = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
    environment = os.environ | {
        "DATABASE_URL_ORDERS": f"postgres://{address}/{database['NAME']}",
        "BANK_URL": project.BANK_URL,
        "BANK_API_KEY": project.BANK_API_KEY,
        "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
        failpoints.VARIABLE: f"{failpoint}=kill",
    }
    command = [sys.executable, "-c", WORKER, msgspec.json.encode(sale).decode(), step]

    ended = subprocess.run(command, cwd=project.BASE_DIR, env=environment, capture_output=True, check=False)

    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
