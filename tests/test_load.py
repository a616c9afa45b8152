"""`manage.py load` records every answer, the log confirms each, and no request goes to another machine."""

import asyncio
import json
import re
import time
from collections import Counter
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from auction_project.tools.load import crowd, http
from tests.house import House

RATE, SECONDS = 100, 2


def test_every_answer_is_recorded_and_confirmed_by_the_log(house: House, tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    bounds = f"--rate {RATE} --seconds {SECONDS} --bidders 10 --auctions 2 --connections 16".split()

    completed = house.manage("load", "--url", house.url, *bounds, "--answers", str(file))

    assert completed.returncode == 0, completed.stderr
    answers = [json.loads(line) for line in file.read_text().splitlines()]
    printed = dict(re.findall(r"^  (\S+) +(\d+)$", completed.stdout, re.MULTILINE))
    outcomes = Counter("accepted" if a["status"] == 201 else a["answer"]["code"] for a in answers)
    assert {name: int(count) for name, count in printed.items() if name in outcomes} == outcomes
    assert outcomes["accepted"] > 0
    assert len(answers) <= RATE * SECONDS
    assert f"{len(answers)} bids in " in completed.stdout
    assert len({a["auction_id"] for a in answers}) == 2
    assert len({a["actor"] for a in answers}) == 10
    house.assert_verified("--answers", str(file))


def test_a_refusal_is_recorded_and_the_next_bid_is_high_enough(house: House, tmp_path: Path) -> None:
    auction_id = house.new_auction(house.new_product(stock=1), start_price="500.00", card_required=False)
    file = tmp_path / "answers.jsonl"
    with file.open("wb") as answers:
        target = crowd.Target(auction_id, "EUR", 1_00)
        bidders = crowd.make_bidders(1, now=time.time())
        run = crowd.Crowd(house.url, [target], bidders, connections=1, answers=answers).run(
            seconds=10, most=2
        )
        tally = asyncio.run(run)

    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["body"]["amount"], line["status"]) for line in lines] == [("1.00", 409), ("500.00", 201)]
    assert (lines[0]["answer"]["code"], lines[0]["answer"]["minimum"]) == ("bid_too_low", "500.00")
    assert tally.outcomes == {"bid_too_low": 1, "accepted": 1}
    house.assert_verified("--answers", str(file))


@pytest.mark.parametrize(
    ("option", "value", "rule"),
    [
        ("--url", "http://192.0.2.1:8000", "http://192.0.2.1:8000 is not an address of this machine"),
        ("--rate", "50001", "must be between 1 and 50000"),
        ("--seconds", "0", "must be between 1 and 3600"),
    ],
)
def test_an_option_out_of_bounds_is_refused_before_any_store_is_read(
    tmp_path: Path, option: str, value: str, rule: str
) -> None:
    """Without the fixture of a database a query would fail."""
    file = tmp_path / "answers.jsonl"

    with pytest.raises(CommandError, match=re.escape(rule)):
        call_command("load", "--answers", str(file), option, value)

    assert not file.exists()


async def test_a_connection_that_a_server_refuses_while_it_is_idle_is_closed_and_no_fault() -> None:
    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 408 Request Time-out\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    faults: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context))
    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        link = await http.connect("127.0.0.1", server.sockets[0].getsockname()[1])
        async with asyncio.timeout(5):
            while link.is_open:  # noqa: ASYNC110 - the other side closes it
                await asyncio.sleep(0)

    assert faults == []
