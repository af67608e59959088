"""The words and the environment with which a launcher starts the ranks on given machines."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from ddl.elastic.hosts import HERE, shown
from ddl.elastic.script import Script
from ddl.elastic.settings import ElasticSettings
from ddl.elastic.state import Ranks

MARK = "DDL_ELASTIC_START"
"""Variable that every process of a start on this machine inherits."""

_OUTER = ("OMPI_COMM_", "OMPI_MCA_ess", "OMPI_MCA_orte", "OMPI_MCA_pmix", "PMIX_", "PMI_")
_PASSED = ("PATH", "OMP_NUM_THREADS")
_CONNECT = "-o BatchMode=yes -o ConnectTimeout=10"  # never waits for a password, nor long for a dead machine


def find_launcher(name: str) -> str | None:
    """Return the path of a launcher: beside the running Python first, then on PATH."""
    beside = Path(sys.executable).parent / name
    return str(beside) if os.access(beside, os.X_OK) else shutil.which(name)


def check_launcher(settings: ElasticSettings) -> None:
    """Refuse a launcher that is not there.

    Raises:
        ValueError: names it and the remedy.
    """
    if find_launcher(settings.launcher) is None:
        raise ValueError(
            f"Received: launcher={settings.launcher}, which is neither beside {sys.executable} nor on PATH. "
            "Expected: an installed launcher; run ./setup.sh."
        )


def launch_words(settings: ElasticSettings, ranks: Ranks, script: Script) -> list[str]:
    """Return the command that starts these ranks."""
    program = find_launcher(settings.launcher) or settings.launcher
    count = str(sum(ranks.values()))
    own = [script.python, "-u", *script.words]
    extra = shlex.split(settings.launcher_flags)
    if settings.launcher == "horovodrun":
        return [
            program,
            "-np",
            count,
            "-H",
            shown(ranks),
            *_horovodrun(settings, ranks),
            *extra,
            *own,
        ]
    return [program, "-np", count, "-H", shown(ranks), *_mpirun(settings, ranks), *extra, *own]


def _mpirun(settings: ElasticSettings, ranks: Ranks) -> list[str]:
    words = ["--bind-to", "none", "--map-by", "slot"]
    if list(ranks) != [HERE]:
        words += ["--mca", "plm_rsh_args", f"-p {settings.ssh_port} {_CONNECT}"]
    for name in sorted(os.environ):
        if name in _PASSED or name.startswith("HOROVOD_"):
            words += ["-x", name]
    if settings.interface:
        for layer in ("btl", "oob"):
            words += ["--mca", f"{layer}_tcp_if_include", settings.interface]
    return words


def _horovodrun(settings: ElasticSettings, ranks: Ranks) -> list[str]:
    words = [] if list(ranks) == [HERE] else ["--ssh-port", str(settings.ssh_port)]
    return [*words, *(["--network-interface", settings.interface] if settings.interface else [])]


def launch_environment(mark: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of a launcher: this one, without a job that this process may belong to."""
    env = {name: value for name, value in environ.items() if not name.startswith(_OUTER)}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}"
    if os.geteuid() == 0:
        env |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return env | {MARK: mark}
