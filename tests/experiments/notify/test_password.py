"""The password comes from the environment or a private file, and is found nowhere afterwards."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from ddl.experiments.notify import after_sync
from ddl.experiments.notify.smtp import password
from ddl.experiments.notify.smtp.password import Secret, read_password
from ddl.experiments.notify.smtp.sending import ServerProblem, connected
from ddl.experiments.notify.smtp.server_settings import read_server_settings
from tests.experiments.notify.sink import PASSWORD, Sink, certificate, login, running
from tests.experiments.notify.stores import made_experiment, made_view

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


def write(home: Path, sink: Sink, *lines: str, security: str = "none") -> None:
    text = (
        f"host: 127.0.0.1\nport: {sink.port}\nsecurity: {security}\nfrom: ddl@example.org\n"
    ) + ("user: ada\n" + "".join(line + "\n" for line in lines))
    (home / "mail.yaml").write_text(text)


def test_it_is_taken_out_of_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(password.VARIABLE, PASSWORD)
    assert read_password(None).reveal() == PASSWORD
    assert password.VARIABLE not in os.environ
    assert read_password(None).reveal() == PASSWORD
    shown = subprocess.run(["env"], capture_output=True, text=True, timeout=20, check=True).stdout
    assert PASSWORD not in shown


def test_a_secret_shows_nothing_of_itself() -> None:
    secret = Secret(PASSWORD)
    assert PASSWORD not in f"{secret} {secret!r} {[secret]}"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "secret"
    file.write_text(PASSWORD)
    file.chmod(mode)
    with pytest.raises(ValueError, match=r"others can read .*Expected: chmod 600") as raised:
        read_password(file)
    assert PASSWORD not in str(raised.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(PASSWORD)
    file.chmod(0o600)
    os.chown(file, 65534, 65534)
    with pytest.raises(ValueError, match="belongs to another user"):
        read_password(file)


@pytest.mark.parametrize("text", ["", "\n", "one\ntwo\n", "x" * 5000])
def test_a_file_without_one_line_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "secret"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(ValueError, match="holds no password"):
        read_password(file)


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no regular file"):
        read_password(tmp_path)
    with pytest.raises(ValueError, match="No such file"):
        read_password(tmp_path / "none")


def test_a_private_file_logs_in(home: Path, store: Path) -> None:
    file = home / "smtp-password"
    file.write_text(PASSWORD + "\n")
    file.chmod(0o600)
    with running(authenticator=login, auth_required=True, auth_require_tls=False) as sink:
        write(home, sink, "password_file: smtp-password")
        after_sync(store, made_view(store, made_experiment(store)))
    assert len(sink.mails) == 1


@pytest.mark.parametrize("security", ["starttls", "ssl"])
def test_over_tls_with_a_trusted_certificate(
    home: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    cert, context = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    monkeypatch.setenv(password.VARIABLE, PASSWORD)
    tls: dict[str, Any] = {"ssl_context": context, "auth_require_tls": False}
    if security == "starttls":
        tls = {"tls_context": context, "require_starttls": True}
    with running(authenticator=login, auth_required=True, **tls) as sink:
        write(home, sink, security=security)
        after_sync(store, made_view(store, made_experiment(store)))
    assert len(sink.mails) == 1


def test_a_certificate_that_nobody_trusts_is_refused_before_the_password(
    home: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, context = certificate(tmp_path)
    monkeypatch.setenv(password.VARIABLE, PASSWORD)
    with running(authenticator=login, tls_context=context) as sink:
        write(home, sink, security="starttls")
        (line,) = after_sync(store, made_view(store, made_experiment(store)))
    assert "certificate is not trusted" in line
    assert sink.mails == []


def test_a_server_without_starttls_gets_no_password(
    home: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(password.VARIABLE, PASSWORD)
    with running(authenticator=login) as sink:
        write(home, sink, security="starttls")
        (line,) = after_sync(store, made_view(store, made_experiment(store)))
    assert "STARTTLS extension not supported" in line


def test_a_wrong_password_is_told_once_and_tried_again_when_the_settings_change(
    home: Path, store: Path
) -> None:
    file = home / "smtp-password"
    file.write_text("wrong-" + PASSWORD)
    file.chmod(0o600)
    view = made_view(store, made_experiment(store))
    with running(authenticator=login, auth_required=True, auth_require_tls=False) as sink:
        write(home, sink, "password_file: smtp-password")
        told = [line for _ in range(3) for line in after_sync(store, view)]
        assert len(told) == 1
        assert "535" in told[0]
        assert sink.connections == 1  # an account is not to be locked
        file.write_text(PASSWORD)
        write(home, sink, "password_file: smtp-password", "# changed")
        after_sync(store, view)
    assert len(sink.mails) == 1


class _Echo:
    """A server that says back what it hears, as no server should."""

    async def handle_AUTH(self, server: Any, session: Any, envelope: Any, args: Any) -> str:  # noqa: N802
        return f"535 5.7.8 no {' '.join(args)} {PASSWORD}"


def test_a_server_that_repeats_the_password_does_not_bring_it_into_an_error(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(password.VARIABLE, PASSWORD)
    monkeypatch.setattr(
        "tests.experiments.notify.sink.Sink.handle_AUTH", _Echo.handle_AUTH, raising=False
    )
    with running(authenticator=login, auth_require_tls=False) as sink:
        write(home, sink)
        settings = read_server_settings()
        with pytest.raises(ServerProblem) as raised, connected(settings):
            pass
    told = "".join(traceback.format_exception(raised.value))
    plain = PASSWORD.encode()
    for form in (plain, base64.b64encode(b"\0ada\0" + plain), base64.b64encode(plain)):
        assert form.decode() not in told
    assert "535" in str(raised.value)


def test_it_is_nowhere_in_the_store_or_in_ps(
    home: Path,
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: Any,
    capfd: Any,
) -> None:
    monkeypatch.setenv(password.VARIABLE, PASSWORD)
    seen = tmp_path / "ps.txt"
    code = f"import subprocess; open({str(seen)!r}, 'wb').write(subprocess.check_output(['ps', 'auxeww']))"
    run = made_experiment(store, notify={"command": [sys.executable, "-c", code]})
    with running(authenticator=login, auth_required=True, auth_require_tls=False) as sink:
        write(home, sink)
        sink.answers = ["451 later"]
        lines = after_sync(store, made_view(store, run))
    assert seen.stat().st_size > 100
    files = [path for path in store.rglob("*") if path.is_file()] + [seen]
    assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []
    assert PASSWORD not in "".join(lines) + caplog.text + "".join(capfd.readouterr())
