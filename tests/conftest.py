"""One running stack for all tests of the whole system: each role is a real process on the servers that the environment
names (`make test` starts embedded ones), behind the gateway. The session has databases of its own.
"""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Generator, Iterator

import pytest
from django.conf import settings

from auction_project.kernel.tests import spans
from auction_project.processes.stack import SMALL_HOUSE, Stack
from tests import house

# Their data slows the tests after them.
LAST = ("test_faults", "test_hot_auctions", "test_contract", "test_rolling")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test of the running stack needs servers of its own, because it stops them."""
    for item in items:
        if "house" in getattr(item, "fixturenames", ()) and item.path.is_relative_to(house.ROOT / "tests"):
            item.add_marker(pytest.mark.stack)
    items.sort(key=lambda item: LAST.index(item.path.stem) + 1 if item.path.stem in LAST else 0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure of the running stack shows what its roles have warned of since the test began."""
    report = yield
    running = getattr(item, "funcargs", {}).get("house")
    if report.failed and isinstance(running, house.House) and (shown := running.warnings(since=call.start)):
        report.sections.append(("Warnings of the roles", shown))
    return report


@pytest.fixture(scope="session")
def collector() -> Iterator[spans.Receiver]:
    """Where the stack sends its spans."""
    receiver = spans.Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="session", name="house")
def running_house(
    tmp_path_factory: pytest.TempPathFactory, collector: spans.Receiver
) -> Iterator[house.House]:
    """The stack on emptied stores. It starts once and ends with the session."""
    directory = tmp_path_factory.mktemp("stack")
    database = f"gavel_stack_{uuid.uuid4().hex[:8]}"
    # Kafka's topics cannot be emptied: tests read those of their own session.
    settings.EVENTS_NAMESPACE = database
    environment = {
        "EVENTS_NAMESPACE": database,
        "DJANGO_SETTINGS_MODULE": "auction_project.settings.base",
        "MONGODB_DATABASE": database,
        "BANK_TIMEOUT_SECONDS": "0.5",
        "ANONYMOUS_REQUESTS_PER_SECOND": "0",  # all tests send from one address
        "STREAMS_PER_SECOND": "0",
        "STREAMS_PER_ADDRESS": "2000",
        "SIGN_INS_PER_MINUTE": "0",
        "BIDS_PER_SECOND": "0",  # some tests bid as fast as the answers come
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_TRACES_SAMPLER_ARG": "0",  # the sales alone
    }
    house.empty_stores()
    stack = Stack(directory, environment=environment, web_port=0, pools=SMALL_HOUSE)
    subprocess.run(
        [sys.executable, "manage.py", "migrate_all"], cwd=house.ROOT, env=stack.environment, check=True
    )
    try:
        stack.start()
        running = house.House(stack)
        yield running
        running.close()
    finally:
        stack.stop()
        logs = os.environ.get("GAVEL_TEST_LOGS")
        if logs:
            shutil.copytree(directory, logs, dirs_exist_ok=True)
