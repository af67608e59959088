"""Horovod's wheel: what it depends on, where it is cached, and how it is built.

The key holds everything that changes the binary. Two checkouts that agree on it share one wheel, whatever
folders their environments are in.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.install import cache, host, patches, sdist
from ddl.install.environment import Environment, with_tools
from ddl.install.mpi import Mpi
from ddl.install.problem import Problem
from ddl.install.progress import run_logged, say
from ddl.install.relocate import relocate
from ddl.install.requirements import BUILD_TOOLS, Wheelhouse

_BUILD_OPTION = re.compile(
    r"HOROVOD_(WITH(OUT)?_\w+|GPU|GPU_\w+|CPU_OPERATIONS|CUDA_HOME|ROCM_HOME|NCCL_(HOME|INCLUDE|LIB|LINK)"
    r"|NVTX_INCLUDE|BUILD_\w+|ALLOW_MIXED_GPU_IMPL|DEBUG|CMAKE|LOCAL_VERSION)|(C|CXX|LD)FLAGS|CC|CXX"
)
"""What Horovod's build reads; its other HOROVOD_ variables matter at run time only."""

_SIMD_FLAGS = {"avx", "fma", "f16c"}  # Horovod uses those of the machine that builds it


def build_options(accelerator: str, mpi: Mpi, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the build sees: our defaults, and over them the user's own."""
    options = {
        "HOROVOD_WITH_TENSORFLOW": "1",
        "HOROVOD_WITHOUT_PYTORCH": "1",
        "HOROVOD_WITHOUT_MXNET": "1",
    }
    if mpi.source != "none":
        options["HOROVOD_WITH_MPI"] = "1"
    if accelerator == "gpu":
        options["HOROVOD_GPU_OPERATIONS"] = "NCCL"
    return options | {k: v for k, v in environ.items() if v and _BUILD_OPTION.fullmatch(k)}


def describe(
    env: Environment,
    mpi: Mpi,
    options: Mapping[str, str],
    compiler: host.Compiler | None,
    cpuinfo: Path = Path("/proc/cpuinfo"),
) -> dict[str, Any]:
    """Return, in words, everything that changes the binary: the cache's key is its digest."""
    found = re.search(
        r"^flags\s*:(.*)$", cpuinfo.read_text() if cpuinfo.exists() else "", re.MULTILINE
    )
    tensorflow = env.tensorflow()
    return {
        "horovod": {
            "version": sdist.VERSION,
            "sha256": sdist.SHA256,
            "patches": [patch.facts() for patch in patches.PATCHES],
        },
        "tensorflow": tensorflow,
        "python": env.tag,
        "platform": env.platform,
        "simd": sorted(_SIMD_FLAGS & set(found[1].split() if found else ())),
        "mpi": mpi.facts(),
        "compiler": {"path": compiler.path, "version": compiler.version} if compiler else None,
        "options": dict(options),
        "nccl": {k: v for k, v in env.packages.items() if k.startswith("nvidia-nccl")},
        "cuda": _cuda_version(options) if options.get("HOROVOD_GPU_OPERATIONS") else "",
    }


def _cuda_version(options: Mapping[str, str]) -> str:
    """Return the version line of the CUDA compiler, without which no GPU build is possible."""
    home = options.get("HOROVOD_CUDA_HOME") or os.environ.get("CUDA_HOME") or "/usr/local/cuda"
    nvcc = shutil.which("nvcc") or shutil.which("nvcc", path=f"{home}/bin")
    if nvcc is None:
        raise Problem(
            f"no CUDA compiler: looked for nvcc on PATH and in {home}/bin. Load the CUDA toolkit "
            "(`module load cuda`), set HOROVOD_CUDA_HOME, or build for CPUs with DDL_ACCELERATOR=cpu."
        )
    return host.first_line(["sh", "-c", f"'{nvcc}' --version | grep release"])


@dataclass(frozen=True)
class HorovodWheel:
    """A Horovod wheel for one key."""

    key: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """The key in 16 digits."""
        return cache.digest(self.key)

    @property
    def folder(self) -> Path:
        """Where the cache keeps it."""
        return cache.root() / "wheels" / self.digest

    def is_installed(self, env: Environment) -> bool:
        """Return whether exactly this build is in the environment, by whatever compiler if none is here."""
        try:
            installed = json.loads((env.platlib / "horovod/ddl_build.json").read_text())
        except (OSError, ValueError):
            return False
        if self.key["compiler"] is None:
            installed["compiler"] = None
        return "horovod" in env.packages and cache.digest(installed) == self.digest

    def cached(self) -> Path | None:
        """Return the wheel if the cache has it and it is undamaged."""
        try:
            stored = json.loads((self.folder / "key.json").read_text())
            wheel = self.folder / stored["wheel"]
            return wheel if cache.file_sha256(wheel) == stored["sha256"] else None
        except (OSError, ValueError, KeyError):
            return None

    def obtain(self, env: Environment, mpi: Mpi, options: Mapping[str, str]) -> Path:
        """Return the wheel, from the cache or built now; one process builds, others wait for it."""
        with cache.lock(cache.root() / "locks" / self.digest, "the build of this Horovod"):
            wheel = self.cached()
            if wheel is not None:
                say(
                    f"setup: Horovod {sdist.VERSION} for this machine is in the cache ({self.digest})"
                )
                return wheel
            if self.key["compiler"] is None:
                raise host.missing_compiler()
            host.check_space(cache.root(), 10**9, "the build of Horovod")
            with cache.publish(self.folder) as partial:
                self._build(env, mpi, options, partial)
        built = self.cached()
        if built is None:
            raise RuntimeError(
                f"{self.folder}: the wheel was just written there and does not read back"
            )
        return built

    def _build(self, env: Environment, mpi: Mpi, options: Mapping[str, str], folder: Path) -> None:
        """Build into `folder`: the wheel and key.json. What is in its `work` is thrown away."""
        work, tools = folder / "work", folder / "work/tools"
        log = cache.root() / "logs" / f"build-{self.digest}.log"
        Wheelhouse.of(env, "the build tools", BUILD_TOOLS).install(
            env, "the build tools", "--target", tools
        )
        source = sdist.unpack(sdist.fetch(env, tools), work)
        (source / "horovod/ddl_build.json").write_text(json.dumps(self.key))
        environ = _build_environ(env, mpi, options, tools)
        if options.get("HOROVOD_GPU_OPERATIONS") == "NCCL":
            environ |= _nccl_of_wheel(env, work / "nccl")
        say(f"setup:   building Horovod with {host.build_jobs()} compiler(s) at once; log: {log}")
        arguments: list[str | Path] = [
            "wheel",
            "-v",
            "--no-build-isolation",
            "--no-deps",
            "--no-index",
            "--no-cache-dir",
        ]
        command: list[str | Path] = [
            env.python,
            "-m",
            "pip",
            *arguments,
            "-w",
            work / "built",
            source,
        ]
        run_logged("building Horovod", command, log, environ)
        wheel = relocate(
            env, next((work / "built").glob("*.whl")), self.key, mpi, folder, environ, log
        )
        shutil.rmtree(work)
        stored = {"wheel": wheel.name, "sha256": cache.file_sha256(wheel), "key": self.key}
        cache.write_json(folder / "key.json", stored)


def without_compiler(key: Mapping[str, Any]) -> HorovodWheel | None:
    """Return a cached wheel that another node's compiler built for otherwise the same key.

    A compute node without a compiler can so use what the login node put into a shared cache.
    """
    for path in sorted((cache.root() / "wheels").glob("*/key.json")):
        wheel = HorovodWheel(json.loads(path.read_text())["key"])
        if {**wheel.key, "compiler": None} == {**key, "compiler": None} and wheel.cached():
            return wheel
    return None


def _nccl_of_wheel(env: Environment, folder: Path) -> dict[str, str]:
    """Return where the NCCL that came with tensorflow[and-cuda] is, if nothing else was asked for.

    Its wheel has no `libnccl.so`, the name that a linker looks for: `folder` gets one.
    """
    nccl = env.platlib / "nvidia/nccl"
    asked = any(name.startswith("HOROVOD_NCCL_") for name in os.environ)
    if asked or not (nccl / "lib/libnccl.so.2").exists():
        return {}
    folder.mkdir(parents=True)
    (folder / "libnccl.so").symlink_to(nccl / "lib/libnccl.so.2")
    return {"HOROVOD_NCCL_INCLUDE": str(nccl / "include"), "HOROVOD_NCCL_LIB": str(folder)}


def _build_environ(
    env: Environment, mpi: Mpi, options: Mapping[str, str], tools: Path
) -> dict[str, str]:
    """Return the build's environment: our tools first, then the environment's own commands."""
    environ = {**os.environ, **options}
    if mpi.source == "wheel":
        environ["PATH"] = f"{env.scripts}{os.pathsep}{environ.get('PATH', '')}"
    environ.setdefault("MAKEFLAGS", f"-j{host.build_jobs()}")
    environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    return with_tools(environ, tools)
