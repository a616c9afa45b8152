"""Whom PostgreSQL runs as. It refuses to be root, so root lends it an account that can do less.

The first of `postgres`, `nobody`, `daemon` that exists and that this process may become (a container can forbid some of them).
"""

import os
import pwd
import subprocess

from auction_project.tools.embedded import process

CANDIDATES = ("postgres", "nobody", "daemon")
TRIAL_TIMEOUT_S = 10.0


class NoAccount(Exception):
    """Root without anybody to become."""


def choose() -> process.Account | None:
    """The account to change to; None when this process is not root and everything stays as it is."""
    if os.geteuid() != 0:
        return None
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        account = process.Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
        if account.uid != 0 and can_run(["/bin/true"], account=account):
            return account
    raise NoAccount(
        f"PostgreSQL does not run as root, and this process cannot become any of {', '.join(CANDIDATES)}."
    )


def can_run(argv: list[str], *, account: process.Account | None) -> bool:
    """Whether that account can start a program, with all the libraries that it loads."""
    try:
        done = subprocess.run(
            argv,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TRIAL_TIMEOUT_S,
            check=False,
            **process.run_as(account),
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
