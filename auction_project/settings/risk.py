"""The settings of the risk check, RISK_<NAME> for each name of DEFAULTS, checked in every process. `orders/risk.py` says what each
figure does.
"""

from collections.abc import Iterator, Mapping

from django.core.exceptions import ImproperlyConfigured

from auction_project.settings import environment

MAX_POINTS = 1_000
MAX_FIGURE = 10_000
DEFAULTS: Mapping[str, int] = {
    "limit": 80,
    "new_account_hours": 24,
    "new_account_points": 30,
    "young_account_days": 30,
    "young_account_points": 10,
    "unverified_points": 30,
    "declined_days": 30,
    "declined_points": 20,
    "declined_max_points": 60,
    "paid_points": -5,
    "paid_max_points": -25,
    "velocity_minutes": 10,
    "velocity_sales": 10,
    "velocity_points": 20,
    "rush_sales": 30,
    "rush_points": 40,
    "new_device_hours": 24,
    "new_device_points": 10,
    "known_device_days": 30,
    "known_device_points": -10,
    "linked_points": 10,
    "linked_max_points": 30,
    "override_max_hours": 168,
}
_CREDITS = ("paid_points", "paid_max_points", "known_device_points")  # what speaks for a buyer


def figures(env: environment.Env) -> dict[str, int]:
    """The figures by name. Raises ImproperlyConfigured, with all that is wrong."""
    read = {name: env.int(variable(name), default=default) for name, default in DEFAULTS.items()}
    if wrong := list(_findings(read)):
        raise ImproperlyConfigured("\n".join(wrong))
    return read


def variable(name: str) -> str:
    """The variable of the figure."""
    return f"RISK_{name.upper()}"


def _findings(read: Mapping[str, int]) -> Iterator[str]:
    for name, figure in read.items():
        least, most = 1, MAX_FIGURE
        if name in _CREDITS:
            least, most = -MAX_POINTS, 0
        elif name.endswith("_points"):
            least, most = 0, MAX_POINTS
        if not least <= figure <= most:
            yield f"{variable(name)} is {figure}. It is a whole number from {least} to {most}."
    for smaller, greater in (
        ("declined_points", "declined_max_points"),
        ("linked_points", "linked_max_points"),
        ("paid_max_points", "paid_points"),
    ):
        if read[smaller] > read[greater]:
            yield f"{variable(smaller)} is {read[smaller]}. It is {variable(greater)} ({read[greater]}) or less."
    if read["rush_sales"] <= read["velocity_sales"]:
        yield f"RISK_RUSH_SALES is {read['rush_sales']}. It is more than RISK_VELOCITY_SALES ({read['velocity_sales']})."
    if read["young_account_days"] * 24 < read["new_account_hours"]:
        yield (
            f"RISK_YOUNG_ACCOUNT_DAYS is {read['young_account_days']}, which ends before RISK_NEW_ACCOUNT_HOURS "
            f"({read['new_account_hours']})."
        )
