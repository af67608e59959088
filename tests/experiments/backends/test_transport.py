"""Commands and files that go to a node and back, by a real sshd on loopback."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import psutil
import pytest

from ddl.experiments.backends.ssh_transport import SshTransport
from ddl.experiments.backends.transport import LocalTransport, Transport, open_transport
from ddl.experiments.problem import Unreachable
from tests.experiments.beds.sshd import HOST, running_sshd


@pytest.fixture(params=["local", "ssh"])
def node(request: pytest.FixtureRequest) -> Transport:
    """Return each way to a node."""
    if request.param == "local":
        return LocalTransport()
    request.getfixturevalue("sshd")
    return open_transport(HOST)


def test_a_command_gets_its_words_as_they_are(node):
    words = ["", "a b", "it's", '"', "$HOME", "`id`", "*", "new\nline", "--", "é", "\\", "!x"]
    done = node.run(["printf", "%s|", *words])
    assert done.stdout == "".join(f"{word}|" for word in words)


def test_standard_input_arrives_byte_for_byte(node):
    data = bytes(range(256)) * 1000
    done = node.run(["sh", "-c", "wc -c; cat /dev/null"], stdin=data)
    assert done.stdout.strip() == str(len(data))
    assert (
        node.run(["cksum"], stdin=data).stdout == LocalTransport().run(["cksum"], stdin=data).stdout
    )


def test_output_of_bytes_that_are_not_text_is_kept(node):
    assert node.run(["printf", r"\377"]).stdout == "\udcff"


@pytest.mark.parametrize("status", [1, 2, 75, 126, 127, 254])
def test_a_failing_command_is_a_result(node, status):
    assert node.run(["sh", "-c", f"echo no >&2; exit {status}"]).returncode == status


def test_a_status_of_255_is_not_taken_for_a_broken_line(sshd):
    assert SshTransport(HOST).run(["sh", "-c", "exit 255"]).returncode == 254


def test_a_missing_program_is_a_result(node):
    assert node.run(["no-such-program-at-all"]).returncode == 127


def test_a_command_that_does_not_end_is_unreachable_after_the_limit(node):
    begun = time.monotonic()
    with pytest.raises(Unreachable, match=r"within 0\.5 s"):
        node.run(["sleep", "60"], timeout_s=0.5)
    assert time.monotonic() - begun < 5


def test_commands_start_in_the_home_folder(sshd):
    assert SshTransport(HOST).home() == str(sshd.home)
    assert SshTransport(HOST).run(["pwd"]).stdout.strip() == str(sshd.home)


@pytest.mark.parametrize(
    "host",
    ["-oProxyCommand=x", "", "a b", "a;b", "user@-x", "host:22", "a\nb", "-l", "@host", "a/b"],
)
def test_a_destination_that_ssh_could_misread_is_refused(host):
    with pytest.raises(ValueError, match="Expected: HOST or USER@HOST"):
        open_transport(host)


@pytest.mark.parametrize("host", ["cluster", "ada@cluster.example.org", "10.0.0.1", "a_b@x-1"])
def test_usual_destinations_are_taken(host):
    assert open_transport(host).host == host


def test_an_unknown_host_is_unreachable_in_one_line(sshd):
    with pytest.raises(Unreachable, match=r"no-such-host\.invalid") as told:
        SshTransport("no-such-host.invalid").run(["true"])
    assert "\n" not in str(told.value)


def test_folders_go_and_come_whole(node, tmp_path):
    here, there, back = (tmp_path / name for name in ("a folder", "it's there", "back"))
    (here / "deep er").mkdir(parents=True)
    (here / "deep er" / "file*.txt").write_text("text")
    (here / "link").symlink_to("deep er")
    there.mkdir()
    node.send(here, str(there))
    node.fetch(f"{there}/", back)
    assert (back / "deep er" / "file*.txt").read_text() == "text"
    assert (back / "link").readlink() == Path("deep er")


def test_a_file_that_is_missing_there_is_an_error_of_files(node, tmp_path):
    with pytest.raises(OSError, match="could not copy"):
        node.fetch(str(tmp_path / "missing"), tmp_path / "here")


def test_a_folder_that_cannot_be_written_there_is_an_error_of_files(node, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("x")
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OSError, match="could not copy"):
        node.send(source, f"{tmp_path}/taken/inside")


def test_a_server_that_is_down_is_unreachable_at_once(tmp_path_factory):
    with running_sshd(tmp_path_factory.mktemp("down") / "bed") as node:
        transport = SshTransport("other")
        assert transport.run(["echo", "up"]).stdout == "up\n"
        node.stop()
        begun = time.monotonic()
        with pytest.raises(Unreachable):
            transport.run(["echo", "up"])
        with pytest.raises(Unreachable):
            transport.fetch(str(node.home), tmp_path_factory.mktemp("x"))
        assert time.monotonic() - begun < 5
        node.start()
        assert transport.run(["echo", "up"]).stdout == "up\n"


def test_a_broken_fetch_leaves_the_old_file_whole(tmp_path_factory):
    there, here = tmp_path_factory.mktemp("there"), tmp_path_factory.mktemp("here")
    with running_sshd(tmp_path_factory.mktemp("broken") / "bed") as node:
        with (there / "big").open("wb") as file:
            file.write(os.urandom(8_000_000))
        (here / "big").write_bytes(b"old")
        stopper = threading.Timer(0.8, node.stop)
        stopper.start()
        with pytest.raises(Unreachable):
            SshTransport("other").fetch(f"{there}/", here, ("--bwlimit=1000",), timeout_s=20)
        stopper.join()
        assert (here / "big").read_bytes() == b"old"


def test_a_greeting_of_the_login_shell_is_not_taken_for_output(sshd):
    # Some accounts print at every login, also for commands; a forced command is the plainest such account.
    keys = sshd.folder / "authorized"
    before = keys.read_text()
    forced = 'command="echo Welcome; eval \\"$SSH_ORIGINAL_COMMAND\\"" '
    try:
        keys.write_text(forced + before)
        transport = SshTransport(
            "other"
        )  # a name of its own: a connection that is open already would be used
        assert transport.run(["echo", "hello"]).stdout == "hello\n"
    finally:
        keys.write_text(before)


def test_calls_share_one_connection(sshd):
    transport = SshTransport(HOST)
    assert any(option.startswith("ControlPath=") for option in transport.options())
    first = transport.run(["sh", "-c", "echo $SSH_CLIENT"]).stdout
    assert transport.run(["sh", "-c", "echo $SSH_CLIENT"]).stdout == first != "\n"


def test_a_users_own_shared_connection_is_used(sshd):
    config = sshd.folder / "ssh_config"
    before = config.read_text()
    try:
        config.write_text(f"{before}  ControlPath /tmp/of-the-user-%C\n")
        assert not any("Control" in word for word in SshTransport(HOST).options())
    finally:
        config.write_text(before)


def test_a_hanging_server_costs_the_limit_and_no_more(tmp_path_factory):
    with running_sshd(tmp_path_factory.mktemp("hang") / "bed") as node:
        transport = SshTransport("other")
        transport.run(["true"])
        node.hang(True)
        try:
            begun = time.monotonic()
            with pytest.raises(Unreachable):
                transport.run(["true"], timeout_s=1)
            assert time.monotonic() - begun < 4
        finally:
            node.hang(False)
        assert transport.run(["echo", "back"]).stdout == "back\n"


def test_nothing_of_a_limited_command_is_left_on_this_machine(tmp_path):
    with pytest.raises(Unreachable):
        LocalTransport().run(
            ["sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; wait"], timeout_s=0.5
        )
    pid = int((tmp_path / "pid").read_text())
    assert psutil.pid_exists(pid) is False or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
