"""The image's files are consistent with each other and the project. docker/two_containers.sh builds the image."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
INSTRUCTIONS = [
    line.split(maxsplit=1)
    for line in DOCKERFILE.replace("\\\n", " ").splitlines()
    if line and not line.startswith("#")
]
COMPOSE = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())
FOLDER = REPOSITORY / "docker"
FILES = [REPOSITORY / "Dockerfile", REPOSITORY / "compose.yaml", *FOLDER.glob("*")]
SCRIPTS = sorted(FOLDER.glob("*.sh"))

_SECRET = re.compile(
    r"-----BEGIN|://[^/\s]+:[^/\s]+@|(password|token|secret_key)\s*=\s*\S|\bAKIA[0-9A-Z]{16}\b",
    re.I,
)


def arguments(instruction: str) -> list[str]:
    """Return what follows each occurrence of an instruction."""
    return [rest for name, rest in INSTRUCTIONS if name == instruction]


def copied() -> list[tuple[list[str], str]]:
    """Return (sources, target) of each COPY from the context."""
    words = [rest.split() for rest in arguments("COPY") if not rest.startswith("--from")]
    return [(names[:-1], names[-1]) for names in words]


def test_copied_files_exist_and_are_not_ignored():
    kept = [
        line[1:]
        for line in (REPOSITORY / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    assert all((REPOSITORY / name).exists() for name in kept)
    for sources, _ in copied():
        for source in sources:
            assert source == "." or list(REPOSITORY.glob(source)), source
            assert source == "." or any(
                source == name or source.startswith(f"{name}/") for name in kept
            ), source


def test_the_context_starts_empty():
    """An unlisted file, such as a key, is not copied into the image."""
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert next(line for line in lines if not line.startswith("#")) == "*"
    named = [line[1:] for line in lines if line.startswith("!")]
    for secret in (".git", ".env", "keys/id_ed25519", ".config/pip/pip.conf", "runs"):
        assert not any(fnmatch(secret, f"{name}*") for name in named), secret


def test_what_the_build_copies_is_enough_for_the_installer(tmp_path):
    """It copies nothing else, so other changes do not rebuild the large layer."""
    for sources, target in copied():
        if "." in sources or target.startswith("/"):
            continue
        (tmp_path / target).mkdir(parents=True, exist_ok=True)
        for path in (path for source in sources for path in REPOSITORY.glob(source)):
            if path.is_dir():
                shutil.copytree(path, tmp_path / target, dirs_exist_ok=True)
            else:
                shutil.copy(path, tmp_path / target)
    command = [sys.executable, "-s", "-m", "ddl.install", "--help"]
    result = subprocess.run(
        command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "requirements.txt").exists()
    assert (tmp_path / "pyproject.toml").exists()


def test_only_requirements_pin_python_packages():
    assert not re.search(r"pip3? install|==", DOCKERFILE)
    assert "./setup.sh" in DOCKERFILE


def test_the_port_is_the_same_everywhere():
    assert arguments("EXPOSE") == ["12345"]
    for name in ("ssh_config", "sshd_config"):
        assert re.findall(r"^\s*Port (\d+)$", (FOLDER / name).read_text(), re.M) == ["12345"]
    assert "${SSH_PORT:-12345}" in (FOLDER / "entrypoint.sh").read_text()


def test_nothing_runs_as_root():
    assert arguments("USER") == ["ddl"]
    assert "AllowUsers ddl" in (FOLDER / "sshd_config").read_text()
    last = [name for name, _ in INSTRUCTIONS]
    assert "RUN" not in last[last.index("USER") :]


def test_ssh_and_sshd_use_the_files_that_the_entry_point_writes():
    entrypoint = (FOLDER / "entrypoint.sh").read_text()
    for name in ("ssh_config", "sshd_config"):
        for path in re.findall(r"(?:/run/ddl|/keys)/\S+", (FOLDER / name).read_text()):
            folder, file = path.rsplit("/", 1)
            assert folder in entrypoint
            assert file.removesuffix("-cert.pub") in entrypoint, path


def test_the_entry_point_is_where_the_image_looks_for_it():
    (entrypoint,) = arguments("ENTRYPOINT")
    path = REPOSITORY / Path(yaml.safe_load(entrypoint)[0]).relative_to("/opt/ddl")
    assert path.stat().st_mode & 0o111


def test_host_keys_are_removed_where_they_are_made():
    (line,) = [rest for rest in arguments("RUN") if "openssh-server" in rest]
    assert "/etc/ssh/ssh_host_*" in line


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_secret_and_no_private_path(path):
    text = path.read_text()
    assert not _SECRET.search(text)
    assert not re.search(r"/(home|root|work|opt/pypi)/(?!ddl\b)", text)


def test_no_build_argument_carries_a_secret():
    """Build arguments stay in the image's history."""
    names = " ".join(arguments("ARG") + arguments("ENV"))
    assert not re.search(r"token|password|secret|_key|pip_", names, re.I)


def test_compose_builds_with_arguments_that_the_dockerfile_has():
    (build,) = [s["build"] for s in COMPOSE["services"].values() if "build" in s]
    known = {rest.partition("=")[0] for rest in arguments("ARG")}
    assert set(build["args"]) == known


def test_compose_gives_commands_that_the_entry_point_knows():
    text = (FOLDER / "entrypoint.sh").read_text()
    services = COMPOSE["services"]
    for service in services.values():
        assert f"\n    {service['command']}) " in text
    assert set(services["master"]["environment"]) == {"HOSTS", "NP"}
    assert all(any("/keys" in v for v in service["volumes"]) for service in services.values())


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_sound(path):
    subprocess.run(["bash", "-n", path], check=True)
    if shutil.which("shellcheck"):
        found = subprocess.run(["shellcheck", path], capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stdout


def test_the_page_names_all_settings():
    page = (REPOSITORY / "docs/containers.md").read_text()
    for rest in arguments("ARG"):
        assert rest.partition("=")[0] in page
    for secret in re.findall(r"type=secret,id=([\w.]+)", DOCKERFILE):
        assert f"--secret id={secret}" in page
    for word in ("make-key", "worker", "train", "HOSTS", "SSH_PORT", "12345"):
        assert word in page
