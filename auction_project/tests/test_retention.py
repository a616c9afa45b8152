"""The relay deletes all that is kept for a time: each app says what is old, and tests that for itself."""

from django.apps import apps

from auction_project.accounts import retention as accounts
from auction_project.kernel.messaging import once, outbox
from auction_project.kernel.messaging import retention as dead_letters
from auction_project.management.commands import relay
from notifications import retention as emails
from orders import retention as devices


def test_the_relay_prunes_all_that_is_kept_for_a_time() -> None:
    loop = relay._maintenance()
    loop.close()

    of_ours = [model for model in apps.get_models() if "tests" not in model.__module__]
    assert set(loop._outboxes) == {model for model in of_ours if issubclass(model, outbox.OutboxRow)}
    assert set(loop._inboxes) == {model for model in of_ours if issubclass(model, once.OnceRow)}
    assert set(loop._prunes) == {
        accounts.prune_sessions,
        accounts.prune_personal_data_views,
        accounts.prune_sightings,
        devices.prune_devices,
        dead_letters.prune,
        emails.prune,
    }
