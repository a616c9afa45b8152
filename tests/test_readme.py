"""What the README tells a developer to type does what it says: a token, a bid, following it by curl and by WebSocket."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.house import PASSWORD, ROOT, House, Person

ADDRESS, EMAIL, DEMO_PASSWORD = "localhost:8000", "you@gavel.example", "going-going-gone"
WEEK_SECONDS = 7 * 24 * 3600
LONGEST_SECONDS = "60"


class Readme(msgspec.Struct, frozen=True):
    """Its blocks of a language, made to speak to the stack as `person`."""

    text: str
    house: House
    person: Person

    def lines(self) -> dict[str, str]:
        """The shell lines that ask the demo, by their first word."""
        found = [line for line in self._blocks("sh") if ADDRESS in line]
        return {
            re.split(r"[ =]", line)[0] + ("-N" if " -N " in line else ""): self._fit(line) for line in found
        }

    def program(self) -> str:
        """The WebSocket client."""
        (found,) = self._blocks("python")
        return found

    def _blocks(self, language: str) -> list[str]:
        return re.findall(rf"```{language}\n(.*?)\n```", self.text, re.DOTALL)

    def _fit(self, line: str) -> str:
        line = line.replace(ADDRESS, self.house.url.removeprefix("http://"))
        return line.replace(EMAIL, self.person.email).replace(DEMO_PASSWORD, PASSWORD)


@pytest.fixture(scope="module")
def readme(house: House) -> Iterator[Readme]:
    """The README, and the auction that its lines will find: the open one that ends last."""
    product_id = house.new_product(stock=1)
    auction_id = house.new_auction(product_id, seconds=WEEK_SECONDS, start_price="100.00")
    listed = {"status": "OPEN", "format": "english", "order": "-ends_at"}
    house.wait_until(
        lambda: (
            [item["id"] for item in house.http.get("/api/v1/auctions", params=listed).json()["items"]][:1]
            == [auction_id]
        ),
        "the auction to be listed",
    )
    yield Readme((ROOT / "README.md").read_text(), house, house.new_account("bidder"))
    house.operator.post(f"/api/v1/auctions/{auction_id}/cancel", {"reason": "The test is over."})


@pytest.fixture(scope="module")
def typed(readme: Readme) -> dict[str, str]:
    """TOKEN, AUCTION and the ANSWER to the bid, as a shell has them after the first lines."""
    lines = readme.lines()
    script = [lines["TOKEN"], lines["AUCTION"], f"ANSWER=$({lines['curl']})"]
    script.append(
        'python3 -c \'import json, sys; print(json.dumps(sys.argv[1:]))\' "$TOKEN" "$AUCTION" "$ANSWER"'
    )
    done = subprocess.run(["bash", "-euc", "\n".join(script)], check=True, capture_output=True, text=True)
    return dict(zip(("TOKEN", "AUCTION", "ANSWER"), json.loads(done.stdout), strict=True))


def test_a_bid_is_answered_with_its_place_in_the_log(typed: dict[str, str], house: House) -> None:
    answer = json.loads(typed["ANSWER"])

    assert (answer["standing"], answer["price"], answer["currency"]) == ("leading", "100.00", "EUR")
    assert answer["receipt"] == {"seq": answer["seq"], "hash": answer["hash"]}
    assert house.auction(typed["AUCTION"])["hash"] == answer["hash"]


def test_the_stream_follows_the_auction(typed: dict[str, str], readme: Readme, house: House) -> None:
    line = readme.lines()["curl-N"]

    with _running(["bash", "-c", f"exec timeout {LONGEST_SECONDS} {line}"], typed) as follower:
        assert follower.stdout is not None
        heard = iter(follower.stdout.readline, "")
        assert any('"watching"' in message for message in heard)
        house.stranger().bid(typed["AUCTION"], "5000.00")
        message = next(message for message in heard if '"Bidder 2"' in message)
        follower.terminate()

    frame = json.loads(message.removeprefix("data: "))
    assert (frame["event"], frame["data"]["leader"], frame["data"]["price"]) == (
        "BidPlaced",
        "Bidder 2",
        "2025.00",
    )


def test_the_websocket_client_follows_the_auction(
    typed: dict[str, str], readme: Readme, house: House, tmp_path: Path
) -> None:
    program = tmp_path / "follow.py"
    program.write_text(readme.program())
    arguments = [sys.executable, "-u", str(program), house.url, typed["TOKEN"], typed["AUCTION"]]

    with _running(["timeout", LONGEST_SECONDS, *arguments], {}) as follower:
        assert follower.stdout is not None
        messages = (json.loads(line) for line in iter(follower.stdout.readline, ""))
        opened = next(message for message in messages if message.get("event") == "AuctionOpened")
        follower.terminate()

    assert opened["auction_id"] == typed["AUCTION"]


def _running(command: list[str], variables: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(command, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True)
