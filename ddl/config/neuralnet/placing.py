"""Where the ranks or workers of a command come from: this process, a launcher that it starts, its launcher, or Ray."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from ddl.config.neuralnet.translation import LOCAL
from ddl.config.neuralnet.words import Settings
from ddl.distributed.job.launcher import Placement

LAUNCHERS = ("horovodrun", "mpirun")


def check_place(
    settings: Settings, provider: str | None, mode: str, place: Placement, ray_address: str | None
) -> int:
    """Return how many ranks the command must start itself; 0 where it runs in this process.

    Args:
        settings: the command.
        provider: the file's parameter_provider.
        mode: the plan's `parallel`.
        place: this process's place in its job.
        ray_address: address of a Ray cluster, if one is given.

    Raises:
        ValueError: there is nothing to run on, or more or less than the command asks for.
    """
    conf, split, is_local = settings["conf"], settings["split"], settings["local"]
    has_launcher = place.launcher is not None
    wanted = place.size if has_launcher else split
    if provider == LOCAL and wanted > 1:
        received = f"{wanted} ranks" if has_launcher else settings.shown("split")
        raise ValueError(
            f'Received: {received} for {conf} with parameter_provider "local", which is one process. Expected: one, or '
            'parameter_provider { type: "groupcomm" }.'
        )
    if has_launcher and "split" in settings.given and split != place.size:
        raise ValueError(
            f"Received: {settings.shown('split')} under {place.launcher} with {place.size} ranks. Expected: the same "
            "number, or no -split."
        )
    if is_local and ray_address is not None:
        raise ValueError(
            f"Received: -local true with --ray-address {ray_address}. Expected: -local true for this machine alone, or "
            "-local false for a cluster."
        )
    if not is_local and not has_launcher and (ray_address is None or mode != "async"):
        elsewhere = "--ray-address HOST:PORT of a Ray cluster"
        if mode != "async":
            elsewhere = f"a launcher, such as horovodrun -np 2 python scripts/run_neuralnet.py -conf {conf} ..."
        raise ValueError(
            f"Received: -local false (the default) without a {'Ray cluster' if mode == 'async' else 'launcher'}. "
            f"Expected: {elsewhere}; or -local true for this machine."
        )
    return split if is_local and not has_launcher and mode != "async" and split > 1 else 0


def launch_words(ranks: int, words: Sequence[str]) -> list[str]:
    """Return the command that starts this script on so many ranks of this machine.

    Raises:
        ValueError: there is no launcher.
    """
    for name in LAUNCHERS:
        program = _find(name)
        if program is not None:
            own = ["--bind-to", "none", "--oversubscribe"] if name == "mpirun" else []
            return [program, "-np", str(ranks), *own, sys.executable, "-u", *words]
    raise ValueError(
        f"Received: -split {ranks} without {' or '.join(LAUNCHERS)}, which are neither beside {sys.executable} nor on "
        "PATH. Expected: an installed launcher; run ./setup.sh, or leave out -split."
    )


def become(words: Sequence[str], environ: Mapping[str, str] = os.environ) -> NoReturn:
    """Replace this process by a launcher: signals reach it, and its exit status is ours."""
    env = dict(environ)
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}"
    if os.geteuid() == 0:
        env |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(words[0], list(words), env)


def _find(name: str) -> str | None:
    """Return the path of a launcher: beside the running Python first, then on PATH."""
    beside = Path(sys.executable).parent / name
    return str(beside) if os.access(beside, os.X_OK) else shutil.which(name)
