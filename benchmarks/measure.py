"""One repeat of one scenario, in a process of its own: `python -m benchmarks.measure NAME FILE` writes its figures as JSON.

The environment names the stores, which are empty.
"""

import contextlib
import importlib
import os
import sys
from pathlib import Path

os.environ["DJANGO_SETTINGS_MODULE"] = "auction_project.settings.base"
os.environ.setdefault("GAVEL_LOG_LEVEL", "WARNING")

import django
import msgspec

django.setup()

from benchmarks import profiles, scenarios


def main(name: str, file: str) -> None:
    scenario = scenarios.SCENARIOS[name]
    module, _, function = scenario.function.partition(":")
    run = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    with profiles.of_this_process() if profiles.MEASURE in scenario.profiled else contextlib.nullcontext():
        figures = run()
    Path(file).write_bytes(msgspec.json.encode(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
