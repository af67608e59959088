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

_PROBE = """
import importlib.metadata, json, platform, sys, sysconfig
print(json.dumps({
    "version": platform.python_version(),
    "tag": f"{sys.implementation.cache_tag}-{sysconfig.get_config_var('SOABI')}",
    "platform": sysconfig.get_platform(),
    "paths": {name: sysconfig.get_path(name) for name in ("platlib", "scripts", "stdlib")},
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
    """A Python environment: its interpreter, and the packages and folders found there."""

    python: Path
    version: str = ""
    tag: str = ""
    platform: str = ""
    in_venv: bool = True
    paths: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, python: Path) -> Environment:
        """Query an interpreter for its version, folders and installed packages."""
        facts = _ask(python, _PROBE)
        facts["packages"] = {canonical(n): v for n, v in facts["packages"].items() if n}
        return cls(python, **facts)

    def refresh(self) -> Environment:
        """Query the environment again, after an installation."""
        return self.of(self.python)

    @property
    def platlib(self) -> Path:
        """The `site-packages` folder."""
        return Path(self.paths["platlib"])

    @property
    def scripts(self) -> Path:
        """The `bin` folder."""
        return Path(self.paths["scripts"])

    def tensorflow(self) -> dict[str, Any]:
        """Return what identifies the installed TensorFlow. Imports it, which takes 4 s."""
        names = ("tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tf-nightly", "intel-tensorflow")
        found = next((name for name in names if name in self.packages), None)
        try:
            facts = _ask(self.python, _TENSORFLOW_PROBE)
        except subprocess.CalledProcessError as error:
            last = (error.stderr.strip().splitlines() or ["no output"])[-1]
            raise Problem(
                f"Horovod needs TensorFlow to build, but {self.python} cannot import it ({last}): "
                "install it first, or run without --keep-installed."
            ) from error
        return {"distribution": found or "unknown", **facts}

    def check_writable(self) -> None:
        """Raise Problem for an environment without pip, or one that the operating system manages."""
        if "pip" not in self.packages:
            raise Problem(f"{self.python} has no pip: run `{self.python} -m ensurepip` first.")
        managed = Path(self.paths["stdlib"], "EXTERNALLY-MANAGED").exists() and not self.in_venv
        if managed and os.environ.get("PIP_BREAK_SYSTEM_PACKAGES") != "1":
            raise Problem(
                f"the operating system manages {self.python} and forbids installing into it: "
                "use ./setup.sh, or a venv created with --system-site-packages."
            )

    def pip(
        self, what: str, arguments: Sequence[str | Path], log: Path, tools: Path | None = None
    ) -> None:
        """Run this environment's pip, with build tools from the folder `tools` for this call only."""
        env = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1")
        env.pop("PIP_REQUIRE_VIRTUALENV", None)
        if tools is not None:
            env = with_tools(env, tools)
        run_logged(what, [self.python, "-m", "pip", *arguments], log, env=env)


def with_tools(environ: Mapping[str, str], tools: Path) -> dict[str, str]:
    """Return `environ` with the build tools first on PATH and PYTHONPATH."""
    first = {"PATH": tools / "bin", "PYTHONPATH": tools}
    joined = {name: f"{value}{os.pathsep}{environ.get(name, '')}" for name, value in first.items()}
    return {**environ, **{name: value.rstrip(os.pathsep) for name, value in joined.items()}}


def canonical(name: str) -> str:
    """Return a package's normalized name, as indexes compare it: `PyYAML` becomes `pyyaml`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _ask(python: Path, probe: str) -> dict[str, Any]:
    """Run a probe in an interpreter and return the JSON on its last line of output.

    It runs in `/` so that it imports installed packages, not this checkout.
    """
    env = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
    env.pop("PYTHONPATH", None)
    result = subprocess.run(
        [str(python), "-c", probe], capture_output=True, text=True, env=env, cwd="/", check=True
    )
    facts: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])
    return facts
