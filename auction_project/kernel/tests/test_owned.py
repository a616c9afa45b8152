"""What a process owns is made once, at its first use, and is closed with the process."""

import contextlib
import threading
from collections.abc import Iterator

import pytest

from auction_project.kernel import owned


class Thing:
    is_open = True

    def close(self) -> None:
        self.is_open = False


class Stubborn(Thing):
    def close(self) -> None:
        raise OSError("it does not close")


@pytest.fixture
def makers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of makers and a process that owns nothing, for this test."""
    monkeypatch.setattr(owned, "_makers", {})
    monkeypatch.setattr(owned, "_open", [])


def owning(name: str, kind: type[Thing] = Thing) -> owned.Owned[Thing]:
    owned.made_by({name: lambda: contextlib.closing(kind())})
    return owned.Owned(name)


def test_it_is_made_at_the_first_call_and_only_then(makers: None) -> None:
    current = owning("thing")

    assert not current.is_made
    assert current() is current()


def test_threads_that_come_together_get_the_same_one(makers: None) -> None:
    entered, go_on = threading.Semaphore(0), threading.Event()
    made: list[Thing] = []

    @contextlib.contextmanager
    def slowly() -> Iterator[Thing]:
        entered.release()
        go_on.wait(10)
        made.append(Thing())
        yield made[-1]

    owned.made_by({"thing": slowly})
    current: owned.Owned[Thing] = owned.Owned("thing")
    got: list[Thing] = []
    threads = [threading.Thread(target=lambda: got.append(current())) for _ in range(8)]
    for thread in threads:
        thread.start()
    entered.acquire()
    go_on.set()
    for thread in threads:
        thread.join()

    assert len(made) == 1
    assert got == made * 8


def test_without_a_maker_it_says_what_is_missing(makers: None) -> None:
    with pytest.raises(RuntimeError, match="This process has no thing"):
        owned.Owned("thing")()


def test_after_its_close_the_next_call_makes_another(makers: None) -> None:
    current = owning("thing")
    first = current()

    current.close()
    current.close()

    assert not first.is_open
    assert current() is not first


def test_the_process_closes_the_last_made_first_and_all_of_them(makers: None) -> None:
    order: list[str] = []

    @contextlib.contextmanager
    def named(name: str) -> Iterator[str]:
        yield name
        order.append(name)

    owned.made_by({"a": lambda: named("a"), "b": lambda: named("b")})
    one = owning("stubborn", Stubborn)
    owned.Owned("a")()
    one()
    owned.Owned("b")()

    owned.close_all()

    assert order == ["b", "a"]
    assert not one.is_made


def test_what_was_put_is_not_closed_here(makers: None) -> None:
    current = owning("thing")
    thing = Thing()
    current.put(thing)

    owned.close_all()

    assert current() is thing
    assert current.take() is thing
    assert thing.is_open
    assert not current.is_made


def test_a_replacement_ends_with_its_block(makers: None) -> None:
    current = owning("thing")
    before = current()

    with current.replaced_by(Thing()) as other:
        assert current() is other

    assert current() is before
