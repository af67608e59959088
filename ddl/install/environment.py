"""The Python environment to install into, inspected through its own interpreter."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddl.install.problem import Problem
from ddl.install.step_lines import run_logged

TENSORFLOWS = ("tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tf-nightly", "intel-tensorflow")
"""Distributions that provide the package `tensorflow`."""

_PROBE = """
import importlib.metadata, json, platform, sys, sysconfig
print(json.dumps({
    "version": platform.python_version(),
    "tag": f"{sys.implementation.cache_tag}-{sysconfig.get_config_var('SOABI')}",
    "platform": sysconfig.get_platform(),
    "folders": {name: sysconfig.get_path(name) for name in ("platlib", "scripts", "stdlib")},
    "in_venv": sys.prefix != sys.base_prefix,
    "packages": {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()},
}))
"""

_TENSORFLOW_PROBE = """
import json
import tensorflow as tf
print(json.dumps({
    "version": tf.__version__,
    "compile_flags": [f for f in tf.sysconfig.get_compile_flags() if not f.startswith("-I")],
    "cuda": tf.sysconfig.get_build_info().get("cuda_version", ""),
}))
"""


@dataclass(frozen=True)
class Environment:
    """A Python environment: its interpreter, its folders and its installed packages."""

    python: Path
    version: str = ""
    tag: str = ""
    platform: str = ""
    in_venv: bool = True
    platlib: Path = Path()  # the `site-packages` folder
    scripts: Path = Path()  # the `bin` folder
    stdlib: Path = Path()
    packages: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, python: Path) -> Environment:
        """Query an interpreter for its version, folders and installed packages."""
        facts = ask(python, _PROBE)
        facts["packages"] = {canonical(n): v for n, v in facts["packages"].items() if n}
        facts |= {name: Path(folder) for name, folder in facts.pop("folders").items()}
        return cls(python, **facts)

    def tensorflow(self) -> dict[str, Any]:
        """Return what identifies the installed TensorFlow. Imports it, which takes 4 s."""
        distribution = next((name for name in TENSORFLOWS if name in self.packages), "unknown")
        try:
            facts = ask(self.python, _TENSORFLOW_PROBE)
        except ProbeError as error:
            raise Problem(
                f"Horovod needs TensorFlow to build, but {self.python} cannot import it ({error}): "
                "install it first, or run without --keep-installed."
            ) from error
        return {"distribution": distribution, **facts}

    def check_writable(self) -> None:
        """Raise Problem for an environment without pip, or one that the operating system manages."""
        if "pip" not in self.packages:
            raise Problem(f"{self.python} has no pip: run `{self.python} -m ensurepip` first.")
        managed = (self.stdlib / "EXTERNALLY-MANAGED").exists() and not self.in_venv
        if managed and os.environ.get("PIP_BREAK_SYSTEM_PACKAGES") != "1":
            raise Problem(
                f"the operating system manages {self.python} and forbids installing into it: "
                "use ./setup.sh, or a venv created with --system-site-packages."
            )

    def pip(
        self,
        what: str,
        arguments: Sequence[str | Path],
        log: Path,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Run this environment's pip with the variables `environ`."""
        env = dict(environ, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1")
        env.pop("PIP_REQUIRE_VIRTUALENV", None)
        run_logged(what, [self.python, "-m", "pip", *arguments], log, env)


def with_tools(environ: Mapping[str, str], tools: Path) -> dict[str, str]:
    """Return `environ` with the build tools first on PATH and PYTHONPATH."""
    first = {"PATH": tools / "bin", "PYTHONPATH": tools}
    joined = {name: f"{value}{os.pathsep}{environ.get(name, '')}" for name, value in first.items()}
    return {**environ, **{name: value.rstrip(os.pathsep) for name, value in joined.items()}}


def canonical(name: str) -> str:
    """Return a package's normalized name, as indexes compare it: `PyYAML` becomes `pyyaml`."""
    return re.sub(r"[-_.]+", "-", name).lower()


class ProbeError(Exception):
    """A probe failed; the message is the last line of its errors."""


def ask(
    python: Path,
    probe: str,
    environ: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> Any:
    """Run a probe in an interpreter, and return the JSON on its last line of output.

    It runs in `/` so that it imports installed packages, not this checkout. By default it sees no PYTHONPATH and GPUs.

    Raises:
        ProbeError: the probe failed.
        subprocess.TimeoutExpired: the probe took longer than `timeout_s`.
    """
    if environ is None:
        environ = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        environ["CUDA_VISIBLE_DEVICES"] = "-1"
    result = subprocess.run(
        [str(python), "-c", probe],
        capture_output=True,
        text=True,
        env={**environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        cwd="/",
        timeout=timeout_s,
        check=False,
    )
    if result.returncode != 0:
        raise ProbeError((result.stderr.strip().splitlines() or ["no output"])[-1])
    return json.loads(result.stdout.strip().splitlines()[-1])
