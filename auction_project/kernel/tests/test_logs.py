"""What a client sends cannot forge a line of the log, whatever its format."""

import json
import subprocess
import sys

import pytest

FORGED = "2026-11-27T10:00:00Z [error    ] bid_lost"
PROGRAM = f"""
import logging
from auction_project.kernel import logs
logs.configure(json=JSON, level="INFO")
sent = "x\\n{FORGED}\\x1b[2J\\u2028"
logs.get("own").info("request", path=sent)
logging.getLogger("django.security").warning("The field %s cannot be referenced.", sent)
try:
    raise ValueError(sent)
except ValueError:
    logging.getLogger("django.request").exception("Internal Server Error: %s", sent)
"""


@pytest.mark.parametrize("as_json", [False, True])
def test_no_line_begins_with_what_a_client_sent(as_json: bool) -> None:
    program = PROGRAM.replace("JSON", str(as_json))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    lines = done.stderr.split("\n")
    if as_json:
        assert [json.loads(line)["level"] for line in lines if line] == ["info", "warning", "error"]
    assert [line for line in lines if line.startswith("2026-11-27T10")] == []
    assert done.stderr.count("bid_lost") >= 4  # it is there, and harmless
    assert "\x1b" not in done.stderr
