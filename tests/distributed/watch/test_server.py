"""Rank 0's heartbeat port: strangers neither end its thread, nor fill its files, nor keep a rank out."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from ddl.distributed.watch import server as server_module
from ddl.distributed.watch.heartbeat import Client, Peer
from ddl.distributed.watch.lines import MAX_LINE_BYTES, Decoder, NotOurs, encode, new_token
from ddl.distributed.watch.running_time import RunningTime
from ddl.distributed.watch.server import TOKEN_TIMEOUT_S, Server
from tests.distributed.watch.serving import connect, is_closed, is_heard, join, serving, soon

NOISE = Path(__file__).with_name("noise_program.py")

STRANGERS = {
    "deep lists": b"[" * 3500 + b"\n",
    "deep objects": b'{"a":' * 3500 + b"\n",
    "deep lists without an end": b"[" * 100_000,
    "another token": encode(new_token(), 1, 2, "host", "alive", ""),
    "a token of zeros": b"\x00" * 32 + b"\t1\t2\thost\talive\t\n",
    "every byte": bytes(range(256)) * 20,
    "HTTP": b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
    "empty lines": b"\n" * 5000,
    "JSON with a token in it": json.dumps({"token": new_token(), "rank": 1}).encode() + b"\n",
}
WITH_TOKEN = {
    "no number": ("x", 2, "host", "alive", ""),
    "rank 0": (0, 2, "host", "alive", ""),
    "no such rank": (3, 2, "host", "alive", ""),
    "a negative rank": (-1, 2, "host", "alive", ""),
    "a rank of 5000 digits": ("9" * 5000, 2, "host", "alive", ""),
    "no such state": (1, 2, "host", "[" * 400, ""),
    "too few fields": (1, 2),
    "too many fields": (1, 2, "host", "alive", "", "", ""),
    "no fields": (),
}


def line_of(token: str, name: str) -> bytes:
    """Return what a stranger sends, or a rank that is out of order."""
    return STRANGERS[name] if name in STRANGERS else encode(token, *WITH_TOKEN[name])


def test_the_heartbeat_port_of_a_job_on_one_machine_is_open_to_this_machine_alone() -> None:
    with serving() as server:
        assert [host for host, _ in server.address.endpoints] == ["127.0.0.1"]
        own = psutil.Process().net_connections("tcp")
        ports = {one.laddr for one in own if one.status == psutil.CONN_LISTEN}
        assert set(server.address.endpoints) <= ports


@pytest.mark.parametrize("name", [*STRANGERS, *WITH_TOKEN])
def test_what_comes_from_outside_ends_only_its_own_connection(name: str) -> None:
    with serving() as server:
        rank = join(server, 1)
        stranger = connect(server)
        with contextlib.suppress(OSError):  # dropped in the middle
            stranger.sendall(line_of(server.address.token, name))
        assert is_closed(stranger)
        assert is_heard(server, rank, f"after {name}")
        assert list(server.lives) == [1]
        assert is_heard(server, join(server, 2), "a later rank")


def test_the_token_is_compared_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a function that takes the same time for every wrong token."""
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return False

    monkeypatch.setattr("ddl.distributed.watch.lines.secrets.compare_digest", compare)
    token = new_token()
    for data in (b"a line\n", b"x" * len(token)):
        with pytest.raises(NotOurs):
            Decoder(token).feed(data)
    assert compared == [(b"a line", token.encode()), (b"x" * len(token), token.encode())]


def test_a_line_is_bounded() -> None:
    token = new_token()
    with pytest.raises(NotOurs, match="too long"):
        Decoder(token).feed(token.encode() + b" " * MAX_LINE_BYTES)
    longest = encode(token, *("\U0001f600" * 9999 for _ in range(1)), "a\tb\nc\x1b[31m", "\ud800")
    assert len(longest) < MAX_LINE_BYTES
    ((smile, text, _),) = Decoder(token).feed(longest)
    assert (len(smile), text) == (500, "a b c [31m")


def test_a_line_may_come_in_pieces() -> None:
    token = new_token()
    decoder, found = Decoder(token), []
    for byte in encode(token, 1, "alive") + encode(token, 2, ""):
        found += decoder.feed(bytes([byte]))
    assert found == [["1", "alive"], ["2", ""]]


TOKENLESS = ("idle", "half a token", "slow writer", "half-open")


@pytest.fixture(scope="module")
def held_s() -> dict[str, float]:
    """Return after how many seconds connections of strangers were closed."""
    with serving() as server, ThreadPoolExecutor(len(TOKENLESS)) as beside:
        futures = {how: beside.submit(wait_for_the_end, server, how) for how in TOKENLESS}
        return {how: future.result() for how, future in futures.items()}


def wait_for_the_end(server: Server, how: str) -> float:
    """Connect without sending the token, and return how long the connection lasted."""
    begin, stranger = time.monotonic(), connect(server)
    if how == "half a token":
        stranger.sendall(server.address.token[:16].encode())
    if how == "half-open":
        stranger.shutdown(socket.SHUT_WR)
    if how == "slow writer":
        with contextlib.suppress(OSError):  # it is dropped before the end of the right token
            for character in server.address.token:
                stranger.sendall(character.encode())
                time.sleep(0.2)
    assert is_closed(stranger)
    return time.monotonic() - begin


@pytest.mark.parametrize("how", TOKENLESS)
def test_connections_without_a_token_are_dropped_after_two_seconds(
    how: str, held_s: dict[str, float]
) -> None:
    assert held_s[how] < TOKEN_TIMEOUT_S + 2


def test_no_more_strangers_are_held_than_twice_the_ranks() -> None:
    with serving(ranks=6) as server:
        rank = join(server, 1)
        for _ in range(200):
            connect(server)
        assert is_heard(server, rank, "in a crowd")
        assert soon(lambda: len(server._strangers) <= 12, timeout_s=1)
        assert is_heard(server, join(server, 2), "one who came later")


@contextlib.contextmanager
def no_more_files() -> Iterator[None]:
    """Let this process open no further file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as filling:
        highest = max(int(name) for name in os.listdir("/proc/self/fd"))  # noqa: PTH208
        for _ in range(highest):  # fill the gaps, too
            number = os.dup(0)
            filling.callback(os.close, number)
            if number > highest:
                break
        resource.setrlimit(resource.RLIMIT_NOFILE, (number + 1, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_accept_without_free_files_ends_nothing() -> None:
    with serving() as server:
        rank = join(server, 1)
        late = socket.socket()
        late.settimeout(10)
        with no_more_files():
            late.connect(server.address.endpoints[0])  # the kernel's part of it
            assert is_heard(server, rank, "without files")
            before = time.process_time()
            time.sleep(0.5)
            assert is_heard(server, rank, "still without files")
            assert time.process_time() - before < 0.4  # the thread does not spin
        late.close()
        assert is_heard(server, join(server, 2), "with files again")


def test_connections_that_are_reset_end_nothing() -> None:
    with serving() as server:
        rank = join(server, 1)
        for data in (b"", b"x", server.address.token.encode()):
            for _ in range(20):
                stranger = connect(server)
                stranger.sendall(data)
                stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                stranger.close()
        assert is_heard(server, rank, "after resets")
        assert list(server.lives) == [1]


def test_once_every_rank_has_connected_the_port_is_closed() -> None:
    with serving() as server:
        ranks = [join(server, 1)]
        assert server.is_listening
        ranks.append(join(server, 2))
        assert soon(lambda: not server.is_listening)
        with pytest.raises(ConnectionRefusedError):
            connect(server)
        assert all(is_heard(server, rank, "behind a closed door") for rank in ranks)


def test_the_port_is_closed_in_time_where_a_rank_never_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_module, "LISTEN_S", 0.5)
    with serving() as server:
        rank = join(server, 1)
        assert soon(lambda: not server.is_listening)
        assert is_heard(server, rank, "alone")


def test_a_rank_that_connects_again_replaces_its_first_connection() -> None:
    with serving() as server:
        first, second = join(server, 1), join(server, 1)
        assert is_heard(server, second, "again")
        first.listen(5)
        assert first.root.state == "died"
        assert server.lives[1].state == "alive"


def test_a_rank_that_dies_is_seen_at_once() -> None:
    with serving() as server:
        rank = join(server, 1)
        rank._socket.close()
        assert soon(lambda: server.lives[1].state == "died", timeout_s=2)


def test_a_rank_that_leaves_has_not_died() -> None:
    with serving() as server:
        join(server, 1).close()
        assert soon(lambda: server._ranks == {})
        assert server.lives[1].state == "left"


@pytest.mark.parametrize("said", ["ending", "failed", "left"])
def test_what_rank_0_says_at_its_end_is_final(said: str) -> None:
    with serving() as server:
        rank = join(server, 1)
        server.tell(said)
        rank.say("alive", "")  # which is answered
        for _ in range(3):
            rank.listen(0.2)
        assert rank.root.state == said
    rank.listen(0.2)  # the connection is closed
    assert rank.root.state == said


def test_a_rank_passes_over_another_program_at_the_first_address() -> None:
    """Such as a service on the bridge of this machine's containers, or one that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as other, serving() as server:
        threading.Thread(target=answer_nonsense, args=(other,), daemon=True).start()
        endpoints = (other.getsockname(), *server.address.endpoints)
        address = type(server.address)(server.address.root, endpoints, server.address.token)
        rank = Client(address, Peer(1, "here", 101), RunningTime())
        with rank._socket:
            assert is_heard(server, rank, "the right one")


def answer_nonsense(other: socket.socket) -> None:
    """Answer every line by a line."""
    with contextlib.suppress(OSError):
        while True:
            connection, _ = other.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request of some length\r\n\r\n")


def test_idle_connections_and_noise_neither_fill_the_files_nor_keep_a_rank_out() -> None:
    """300 connections and 1 MB a second for 3 s. Its large sister takes two minutes: test_under_attack.py."""
    with serving() as server:
        rank = join(server, 1)
        before, most, heard = psutil.Process().num_fds(), 0, []
        command = [sys.executable, str(NOISE), str(os.getpid()), "3", "300"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as attack:
            while attack.poll() is None:
                heard.append(is_heard(server, rank, f"{len(heard)}"))
                most = max(most, psutil.Process().num_fds())
                time.sleep(0.1)
            done = json.loads(attack.communicate()[0])
        assert all(heard)
        assert most <= before + 20
        assert done["connected"] > 300
        assert done["noise_bytes"] > 100_000
        assert is_heard(server, join(server, 2), "in spite of it")
