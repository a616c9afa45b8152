"""The API does what its OpenAPI document says. schemathesis calls each operation as each kind of user, with valid and invalid
requests; no answer has an undocumented status, type or body, and none is a server error.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import house as houses
from tests import ordering

MAX_EXAMPLES = 6  # of each operation and kind of user, beside the fixed ones
# A stream never ends, and has tests of its own. All log-ins from this address share a limit that other tests need.
LEFT_OUT = "^(/api/v1/stream|/_allauth/.*)$"
# By kind of user: the roles; the operations that answer this kind otherwise than a bidder; the phases.
KINDS = {
    "anonymous": ((), ".", "coverage,fuzzing"),
    "bidder": (("bidder",), ".", "coverage,fuzzing"),
    "seller": (("bidder", "seller"), "auctions$|open$|cancel$|products", "coverage,fuzzing"),
    "operator": (("operator",), "auctions$|open$|cancel$|products|roles$|orders", "fuzzing"),
}


def run_schemathesis(house: houses.House, *options: str, directory: Path, ids: dict[str, str]) -> str:
    """The complaints of schemathesis; empty without any."""
    program = Path(sys.executable).with_name("schemathesis")
    root = houses.ROOT / "tests"
    completed = subprocess.run(
        [
            *(program, "--config-file", root / "contract.toml", "run", f"{house.url}/api/openapi.json"),
            *("--checks", "all", "--max-examples", str(MAX_EXAMPLES)),
            *("--workers", "1", "--no-color", "--warnings", "off", *options),
        ],
        cwd=directory,
        env={
            **os.environ,
            "PYTHONPATH": str(houses.ROOT),
            "SCHEMATHESIS_HOOKS": "tests.contract_hooks",
            "GAVEL_CONTRACT_IDS": json.dumps(ids),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{completed.stdout}\n{completed.stderr}" if completed.returncode else ""


def asked_return(house: houses.House) -> dict[str, str]:
    """An order that is shipped, and its buyer's request for a return, which an operator may decide."""
    buyer = house.new_account("bidder", password=None)
    product = house.new_product(stock=3)
    number = ordering.confirmed_order(house, buyer, product)
    path = f"/api/v1/orders/{number}"
    house.operator.post(f"{path}/shipments", {"carrier": "Post"}).raise_for_status()
    body = {"lines": [{"product_id": product, "quantity": 1}], "reason": "A crack."}
    answer = buyer.post(f"{path}/return-requests", body).raise_for_status()
    return {"number": number, "request_id": answer.json()["return_requests"][0]["id"]}


@pytest.mark.parametrize("kind", KINDS)
def test_the_api_answers_as_its_document_says(house: houses.House, kind: str, tmp_path: Path) -> None:
    product = house.new_product(stock=3)
    auction = house.new_auction(product)
    bid = house.seller.bid(auction, "20.00", key="contract")
    assert bid.status_code == 201, bid.text
    roles, paths, phases = KINDS[kind]
    options = ["--exclude-path-regex", LEFT_OUT, "--include-path-regex", paths, "--phases", phases]
    if roles:
        person = house.new_account(*roles, password=None)
        options += ["--header", f"Authorization: {person.headers['Authorization']}"]
    offer = {"price": "10.00", "currency": "EUR", "max_per_order": 5, "published": True}
    slug = house.operator.put(f"/api/v1/products/{product}/offer", offer).raise_for_status().json()["slug"]
    ids = {"auction_id": auction, "product_id": product, "slug": slug, "key": "contract"}
    if kind == "operator":
        ids |= asked_return(house)

    if complaints := run_schemathesis(house, *options, directory=tmp_path, ids=ids):
        pytest.fail(complaints, pytrace=False)
