"""The CPU of a house in which nothing happens."""

import time

from benchmarks import figures, processes
from benchmarks.figures import Figure

CALM_SECONDS, SECONDS = 10.0, 30.0
STORES = ("postgres", "valkey", "mongodb")


def run() -> list[Figure]:
    with processes.whole() as house:
        time.sleep(CALM_SECONDS)  # what a start leaves to do
        with processes.Costs(house) as costs:
            time.sleep(SECONDS)
        shares = {name: 100 * used / costs.seconds for name, used in costs.by_process.items()}
        roles = {name: share for name, share in shares.items() if name not in STORES}
        stores = {name: share for name, share in shares.items() if name in STORES}
        measured = [
            Figure(
                name="CPU of an idle house, all roles, of one core",
                value=sum(roles.values()),
                unit="%",
                goal=figures.at_most(3),
                parts=roles,
            )
        ]
        if stores:
            measured.append(
                Figure(
                    name="CPU of its embedded servers, of one core",
                    value=sum(stores.values()),
                    unit="%",
                    parts=stores,
                )
            )
        return house.verified(measured)
