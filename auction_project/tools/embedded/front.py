"""The front: the process that the user started. It passes signals down and the exit code up, and ends all if the
supervisor dies.

The supervisor is its only child. A signal of the terminal has reached COMMAND already (same process group), so it is
passed on with a mark. Only `sigwaitinfo` says which kind a signal is, so the front waits for signals instead of
handling them.
"""

import os
import signal
import sys
from collections.abc import Callable

from auction_project.tools.embedded import process, supervisor

FORWARDED = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
SENT_BY_KERNEL = 0x80  # SI_KERNEL of <asm-generic/siginfo.h>: the terminal, not kill(2)
KILL_TIMEOUT_S = 10.0


def run(supervise: Callable[[int, int], int]) -> int:
    """Fork; `supervise(pipe, group)` runs in the child, whose exit code is returned."""
    group = os.getpgrp()
    reader, writer = os.pipe()
    process.become_subreaper()
    signal.pthread_sigmask(signal.SIG_BLOCK, {*FORWARDED, signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        os.close(writer)
        _become_supervisor(supervise, reader, group)
    os.close(reader)
    status = _pass_signals_on(child, writer)
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    supervisor.say(
        f"the supervisor was killed ({signal.Signals(os.WTERMSIG(status)).name}); ending everything"
    )
    _kill_descendants()
    return supervisor.EXIT_FAILED


def _become_supervisor(supervise: Callable[[int, int], int], reader: int, group: int) -> None:
    """Never returns, because the rest of the caller is for the front."""
    code = supervisor.EXIT_FAILED
    try:
        os.setpgid(0, 0)
        process.become_subreaper()
        code = supervise(reader, group)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _pass_signals_on(child: int, writer: int) -> int:
    """Pass signals on until the child ends; its status. Other children are adopted ones, and are only collected."""
    while True:
        received = signal.sigwaitinfo({*FORWARDED, signal.SIGCHLD})
        if received.si_signo != signal.SIGCHLD:
            mark = supervisor.FROM_TERMINAL if received.si_code == SENT_BY_KERNEL else 0
            os.write(writer, bytes([received.si_signo | mark]))
            continue
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == child:
                return status


def _kill_descendants() -> None:
    while rest := [descendant.pid for descendant in process.list_descendants(os.getpid())]:
        process.send(rest, signal.SIGKILL)
        process.wait_until_gone(rest, timeout_s=KILL_TIMEOUT_S, reap=_collect)


def _collect() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
