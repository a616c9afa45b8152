"""The registry: which processes run now. Each process keeps an entry of itself in Redis, which ends by itself.

A process renews its entry every RENEW_SECONDS, and an entry lives for TTL_SECONDS. So the entry of a process that died is gone
within TTL_SECONDS, and that of a process that stops in order is removed at once. A thread of its own renews it: the start and the
end of a process wait for no answer of Redis, and nothing that serves depends on the registry. Without Redis there is one line of
log, and the entry is back with Redis.

A program that can write to Redis can forge an entry, so an entry is a statement and no proof: it serves people and Prometheus. What
is no entry is skipped. This module needs neither Django nor settings, so that the companion of the gateway stays small.
"""

import contextlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
import redis
from redis import backoff, retry

import auction_project
from auction_project.kernel import errors, logs
from auction_project.processes import identity

KEY = "gavel:processes"
TTL_SECONDS = 5.0
RENEW_SECONDS = 1.5
ANSWER_SECONDS = 1.0  # a renewal waits for three answers at most, and is still within the TTL
CLOSE_SECONDS = 0.5  # that the end of a process waits, at most, for its entry to be removed
_WILDCARDS = ("0.0.0.0", "::", "[::]", "")  # noqa: S104 - compared, not bound

Count = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]  # as far as JavaScript counts
# host:port, or empty
Address = Annotated[str, msgspec.Meta(pattern=r"^(?:[A-Za-z0-9._:\[\]-]{1,255}:[0-9]{1,5})?$")]

log = logs.get(__name__)


class Figure(msgspec.Struct, frozen=True):
    """A number with its unit: 12 messages."""

    value: float
    unit: str

    def __str__(self) -> str:
        number = f"{self.value:,.1f}".removesuffix(".0")
        return f"{number} {self.unit.removesuffix('s') if number == '1' else self.unit}"


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """What a process says of itself. A newer version may say more, which is ignored.

    `copy` names it among those of its role. `services`: the apps that a web process serves (SERVICES), or the groups of a
    consumer. `address` is where it serves, and `private_address` where it answers probes and metrics. `started_at` is in
    milliseconds since the epoch. Since its last renewal: `cpu`, its share of a core, and `rate`, what it did in a second; `lag`
    is what waits for it. These are None where the process does not know.
    """

    id: str
    role: str
    copy: str
    services: tuple[str, ...] = ()
    address: Address = ""
    private_address: Address = ""
    version: str = ""
    host: str = ""
    pid: Count = 0
    started_at: Count = 0
    ready: bool = False
    cpu: float | None = None
    memory_mib: float | None = None
    rate: Figure | None = None
    lag: Figure | None = None


# --- reading -------------------------------------------------------------------------------------------------------


def processes(redis_url: str, *, key: str = KEY) -> list[Process]:
    """Those that run now, by role, copy and id. Raises errors.Unavailable when Redis does not answer."""
    try:
        with contextlib.closing(Line(redis_url)) as line:
            return _read(line, key)
    except (redis.RedisError, OSError) as error:
        raise errors.Unavailable("Redis does not answer.") from error  # clients may read it: no address


def targets(redis_url: str, *, key: str = KEY) -> list[dict[str, Any]]:
    """The processes with metrics, in the format of Prometheus' `http_sd_configs`. Raises errors.Unavailable."""
    return [
        {
            "targets": [process.private_address],
            "labels": {"role": process.role, "copy": process.copy, "services": ",".join(process.services)},
        }
        for process in processes(redis_url, key=key)
        if process.private_address
    ]


def _read(line: "Line", key: str) -> list[Process]:
    """Also forgets the names of entries that have ended. One that is renewed in this moment names itself again."""
    names: list[bytes] = sorted(line.ask(("SMEMBERS", key))[0])
    texts = line.ask(("MGET", *(_entry_key(key, name) for name in names)))[0] if names else []
    gone = [name for name, text in zip(names, texts, strict=True) if text is None]
    if gone:
        line.ask(("SREM", key, *gone))
    entries = [_decoded(name, text) for name, text in zip(names, texts, strict=True) if text is not None]
    return sorted(filter(None, entries), key=lambda process: (process.role, process.copy, process.id))


def _decoded(name: bytes, text: bytes) -> Process | None:
    """None for what is no entry, or is that of another name."""
    try:
        process = msgspec.json.decode(text, type=Process)
    except (ValueError, RecursionError):  # a ValidationError is a ValueError, and so is bad UTF-8
        return None
    return process if process.id.encode() == name else None


# --- writing -------------------------------------------------------------------------------------------------------


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What only the process itself knows: see Process. `work` is a total that grows, of which the entry has the rate. It and
    `lag` are called in a thread at each renewal, and answer within a second."""

    services: Sequence[str] = ()
    address: str = ""
    lag: Callable[[], Figure | None] = lambda: None
    work: Callable[[], Figure | None] = lambda: None


class Registration:
    """Keeps one process in the registry, from `start` to `close`.

    `is_ready` is called in a thread at each renewal, and answers within a second. `pid` is that of another process if this one
    speaks for it.
    """

    def __init__(
        self,
        role: str,
        about: About,
        *,
        redis_url: str,
        private_address: str,
        is_ready: Callable[[], bool],
        pid: int = 0,
        key: str = KEY,
        ttl_seconds: float = TTL_SECONDS,
        renew_seconds: float = RENEW_SECONDS,
    ) -> None:
        self._redis_url = redis_url
        self._is_ready = is_ready
        self._pid = pid
        self._about = about
        self._key = key
        self._ttl_ms = int(ttl_seconds * 1000)
        self._renew_seconds = renew_seconds
        host = socket.gethostname()
        copy = os.environ.get(identity.COPY) or host
        self._entry = Process(
            id=f"{role}:{copy}:{uuid.uuid4().hex[:8]}",
            role=role,
            copy=copy,
            services=tuple(about.services),
            address=about.address,
            private_address=private_address,
            version=auction_project.VERSION,
            host=host,
            pid=pid or os.getpid(),
            started_at=time.time_ns() // 1_000_000,
        )
        self._last: tuple[float, float | None, float | None] = (time.monotonic(), None, None)
        self._is_away = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="registry", daemon=True)

    @property
    def id(self) -> str:
        return self._entry.id

    def start(self) -> "Registration":
        self._thread.start()
        return self

    def close(self) -> None:
        """Remove the entry, if Redis answers at once."""
        self._stop.set()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        self._entry = msgspec.structs.replace(
            self._entry,
            address=_from_elsewhere(self._entry.address),
            private_address=_from_elsewhere(self._entry.private_address),
        )
        with (
            contextlib.closing(Line(self._redis_url)) as line,
            contextlib.closing(_Usage(self._pid)) as usage,
        ):
            self._attempt(lambda: _read(line, self._key))  # forgets those that died unseen
            due = time.monotonic()
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                due = time.monotonic() + self._renew_seconds
                self._attempt(lambda: self._renew(line, usage))
            if not self._is_away:
                self._attempt(lambda: self._remove(line))

    def _attempt(self, ask: Callable[[], Any]) -> None:
        """Do `ask`. No failure ends the thread, and it is logged once until an attempt succeeds."""
        try:
            ask()
        except Exception as error:
            if not self._is_away:
                log.warning("registry_unavailable", error=f"{type(error).__name__}: {error}")
            self._is_away = True
        else:
            if self._is_away:
                log.info("registry_available")
            self._is_away = False

    def _renew(self, line: "Line", usage: "_Usage") -> None:
        text = msgspec.json.encode(self._described(usage))
        entry = _entry_key(self._key, self.id.encode())
        line.ask(("SET", entry, text, "PX", self._ttl_ms), ("SADD", self._key, self.id))

    def _remove(self, line: "Line") -> None:
        line.ask(("DEL", _entry_key(self._key, self.id.encode())), ("SREM", self._key, self.id))

    def _described(self, usage: "_Usage") -> Process:
        """The entry as it is now."""
        now, work, cpu = time.monotonic(), self._about.work(), usage.cpu_seconds()
        done = work.value if work else None
        (then, cpu_then, done_then), self._last = self._last, (now, cpu, done)
        rate = _per_second(done_then, done, now - then)
        return msgspec.structs.replace(
            self._entry,
            ready=self._is_ready(),
            cpu=_per_second(cpu_then, cpu, now - then),
            memory_mib=usage.memory_mib(),
            rate=Figure(rate, work.unit) if work and rate is not None else None,
            lag=self._about.lag(),
        )


class _Usage:
    """What a process uses, this one (pid 0) or another. Where the system has no /proc, that is unknown.

    The files stay open, because a look at them every second and a half must cost next to nothing.
    """

    def __init__(self, pid: int) -> None:
        self._is_own = not pid
        self._files: list[int] = []
        try:
            for name in ("stat", "statm"):
                self._files.append(os.open(f"/proc/{pid or os.getpid()}/{name}", os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            self.close()

    def cpu_seconds(self) -> float | None:
        """Since its start."""
        if self._is_own:
            return time.process_time()
        if (text := self._text(0)) is None:
            return None
        fields = text.rpartition(b")")[2].split()  # the name before it may hold spaces
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self) -> float | None:
        """What is resident."""
        text = self._text(1)
        return None if text is None else round(int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)

    def _text(self, number: int) -> bytes | None:
        """None for a process that has ended, too."""
        try:
            return os.pread(self._files[number], 1024, 0) if self._files else None
        except OSError:
            return None

    def close(self) -> None:
        files, self._files = self._files, []
        for file in files:
            os.close(file)


def _per_second(then: float | None, now: float | None, seconds: float) -> float | None:
    """None for the first value, and for a total that began anew."""
    if then is None or now is None or now < then or seconds <= 0:
        return None
    return round((now - then) / seconds, 4)


def _from_elsewhere(address: str) -> str:
    """`address` as others reach it: a process that listens on all addresses of its machine is at the machine's own."""
    host, _, port = address.rpartition(":")
    if not address or host not in _WILDCARDS:
        return address
    name = socket.gethostname()
    try:
        return f"{socket.gethostbyname(name)}:{port}"
    except OSError:
        return f"{name}:{port}"


def _entry_key(key: str, name: bytes) -> bytes:
    return key.encode() + b":" + name


class Line:
    """One connection to Redis, for commands that are asked together; each answer comes within ANSWER_SECONDS. A connection that
    broke is made anew at the next question.

    It is redis-py's own connection, which knows addresses, passwords and TLS. The client around it would double what a renewal
    costs.
    """

    def __init__(self, redis_url: str) -> None:
        self._connection = redis.ConnectionPool.from_url(
            redis_url,
            socket_connect_timeout=ANSWER_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            retry=retry.Retry(backoff.NoBackoff(), 0),
            protocol=2,
        ).make_connection()

    def ask(self, *commands: tuple[Any, ...]) -> list[Any]:
        """Their answers. Raises redis.RedisError, OSError."""
        try:
            self._connection.send_packed_command(self._connection.pack_commands(commands), check_health=False)
            return [self._connection.read_response() for _ in commands]
        except BaseException:
            self.close()  # an answer that was not read would be taken for that of the next question
            raise

    def close(self) -> None:
        self._connection.disconnect()
