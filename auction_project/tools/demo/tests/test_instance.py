"""`make stop` signals the demo and no other process; a file that a killed demo left behind names none."""

import os
import signal
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from auction_project.tools.demo import instance
from auction_project.tools.management.commands import demo

# A demo that holds its directory, says so, and ends at SIGTERM; `deaf` ones only at SIGKILL.
HOLDER = """
import pathlib, signal, sys, time
from auction_project.tools.demo import instance
here = instance.Instance(lock=pathlib.Path(sys.argv[1]) / "demo" / "lock", file=pathlib.Path(sys.argv[1]) / "demo.json")
here.hold()
here.write({"url": "http://house", "services": {"REDIS_URL": "redis://x"}})
print("held", flush=True)
time.sleep(600)
"""


def test_a_scale_without_a_pool_names_the_pools_and_their_processes(monkeypatch):
    running = {"processes": dict.fromkeys(("bids", "bids-2", "push", "site", "gateway", "relay"), 1)}
    monkeypatch.setattr(instance.Instance, "read", lambda _: running)

    with pytest.raises(CommandError) as refusal:
        call_command("demo", "--scale")

    assert str(refusal.value).splitlines() == [
        "say which pool, for example: make scale bids=4",
        "processes now:",
        "  bids  2",
        "  push  1",
        "  site  1",
    ]


@pytest.mark.django_db(databases=["orders"])
def test_the_bank_of_a_demo_belongs_to_its_database_of_orders(tmp_path):
    """A demo on other stores, with the same directory, has a bank that knows none of the payments of these."""
    files = [demo.bank_file(tmp_path) for _ in range(2)]
    with connections["orders"].cursor() as cursor:
        cursor.execute("CREATE SCHEMA other")
        cursor.execute("CREATE FUNCTION other.current_database() RETURNS text LANGUAGE sql RETURN 'another'")
        cursor.execute("SET LOCAL search_path TO other, pg_catalog")
    files.append(demo.bank_file(tmp_path))

    assert files[0] == files[1] != files[2]
    assert {file.parent for file in files} == {tmp_path}


@pytest.fixture(name="here")
def this_directory(tmp_path):
    return instance.Instance(lock=tmp_path / "demo" / "lock", file=tmp_path / "demo.json")


@pytest.fixture(name="running")
def running_demo(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_without_a_demo_nothing_is_signalled(here):
    with pytest.raises(instance.NotRunning):
        here.stop()
    with pytest.raises(instance.NotRunning):
        here.read()


def test_a_demo_in_another_directory_is_another_demo(here, running, tmp_path):
    other = instance.Instance(
        lock=tmp_path / "other" / "demo" / "lock", file=tmp_path / "other" / "demo.json"
    )

    other.hold()
    other.write({"url": "http://other"})
    assert (here.pid(), other.pid()) == (running.pid, os.getpid())
    assert (here.read()["url"], other.read()["url"]) == ("http://house", "http://other")

    here.stop()
    assert running.wait(30) == -signal.SIGTERM
    assert other.read()["url"] == "http://other"
    other.leave()


def test_the_demo_that_runs_is_found_stopped_and_waited_for(here, running, tmp_path):
    assert here.pid() == running.pid
    assert here.read()["services"] == {"REDIS_URL": "redis://x"}
    assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(instance.AlreadyRunning, match=str(running.pid)):
        here.hold()

    here.stop()

    assert running.wait(30) == -signal.SIGTERM
    assert here.pid() is None


def test_verify_becomes_the_verification_of_the_stores_of_the_demo_that_runs(running, tmp_path, monkeypatch):
    class Replaced(BaseException):
        """This process would be another program now."""

    def replace(_program, argv, environment):
        raise Replaced(argv[1:], environment["REDIS_URL"])

    monkeypatch.setattr(demo, "_VAR", tmp_path)
    monkeypatch.setattr(os, "execve", replace)

    with pytest.raises(Replaced) as replaced:
        call_command("demo", "--verify", "--settled")

    argv, redis_url = replaced.value.args
    assert (argv[0].rpartition("/")[2], argv[1:]) == (
        "manage.py",
        ["verify", "--answers", str(demo.ANSWERS), "--settled"],
    )
    assert redis_url == "redis://x"


def test_a_file_that_a_killed_demo_left_names_no_process(here, running, tmp_path):
    running.kill()
    running.wait()
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (tmp_path / "demo" / "lock").write_text(f"{bystander.pid}\n")
    (tmp_path / "demo.json").write_text(f'{{"pid": {bystander.pid}, "services": {{}}}}')

    with pytest.raises(instance.NotRunning):
        here.stop()
    with pytest.raises(instance.NotRunning):
        here.read()

    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()
    here.hold()
    assert not (tmp_path / "demo.json").exists()
    assert (tmp_path / "demo" / "lock").read_text() == f"{os.getpid()}\n"
    here.leave()


def test_a_demo_that_does_not_end_is_said_to_run_still(here, running, monkeypatch):
    monkeypatch.setattr(instance, "STOP_SECONDS", 0.0)
    os.kill(running.pid, signal.SIGSTOP)  # it cannot react
    assert os.WIFSTOPPED(os.waitpid(running.pid, os.WUNTRACED)[1])  # a SIGTERM sent before could still end it

    with pytest.raises(TimeoutError, match=str(running.pid)):
        here.stop()

    os.kill(running.pid, signal.SIGCONT)
    running.wait(30)
