"""One repeat of one scenario, in a process of its own: `python -m benchmarks.measure NAME FILE` writes its figures as JSON.

The environment names the stores, which are empty.
"""

import importlib
import os
import sys
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auction_project.settings.base")
os.environ.setdefault("GAVEL_LOG_LEVEL", "WARNING")

import django
import msgspec

django.setup()

from benchmarks import scenarios


def main(name: str, file: str) -> None:
    module, _, function = scenarios.SCENARIOS[name].function.partition(":")
    figures = getattr(importlib.import_module(f"benchmarks.{module}"), function)()
    Path(file).write_bytes(msgspec.json.encode(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
