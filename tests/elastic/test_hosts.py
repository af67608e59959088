"""Lists of hosts: what is understood, and that a bad one leaves the last one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.elastic.hosts import CommandHosts, parse_hosts, shown
from ddl.elastic.settings import ElasticSettings

NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,9}", fullmatch=True)


@given(st.dictionaries(NAMES, st.integers(0, 99999)))
def test_what_is_shown_is_read_again(hosts: dict[str, int]) -> None:
    lines = "" if not hosts else shown(hosts).replace(",", "\n")
    assert parse_hosts(lines) == hosts
    assert [*parse_hosts(lines)] == [*hosts]


@given(st.text())
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    hosts, refusal = {}, "Received: "
    try:
        hosts = parse_hosts(text)
    except ValueError as error:
        refusal = str(error)
    assert all(slots >= 0 for slots in hosts.values())
    assert refusal.startswith("Received: ")
    assert "\n" not in refusal


def test_comments_and_blank_lines_count_for_nothing() -> None:
    assert parse_hosts("# machines\n\n  a:2  # the fast one\nb\n") == {"a": 2, "b": 1}


def test_a_host_without_a_number_has_the_slots_of_the_flag() -> None:
    assert parse_hosts("a\nb:1", slots_per_host=4) == {"a": 4, "b": 1}


@pytest.mark.parametrize(
    "line", ["a:b", "a:-1", "a:1:2", "-x:1", "a b", "a;rm", "a:999999", "<h1>"]
)
def test_other_lines_are_refused_by_number(line: str) -> None:
    with pytest.raises(ValueError, match=r"in line 2. Expected: HOST or HOST:SLOTS"):
        parse_hosts(f"a:1\n{line}")


def test_a_host_twice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a a second time, in line 2"):
        parse_hosts("a:1\na:2")


class Command:
    """A hosts command whose output the test writes."""

    def __init__(self, folder: Path, text: str = "cat list", **flags: float) -> None:
        self.list = folder / "list"
        self.list.write_text("a:2\nb:1\n")
        self.script = folder / "hosts.sh"
        self.write(text)
        settings = ElasticSettings(hosts_command=f"sh {self.script}", check_every_s=0.01, **flags)
        self.hosts = CommandHosts(settings)

    def write(self, text: str) -> None:
        self.script.write_text(f"cd {self.script.parent}\n{text}\n")

    def next(self) -> str:
        """Wait for the next answer, and return what is said of it."""
        self.hosts._next_s = 0
        self.hosts.look(time.monotonic())
        while self.hosts._process is not None:
            time.sleep(0.005)
            self.hosts.look(time.monotonic())
        return self.hosts.note


def test_the_command_is_asked_again(tmp_path: Path) -> None:
    command = Command(tmp_path)
    command.hosts.first()
    assert command.hosts.hosts == {"a": 2, "b": 1}
    command.list.write_text("b:3")
    assert command.next() == ""
    assert command.hosts.hosts == {"b": 3}


TROUBLE = {
    "exit 3": "which ended with status 3",
    "true": "which printed no host",
    "echo '???'": "whose output is no list of hosts. Received: '???' in line 1",
    "head -c 2000000 /dev/zero": "which printed more than 1 MiB",
    "sleep 60": "which has not ended after 0.3 s",
}


@pytest.mark.parametrize("text", TROUBLE)
def test_trouble_leaves_the_last_list_and_is_said_once(tmp_path: Path, text: str) -> None:
    command = Command(tmp_path, hosts_timeout_s=0.3 if "sleep" in text else 30)
    command.hosts.hosts = {"a": 2}
    command.write(text)
    said = command.next()
    assert TROUBLE[text] in said
    assert said.endswith("The last list stays: a:2.")
    assert command.next() == ""
    assert command.hosts.hosts == {"a": 2}
    command.write("cat list")
    assert command.next() == "the hosts command works again."
    assert command.hosts.hosts == {"a": 2, "b": 1}


@pytest.mark.parametrize("text", [text for text in TROUBLE if "sleep" not in text])
def test_trouble_before_the_first_list_is_bad_input(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"Received: hosts_command=.*Expected: "):
        Command(tmp_path, text).hosts.first()
