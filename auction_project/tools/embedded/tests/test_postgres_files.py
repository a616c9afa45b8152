"""PostgreSQL's files: programs that its account cannot reach, and a lock file that lies."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from auction_project.tools.embedded import accounts, installation
from auction_project.tools.embedded.tests.running import Run

Start = Callable[..., Run]


@pytest.fixture
def hidden_package(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wheel's package below a directory that only root can enter."""
    package = installation._find_package()
    hidden = place / package.name
    newest = max(package.glob("pginstall*"), key=installation._get_major)
    shutil.copytree(newest, hidden / newest.name, ignore=installation.NOT_NEEDED)
    shutil.copytree(package.with_name(f"{package.name}.libs"), place / f"{package.name}.libs")
    monkeypatch.setattr(installation, "_find_package", lambda: hidden)
    return hidden


@pytest.fixture
def open_place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory that every user can enter and write, like /tmp; the only one where copies may go."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        path.chmod(0o1777)
        monkeypatch.setattr(installation, "PLACES", (directory,))
        yield path


def test_wheel_that_can_be_reached_is_used_in_place() -> None:
    assert installation.find_bin(account=None).is_relative_to(installation._find_package())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
def test_wheel_that_cannot_be_reached_is_copied_once_and_mended(
    hidden_package: Path, open_place: Path
) -> None:
    account = accounts.choose()

    first = installation.find_bin(account=account)
    made = (first / "postgres").stat().st_ino
    second = installation.find_bin(account=account)
    (first / "initdb").unlink()
    third = installation.find_bin(account=account)

    assert first.is_relative_to(open_place)
    assert first == second == third
    assert (third / "initdb").exists()
    assert (third / "postgres").stat().st_ino != made
    assert [
        path for path in open_place.rglob("*") if path.lstat().st_mode & 0o022 and not path.is_symlink()
    ] == []
    assert len(list(open_place.iterdir())) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
def test_copy_that_another_user_has_put_there_is_not_run(hidden_package: Path, open_place: Path) -> None:
    account = accounts.choose()
    assert account is not None
    planted = installation.find_bin(account=account).parents[2]
    os.chown(planted, account.uid, account.gid)

    with pytest.raises(installation.CannotPrepare, match="can run PostgreSQL neither"):
        installation.find_bin(account=account)


@pytest.mark.parametrize("holder", [os.getpid(), 1], ids=["this process", "the first process"])
def test_lock_file_with_the_number_of_a_living_stranger_is_stale(start: Start, holder: int) -> None:
    first = start(only="postgres")
    lock = first.data / "postgres" / "cluster" / "postmaster.pid"
    content, owner = lock.read_text(), lock.stat()
    first.kill_everything()
    lock.write_text(f"{holder}\n{content.partition(chr(10))[2]}")
    os.chown(lock, owner.st_uid, owner.st_gid)

    second = start(only="postgres")

    with second.connect() as session:
        assert session.execute("SELECT 1").fetchone() == (1,)
