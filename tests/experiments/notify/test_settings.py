"""What is wrong with mail.yaml, `mail:`, `notify:` or a template is one line that says what to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ddl.experiments.notify.smtp.server_settings import read_server_settings
from ddl.experiments.notify.templates import Template, read_template
from ddl.experiments.notify.wishes import read_command_wishes, read_mail_wishes

GOOD = "host: mail.example.org\nfrom: a@b.org\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "without settings"),
        ("- a", "without settings"),
        ("host: [", "no YAML"),
        ("host: a\nhost: hunter2", "each key once"),
        ("from: a@b.org", "host"),
        ("host: a b\nfrom: a@b.org", "host"),
        ("host: mail.example.org", "from: you@example.org"),
        (GOOD + "port: x", "a number from 1 to 65535"),
        (GOOD + "port: 0", "a number from 1 to 65535"),
        (GOOD + "port: 70000", "a number from 1 to 65535"),
        (GOOD + "security: tls", "starttls, ssl or none"),
        (GOOD + "pasword_file: x", "did you mean password_file"),
        (GOOD + "password: hunter2", "password_file: a file of mode 600"),
        (GOOD + "hots: x", "did you mean host?"),
        (GOOD + "user: ada", "no password"),
        ("host: mail.example.org\nfrom: 'a@b.org\\nBcc: x@y.org'", "an address"),
        ('host: mail.example.org\nfrom: "a@b.org\\nBcc: x@y.org"', "an address"),
        (GOOD + "to: [a@b.org, nobody]", "an address"),
        (GOOD + "port: [1]", "a number from 1"),
        (GOOD + "user: [1]", "one text"),
    ],
)
def test_mail_yaml(home: Path, text: str, told: str) -> None:
    (home / "mail.yaml").write_text(text)
    with pytest.raises(ValueError, match=told) as raised:
        read_server_settings()
    assert "\n" not in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_mail_yaml_that_is_no_text(home: Path) -> None:
    (home / "mail.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="UTF-8"):
        read_server_settings()


def test_the_port_follows_from_the_security(home: Path) -> None:
    for security, port in (("starttls", 587), ("ssl", 465), ("none", 25)):
        (home / "mail.yaml").write_text(GOOD + f"security: {security}\n")
        assert read_server_settings().port == port


def test_a_password_does_not_travel_in_clear(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDL_SMTP_PASSWORD", "hunter2")
    (home / "mail.yaml").write_text(GOOD + "user: ada\nsecurity: none\n")
    with pytest.raises(ValueError, match="must not travel in clear"):
        read_server_settings()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (3, "a mapping with to"),
        ({"too": "a@b.org"}, "did you mean to?"),
        ({"to": "nobody"}, "an address"),
        ({"to": "a@b.org\nBcc: c@d.org"}, "an address"),
        ({"to": ["a@b.org", 3]}, "an address"),
        ({"on": ["failing"]}, "did you mean failed?"),
        ({"on": 3}, "a list of"),
        ({"on": ["digest"]}, "of started"),
        ({"curve": "yes"}, "true or false"),
        ({"digest": "soon"}, "a duration"),
        ({"digest": 0}, "a duration"),
        ({"limit": 0}, "at least 1"),
        ({"limit": True}, "at least 1"),
        ({"template": 3}, "a file name"),
    ],
)
def test_mail(value: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_mail_wishes(value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (3, "a mapping"),
        ({}, "a list of words"),
        ([], "a list of words"),
        ({"command": ["a", 3]}, "a list of words"),
        ({"command": [" "]}, "a list of words"),
        ({"command": ["a"], "limit": "never"}, "a duration"),
        ({"comand": ["a"]}, "did you mean command?"),
    ],
)
def test_notify(value: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_command_wishes(value)


def test_short_forms() -> None:
    assert read_mail_wishes("a@b.org").to == ("a@b.org",)
    assert read_mail_wishes({"digest": "2h"}).digest_s == 7200
    assert read_command_wishes("./tell").command == ("./tell",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("$experimnt", r"unknown field \$experimnt. Expected: \$experiment"),
        ("costs 5 $ now", r"line 1: a \$ that names no field. Expected: \$\$"),
        ("\n${experiment.__class__}", "line 2"),
        ("${why", "names no field"),
        ("Subject: $nothing_like_it\n\nx", "one of id"),
    ],
)
def test_templates(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Template(text)


def test_a_template_runs_nothing() -> None:
    text = Template("Subject: $why\n\n{why.__class__} %(why)s $$5 ${why}")
    fields = {"why": "$id {0}"}
    assert text.subject(fields) == "$id {0}"
    assert text.body(fields) == "{why.__class__} %(why)s $5 $id {0}"


@pytest.mark.parametrize("data", [b"\xff", b"a\0b", b"x" * 70000])
def test_a_template_that_is_no_text(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "t").write_bytes(data)
    with pytest.raises(ValueError, match="a text in UTF-8"):
        read_template(tmp_path / "t")


def test_a_template_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file"):
        read_template(tmp_path / "t")
    with pytest.raises(ValueError, match="Is a directory"):
        read_template(tmp_path)
