"""Who may ask what: pages of others may not, and nobody changes anything without the token."""

from __future__ import annotations

import pytest

from ddl.experiments.server.guard import Guard

GOOD = {"host": "127.0.0.1:8470"}
TOKEN = {"x-ddl-token": "t"}


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8470", "localhost:9000", "LOCALHOST", "[::1]:8470", "127.0.0.1", "localhost."],
)
def test_names_of_this_machine_may_read_also_through_a_tunnel(host: str) -> None:
    assert Guard("127.0.0.1").refusal("GET", {"host": host}) == ""


@pytest.mark.parametrize(
    "host",
    [
        *(
            "",
            "evil.example",
            "evil.example:8470",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
        ),
        *("10.0.0.1", "[", "127.0.0.1@evil.example", "evil.example\\@127.0.0.1", "::1"),
    ],
)
def test_other_names_may_not_even_read(host: str) -> None:
    assert "Host" in Guard("127.0.0.1").refusal("GET", {"host": host})


def test_a_server_that_is_open_to_others_takes_numbers_and_its_own_names() -> None:
    guard = Guard("0.0.0.0")
    assert guard.refusal("GET", {"host": "10.1.2.3:8470"}) == ""
    assert "Host" in guard.refusal("GET", {"host": "evil.example"})


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_whatever_changes_something_needs_the_token(method: str) -> None:
    guard = Guard("127.0.0.1", "t")
    assert "token" in guard.refusal(method, GOOD)
    assert "token" in guard.refusal(method, {**GOOD, "x-ddl-token": "tt"})
    assert "token" in guard.refusal(method, {**GOOD, "x-ddl-token": "\udcff"})
    assert guard.refusal(method, {**GOOD, **TOKEN}) == ""


@pytest.mark.parametrize(
    "origin", ["null", "http://evil.example", "http://127.0.0.1:9999", "http://localhost:8470"]
)
def test_a_page_of_another_origin_is_refused_even_with_the_token(origin: str) -> None:
    headers = {**GOOD, **TOKEN, "origin": origin}
    assert "page" in Guard("127.0.0.1", "t").refusal("POST", headers)


def test_our_own_origin_passes() -> None:
    headers = {**GOOD, **TOKEN, "origin": "http://127.0.0.1:8470"}
    assert Guard("127.0.0.1", "t").refusal("POST", headers) == ""


def test_tokens_are_long_and_differ() -> None:
    one, other = Guard("127.0.0.1").token, Guard("127.0.0.1").token
    assert one != other
    assert len(one) >= 40
