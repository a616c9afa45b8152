"""What the dispatcher sends: a chain with one task for consecutive calls on a queue; nothing while the broker is unavailable."""

import celery
import kombu.exceptions
import pytest

from sagas import definitions, dispatcher, engine

LEGS = engine.start(definitions.SETTLE_SALE).legs


@pytest.fixture
def chains(monkeypatch):
    sent = []
    monkeypatch.setattr(
        celery.canvas._chain, "apply_async", lambda chain, **_: sent.append(list(chain.tasks))
    )
    monkeypatch.setattr(celery.canvas.Signature, "apply_async", lambda task, **_: sent.append([task]))
    return sent


def test_a_chain_changes_the_queue_with_the_app(chains):
    dispatcher.send(saga_ids=["a-1"], legs=LEGS)

    assert [(task.task, task.kwargs["step"], task.options["queue"]) for task in chains[0]] == [
        ("sagas.run_step", "reserve_stock", "inventory"),
        ("sagas.run_step", "assess_risk", "orders"),
        ("sagas.run_step", "commit_stock", "inventory"),
        ("sagas.run_step", "confirm_order", "orders"),
    ]
    assert all(task.immutable and task.kwargs["saga_ids"] == ["a-1"] for task in chains[0])


def test_the_last_step_is_sent_alone(chains):
    dispatcher.send(saga_ids=["a-1"], legs=LEGS[-1:])

    assert [[task.kwargs["step"] for task in chain] for chain in chains] == [["confirm_order"]]


@pytest.mark.parametrize("error", [kombu.exceptions.OperationalError("gone"), ConnectionError("gone")])
def test_what_an_unavailable_broker_does_not_take_is_logged_and_returned(monkeypatch, caplog, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(celery.canvas._chain, "apply_async", fail)

    assert dispatcher.send(saga_ids=["a-1"], legs=LEGS) == ["a-1"]
    assert "chain_not_sent" in caplog.text
