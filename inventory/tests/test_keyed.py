"""At most once by key: what a refusal leaves behind, and which of two concurrent callers decides."""

import pytest

from auction_project.kernel.messaging import once
from inventory import models, refusals
from inventory.services import keyed
from inventory.tests.conftest import NOW

pytestmark = pytest.mark.django_db(databases=["inventory"])


def write_and_refuse():
    models.Warehouse.objects.create(code="MOON", name="Moon", priority=99)
    raise refusals.SoldOut(available=0, asked=1)


def test_a_refused_effect_leaves_nothing_but_its_answer():
    for _ in range(2):
        with pytest.raises(refusals.SoldOut) as refused:
            keyed.perform("k", write_and_refuse, now=NOW)

        assert refused.value.figures == {"available": 0, "asked": 1}
    assert not models.Warehouse.objects.filter(code="MOON").exists()
    assert [(row.key, row.state) for row in models.Once.objects.all()] == [("k", once.State.REFUSED)]


@pytest.mark.parametrize("decided", ["done", "undone"])
def test_a_refusal_yields_to_what_another_caller_has_decided_meanwhile(monkeypatch, decided):
    store = keyed._store_refusal

    def come_second(*arguments, **options):
        if decided == "done":
            keyed.perform("k", lambda: {"quantity": 1}, now=NOW)
        else:
            keyed.undo("k", dict, now=NOW)
        return store(*arguments, **options)

    monkeypatch.setattr(keyed, "_store_refusal", come_second)

    if decided == "done":
        assert keyed.perform("k", write_and_refuse, now=NOW) == {"quantity": 1}
    else:
        with pytest.raises(refusals.Voided):
            keyed.perform("k", write_and_refuse, now=NOW)
    assert not models.Warehouse.objects.filter(code="MOON").exists()
