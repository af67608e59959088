"""The live page's server by HTTP: what it answers, what it refuses, how it ends."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from ddl.experiments.command import main
from tests.experiments.made_store import MadeStore
from tests.experiments.server.serving import Serving, serving

EVIL = "<script>alert(1)</script>\x1b[31m"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeStore:
    folder = tmp_path_factory.mktemp("served") / "experiments"
    folder.mkdir()
    made = MadeStore(folder / "cells")
    first = made.experiment("finished", {"lr": 0.1, "name": EVIL})
    made.history(first, [{"epoch": 1, "loss": 2.0, "x": "NaN"}, {"epoch": 2, "loss": "NaN"}])
    failed = made.experiment("failed", {"lr": 0.2})
    failed.attempt(1).out_log.write_text("".join(f"line {n}\n" for n in range(500)))
    failed.attempt(1).err_log.write_text(f"Traceback {EVIL}\n")
    failed.attempt(1).findings.write_text(json.dumps({"rule": "r", "text": EVIL}) + "\n")
    made.experiment("planned", {"lr": 0.3})
    return made


@pytest.fixture(scope="module")
def server(made: MadeStore) -> Iterator[Serving]:
    with serving(made.path) as found:
        yield found


def test_the_page_allows_no_script_but_its_own(server: Serving) -> None:
    status, text, headers = server.ask("/")
    assert status == 200
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "<script>" not in text


@pytest.mark.parametrize("name", ["live.js", "table.js", "curves.js", "details.js", "base.css"])
def test_its_files_are_there(server: Serving, name: str) -> None:
    status, text, headers = server.ask(f"/files/{name}")
    assert status == 200
    assert text
    assert headers["content-type"].startswith(("text/javascript", "text/css"))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/files/app.py", 404),
        ("/files/../app.py", 404),
        ("/files/%2e%2e%2fapp.py", 404),
        ("/nothing", 404),
        ("/api/act", 405),
        ("/api/experiment", 400),
        ("/api/experiment?n=99", 400),
        ("/api/experiment?n=1,2", 400),
        ("/api/experiment?n=../../etc", 400),
        ("/api/log?n=1&lines=0", 400),
        ("/api/log?n=1&lines=100000", 400),
        ("/api/log?n=1&lines=x", 400),
        ("/api/curves?n=", 400),
    ],
)
def test_what_is_not_there_or_not_right_is_told(server: Serving, path: str, status: int) -> None:
    found, told, _ = server.ask(path)
    assert found == status
    assert "Received" in told["error"]


def test_curves_have_gaps_where_values_are_not_finite(server: Serving) -> None:
    status, curves, _ = server.ask("/api/curves?n=1,2&v=loss&v=x")
    assert status == 200
    assert curves == {"1": {"epoch": [1, 2], "loss": [2.0, None]}, "2": {}}


def test_the_log_is_its_end(server: Serving) -> None:
    lines = server.ask("/api/log?n=2&lines=3")[1]["lines"]
    assert lines[:3] == ["line 497", "line 498", "line 499"]
    assert lines[3] == r"Traceback <script>alert(1)</script>\x1b[31m"


def test_events_begin_with_all_that_is_known(server: Serving) -> None:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    connection.request("GET", "/events")
    answer = connection.getresponse()
    lines = [answer.readline().decode() for _ in range(3)]
    connection.close()
    assert lines[:2] == ["retry: 1000\n", "event: whole\n"]
    known = json.loads(lines[2].removeprefix("data: "))
    assert [row["state"] for row in known["rows"]] == ["finished", "failed", "planned"]
    assert known["columns"]["parameters"] == ["lr", "name"]


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"Host": "evil.example"}, "Host"),
        ({"Origin": "http://evil.example"}, "page"),
        ({}, "token"),
        ({"X-DDL-Token": "guessed"}, "token"),
    ],
)
def test_a_request_that_may_change_something_is_refused(
    server: Serving, made: MadeStore, headers: dict[str, str], told: str
) -> None:
    before = sorted(made.path.rglob("wanted.json"))
    body = {"do": "stop", "numbers": [2]}
    status, answer, _ = server.ask("/api/act", "POST", body, **headers)
    assert status == 403
    assert told in answer["error"]
    assert sorted(made.path.rglob("wanted.json")) == before


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"{", b"\xff", b'{"do": "stop"}', b'{"do": "stop", "numbers": 3}'),
        b'{"do": "stop", "numbers": [true]}',
        b'{"do": "stop", "numbers": [99]}',
        b'{"do": "remove", "numbers": [1]}',
        b'{"do": "stop", "numbers": [' + b"1," * 40000 + b"1]}",
    ],
)
def test_a_body_that_is_not_right_is_told(server: Serving, body: bytes) -> None:
    status, answer, _ = server.ask("/api/act", "POST", body, x_ddl_token=server.token)
    assert status == 400
    assert answer["error"].startswith("Received: ")


def test_retry_writes_what_is_wanted(server: Serving, made: MadeStore) -> None:
    status, answer = server.act("retry", 2)
    assert status == 200
    assert answer == {"told": {"002-lr0.2": "try 2"}}
    wanted = json.loads((made.path / "002-lr0.2" / "wanted.json").read_text())
    assert (wanted["want"], wanted["tries"]) == ("run", 1)


def test_the_token_stands_in_no_file_of_the_store(server: Serving, made: MadeStore) -> None:
    files = [path for path in made.path.rglob("*") if path.is_file()]
    assert [path for path in files if server.token.encode() in path.read_bytes()] == []


@pytest.mark.parametrize(
    "how", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.proof)]
)
def test_a_signal_ends_it_also_with_a_page_open(made: MadeStore, how: int) -> None:
    with serving(made.path) as found:
        page = http.client.HTTPConnection(found.host, found.port, timeout=20)
        page.request("GET", "/events")
        page.getresponse().readline()
        found.process.send_signal(how)
        assert found.process.wait(10) in (130, -how, 0)
        page.close()


def test_it_listens_on_this_machine_only(server: Serving) -> None:
    with open(f"/proc/{server.process.pid}/net/tcp") as file:  # noqa: PTH123
        lines = [line.split() for line in file]
    at = [words[1] for words in lines[1:] if words[3] == "0A"]
    mine = [address for address in at if address.endswith(f":{server.port:04X}")]
    assert mine == [f"0100007F:{server.port:04X}"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--port", "70000"], "a number from 0 to 65535"),
        (["--port", "x"], "port"),
        (["--host", "no such host"], "an address of this machine"),
        (["--host", "192.0.2.1"], "a free one"),
    ],
)
def test_bad_input_is_one_line(made: MadeStore, capsys: Any, words: list[str], told: str) -> None:
    try:
        status = main("doc", ["serve", "--store", str(made.path), *words])
    except SystemExit as error:
        status = int(error.code or 0)
    captured = capsys.readouterr()
    assert status == 2
    assert captured.err.count("\n") == 1
    assert told in captured.err


def test_a_port_that_is_taken_is_one_line(made: MadeStore, capsys: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main("doc", ["serve", "--store", str(made.path), "--port", port]) == 2
    assert "--port 0 takes any" in capsys.readouterr().err


def test_a_missing_extra_is_one_line_with_the_command(
    made: MadeStore, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ddl.experiments.verbs.serve.find_spec", lambda name: None)
    assert main("doc", ["serve", "--store", str(made.path)]) == 2
    assert capsys.readouterr().err == (
        "experiments serve: Received: serve without starlette and uvicorn. Expected: ./setup.sh --extras, or "
        "pip install -r requirements-web.txt.\n"
    )


def test_the_verb_itself_loads_no_extra() -> None:
    code = "import sys; import ddl.experiments.verbs.serve; sys.exit('starlette' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
