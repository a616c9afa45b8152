"""What the relay says of the stores: one that hangs counts as down in time, and holds up no other."""

import threading
from collections.abc import Iterator

import prometheus_client
import pytest

from auction_project.processes import needs, store_probe


class Stores:
    """`well` answers, `broken` refuses, `hanging` answers when `released`. `asked` counts the questions by store."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.asked: dict[str, int] = {}

    def missing(self, need: str) -> str | None:
        self.asked[need] = self.asked.get(need, 0) + 1
        if need == "hanging":
            self.released.wait(20)
        return "refused" if need == "broken" else None


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    found = Stores()
    monkeypatch.setattr(needs, "missing", found.missing)
    monkeypatch.setattr(store_probe, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(store_probe, "ANSWER_SECONDS", 0.1)
    yield found
    found.released.set()


def up(store: str) -> float | None:
    return prometheus_client.REGISTRY.get_sample_value("gavel_store_up", {"store": store})


def test_a_store_that_hangs_is_down_and_the_others_are_asked_on(stores: Stores) -> None:
    probe = store_probe.StoreProbe(("well", "broken", "hanging"))

    probe.step()
    assert (up("well"), up("broken"), up("hanging")) == (1, 0, 0)
    probe.step()
    assert stores.asked == {"well": 2, "broken": 2, "hanging": 1}
    seconds = prometheus_client.REGISTRY.get_sample_value("gavel_store_answer_seconds", {"store": "hanging"})
    assert seconds == 0.1

    stores.released.set()
    probe._questions["hanging"].result(20)
    probe.step()
    assert up("hanging") == 1
    probe.close()


def test_stores_are_asked_once_in_a_pause(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_probe, "PAUSE_SECONDS", 3600.0)
    probe = store_probe.StoreProbe(("well",))

    for _ in range(3):
        assert probe.step() is False

    assert stores.asked == {"well": 1}
    probe.close()
