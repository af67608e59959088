"""Makes a built wheel relocatable: no library path may point into the environment that built it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddl.install.environment import Environment
from ddl.install.mpi import Mpi, is_venv
from ddl.install.step_lines import run_logged

LIBRARY_FROM_TENSORFLOW = "$ORIGIN/../../../.."
"""Path from site-packages/horovod/tensorflow to the environment's `lib`, which holds PyPI's libmpi.so.40."""

NCCL_FROM_TENSORFLOW = "$ORIGIN/../../nvidia/nccl/lib"


def relocate(
    env: Environment,
    wheel: Path,
    key: Mapping[str, Any],
    mpi: Mpi,
    folder: Path,
    environ: Mapping[str, str],
    log: Path,
) -> Path:
    """Rewrite the wheel's library paths and return the path of the new wheel in `folder`.

    PyPI's `mpicxx` links with the absolute path of its own environment. TensorFlow's libraries need
    no path: Horovod imports TensorFlow first, and the loader reuses loaded libraries.
    """
    work = wheel.parent
    tool: list[str | Path] = [env.python, "-m", "wheel"]
    run_logged("unpacking Horovod's wheel", [*tool, "unpack", "-d", work, wheel], log, environ)
    tree = next(path for path in work.iterdir() if path.is_dir())
    (tree / "horovod/ddl_build.json").write_text(json.dumps(key, indent=2, sort_keys=True) + "\n")
    for library in sorted(tree.rglob("*.so")):
        wanted = portable_path(_rpath(library, environ), mpi, bool(key["cuda"]))
        patchelf: list[str | Path] = ["patchelf", "--set-rpath", wanted, library]
        run_logged("setting library paths", patchelf, log, environ)
    run_logged("packing Horovod's wheel", [*tool, "pack", "-d", folder, tree], log, environ)
    return next(folder.glob("*.whl"))


def portable_path(rpath: str, mpi: Mpi, gpu: bool) -> str:
    """Return `rpath` with relative entries added and all entries inside Python environments removed."""
    relative = [LIBRARY_FROM_TENSORFLOW] if mpi.source == "wheel" else []
    relative += [NCCL_FROM_TENSORFLOW] if gpu else []
    kept = [entry for entry in rpath.split(":") if entry and not in_environment(entry)]
    return ":".join(relative + [entry for entry in kept if entry not in relative])


def in_environment(entry: str) -> bool:
    """Return whether a path is absolute and inside a venv or a `site-packages` folder."""
    if not entry.startswith("/"):
        return False
    path = Path(os.path.normpath(entry))
    folders = (path, *path.parents)
    return "site-packages" in path.parts or any(is_venv(f) for f in folders)


def _rpath(library: Path, environ: Mapping[str, str]) -> str:
    command = ["patchelf", "--print-rpath", str(library)]
    result = subprocess.run(command, env=dict(environ), capture_output=True, text=True, check=True)
    return result.stdout.strip()
