"""The claim `session` of an access token: tokens without it stay valid, and say the empty session."""

import time
from typing import Any

import pytest

from auction_project.kernel import tokens


def signed(**changed: Any) -> str:
    return tokens.sign(sub="u", roles=["bidder"], created_at=1, now=time.time(), seconds=60, changed=changed)


@pytest.mark.parametrize(("changed", "session"), [({}, ""), ({"session": "s1"}, "s1")])
def test_a_token_names_the_session_that_it_comes_from(changed: dict[str, Any], session: str) -> None:
    claims = tokens.verify(signed(**changed))

    assert (claims.sub, claims.roles, claims.session) == ("u", ("bidder",), session)


def test_a_session_that_is_no_text_is_refused() -> None:
    with pytest.raises(tokens.InvalidToken):
        tokens.verify(signed(session=7))
