"""How long `manage.py demo --once` takes from its start to the first confirmed sale, on migrated stores that run already."""

import os
import subprocess
import sys
import tempfile
import time

from benchmarks import figures, processes
from benchmarks.figures import Figure
from sagas import models as sagas

END_SECONDS = 600.0


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile() as output:
        began = time.time()
        demo = subprocess.Popen(
            [sys.executable, "manage.py", "demo", "--once", "--port", "0"],
            cwd=processes.ROOT,
            env={**os.environ, "GAVEL_VAR_DIR": directory},
            stdout=output,
            stderr=output,
        )
        try:
            code = demo.wait(END_SECONDS)
        finally:
            demo.terminate()
            demo.wait()
    ends = sagas.Saga.objects.filter(status="COMPLETED").order_by("finished_at")
    first = ends.values_list("finished_at", flat=True).first()
    if first is None:
        raise RuntimeError("no sale was confirmed")
    return [
        Figure(
            name="first confirmed sale after the start of the demo",
            value=first.timestamp() - began,
            unit="s",
            goal=figures.at_most(10),
            doubt="" if code == 0 else f"the demo's own check ended with {code}",
        )
    ]
