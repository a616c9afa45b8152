"""The commands of the README do what it says: a token, a bid, a refusal, following an auction by curl and by WebSocket."""

import json
import os
import re
import subprocess
from collections.abc import Iterator

import msgspec
import pytest

from tests.house import PASSWORD, ROOT, House, Person

ADDRESS, EMAIL, DEMO_PASSWORD = "127.0.0.1:8000", "you@gavel.example", "going-going-gone"
WEEK_SECONDS = 7 * 24 * 3600
LONGEST_SECONDS = "60"


class Readme(msgspec.Struct, frozen=True):
    """Its lines, rewritten so that `person` sends them to the stack."""

    text: str
    house: House
    person: Person

    def line(self, beginning: str) -> str:
        """The one shell line that begins so and sends a request to the demo."""
        lines = re.findall(r"```sh\n(.*?)\n```", self.text, re.DOTALL)
        (line,) = [line for line in lines if line.startswith(beginning) and ADDRESS in line]
        return self._fit(line)

    def problem(self) -> dict[str, str]:
        """The refusal that the README shows."""
        (shown,) = re.findall(r"```json\n(.*?)\n```", self.text, re.DOTALL)
        return dict(json.loads(shown))

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
    """The variables of a shell after the first lines: TOKEN, AUCTION, MINIMUM, the ANSWER to the bid and the REFUSAL."""
    script = [readme.line(f"{name}=") for name in ("TOKEN", "AUCTION", "MINIMUM")]
    script += ["KEY=$RANDOM-$RANDOM", readme.line("REFUSAL="), f"ANSWER=$({readme.line('curl -s')})"]
    names = ("TOKEN", "AUCTION", "MINIMUM", "ANSWER", "REFUSAL")
    values = " ".join(f'"${name}"' for name in names)
    script.append(f"python3 -c 'import json, sys; print(json.dumps(sys.argv[1:]))' {values}")
    completed = subprocess.run(
        ["bash", "-euc", "\n".join(script)], check=True, capture_output=True, text=True
    )
    return dict(zip(names, json.loads(completed.stdout.splitlines()[-1]), strict=True))


def test_a_bid_is_answered_with_its_place_in_the_log(typed: dict[str, str], house: House) -> None:
    answer = json.loads(typed["ANSWER"])

    assert (answer["standing"], answer["price"], answer["currency"]) == ("leading", "100.00", "EUR")
    receipt = answer["receipt"]
    assert (receipt["seq"], receipt["hash"], receipt["opening"]["maximum"]) == (
        answer["seq"],
        answer["hash"],
        100_00,
    )
    assert house.auction(typed["AUCTION"])["bids"] == 1


def test_the_refusal_is_the_one_that_the_readme_shows(typed: dict[str, str], readme: Readme) -> None:
    answer, shown = json.loads(typed["REFUSAL"]), readme.problem()

    shown["minimum"] = "100.00"  # of this lot
    assert shown == {name: answer[name] for name in shown}


def test_the_stream_follows_the_auction(typed: dict[str, str], readme: Readme, house: House) -> None:
    line = readme.line("curl -N")

    with _running(["bash", "-c", f"exec timeout {LONGEST_SECONDS} {line}"], typed) as follower:
        assert follower.stdout is not None
        messages = iter(follower.stdout.readline, "")
        assert any('"watching"' in message for message in messages)
        answer = house.new_account("bidder").bid(typed["AUCTION"], "300.00")
        assert answer.status_code == 201, answer.text
        message = next(message for message in messages if '"Bidder 2"' in message)
        follower.terminate()

    frame = json.loads(message.removeprefix("data: "))
    assert (frame["event"], frame["data"]["leader"], frame["data"]["price"]) == (
        "BidPlaced",
        "Bidder 2",
        "102.50",
    )


def test_the_websocket_client_follows_the_auction(typed: dict[str, str], readme: Readme) -> None:
    line = readme.line(".venv/bin/python docs/follow.py")

    with _running(["bash", "-c", f"exec timeout {LONGEST_SECONDS} {line}"], typed) as follower:
        assert follower.stdout is not None
        messages = (json.loads(line) for line in iter(follower.stdout.readline, ""))
        opened = next(message for message in messages if message.get("event") == "AuctionOpened")
        follower.terminate()

    assert opened["auction_id"] == typed["AUCTION"]


def _running(command: list[str], variables: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True
    )
