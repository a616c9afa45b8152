"""The account that PostgreSQL runs as. It refuses to run as root, so root starts it under an account with fewer rights.

That is the first of `postgres`, `nobody`, `daemon` that exists and that this process may become (a container can forbid
some).
"""

import os
import pwd
import subprocess

from auction_project.tools.embedded import process

CANDIDATES = ("postgres", "nobody", "daemon")
TRIAL_TIMEOUT_S = 10.0


class NoAccount(Exception):
    """This process is root and can become no other account."""


def choose() -> process.Account | None:
    """The account to change to; None when this process is not root, and PostgreSQL runs as the same user."""
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
