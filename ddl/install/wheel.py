"""Horovod's wheel: what it depends on, where it is cached, and how it is built.

The key holds everything that affects the binary. Checkouts with the same key share one wheel, whatever
folders their environments are in.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ddl.install import cache, host, patches, sdist
from ddl.install.environment import Environment, with_tools
from ddl.install.mpi import Mpi
from ddl.install.problem import Problem
from ddl.install.relocate import relocate
from ddl.install.requirements import BUILD_TOOLS, fetch_wheels
from ddl.install.step_lines import say

_BUILD_OPTION = re.compile(
    r"HOROVOD_(WITH(OUT)?_\w+|GPU|GPU_\w+|CPU_OPERATIONS|CUDA_HOME|ROCM_HOME|NCCL_(HOME|INCLUDE|LIB|LINK)"
    r"|NVTX_INCLUDE|BUILD_\w+|ALLOW_MIXED_GPU_IMPL|DEBUG|CMAKE|LOCAL_VERSION)|(C|CXX|LD)FLAGS|CC|CXX"
)
"""Variables that Horovod's build reads; other HOROVOD_ variables only matter at run time."""

_SIMD_FLAGS = {"avx", "fma", "f16c"}  # Horovod compiles for those of the build machine


def build_options(accelerator: str, mpi: Mpi, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the build's variables: our defaults, overridden by the user's."""
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
    """Return everything that affects the binary; its digest is the cache key."""
    flags = re.search(
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
        "simd": sorted(_SIMD_FLAGS & set(flags[1].split() if flags else ())),
        "mpi": asdict(mpi),
        "compiler": asdict(compiler) if compiler else None,
        "options": dict(options),
        "nccl": {k: v for k, v in env.packages.items() if k.startswith("nvidia-nccl")},
        "cuda": _cuda_version(options) if options.get("HOROVOD_GPU_OPERATIONS") else "",
    }


def _cuda_version(options: Mapping[str, str]) -> str:
    """Return the version line of the CUDA compiler. Raises Problem if there is none."""
    home = options.get("HOROVOD_CUDA_HOME") or os.environ.get("CUDA_HOME") or "/usr/local/cuda"
    nvcc = shutil.which("nvcc") or shutil.which("nvcc", path=f"{home}/bin")
    if nvcc is None:
        raise Problem(
            f"found no CUDA compiler (nvcc) on PATH or in {home}/bin: load the CUDA toolkit "
            "(`module load cuda`), set HOROVOD_CUDA_HOME, or build for CPUs with DDL_ACCELERATOR=cpu."
        )
    return host.first_line(["sh", "-c", f"'{nvcc}' --version | grep release"])


@dataclass(frozen=True)
class HorovodWheel:
    """A Horovod wheel for one key."""

    key: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """The key's digest, 16 hexadecimal digits."""
        return cache.digest(self.key)

    @property
    def folder(self) -> Path:
        """Folder of the wheel in the cache."""
        return cache.root() / "wheels" / self.digest

    def is_installed(self, env: Environment) -> bool:
        """Return whether this build is installed. Without a compiler here, any compiler matches."""
        try:
            installed = json.loads((env.platlib / "horovod/ddl_build.json").read_text())
        except (OSError, ValueError):
            return False
        if self.key["compiler"] is None:
            installed["compiler"] = None
        return "horovod" in env.packages and cache.digest(installed) == self.digest

    def cached(self) -> Path | None:
        """Return the wheel if the cache has an undamaged one."""
        try:
            stored = json.loads((self.folder / "key.json").read_text())
            wheel = self.folder / stored["wheel"]
            return wheel if cache.file_sha256(wheel) == stored["sha256"] else None
        except (OSError, ValueError, KeyError):
            return None

    def obtain(self, env: Environment, mpi: Mpi, options: Mapping[str, str]) -> Path:
        """Return the wheel from the cache, or build it. One process builds, and the others wait for it."""
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
                name = self._build(env, mpi, options, partial)
            return self.folder / name

    def _build(self, env: Environment, mpi: Mpi, options: Mapping[str, str], folder: Path) -> str:
        """Build the wheel and key.json into `folder`, and return the wheel's name; `work` inside is temporary."""
        work, tools = folder / "work", folder / "work/tools"
        log = cache.root() / "logs" / f"build-{self.digest}.log"
        wheels = fetch_wheels(env, "the build tools", BUILD_TOOLS)
        env.pip("installing the build tools", ["install", *wheels, "--target", tools], log)
        source = sdist.unpack(sdist.fetch(env, tools), work)
        (source / "horovod/ddl_build.json").write_text(json.dumps(self.key))
        environ = _build_environ(env, mpi, options, tools)
        if options.get("HOROVOD_GPU_OPERATIONS") == "NCCL":
            environ |= _nccl_of_wheel(env, work / "nccl")
        say(f"setup:   building Horovod with {host.build_jobs()} compiler(s) at once; log: {log}")
        flags = ["-v", "--no-build-isolation", "--no-deps", "--no-index", "--no-cache-dir"]
        arguments: list[str | Path] = ["wheel", *flags, "-w", work / "built", source]
        env.pip("building Horovod", arguments, log, environ)
        built = next((work / "built").glob("*.whl"))
        wheel = relocate(env, built, self.key, mpi, folder, environ, log)
        shutil.rmtree(work)
        stored = {"wheel": wheel.name, "sha256": cache.file_sha256(wheel), "key": self.key}
        cache.write_json(folder / "key.json", stored)
        return wheel.name


def without_compiler(key: Mapping[str, Any]) -> HorovodWheel | None:
    """Return a cached wheel whose key differs only in the compiler.

    With it a compute node without a compiler can use what the login node put into a shared cache.
    """
    for path in sorted((cache.root() / "wheels").glob("*/key.json")):
        wheel = HorovodWheel(json.loads(path.read_text())["key"])
        if {**wheel.key, "compiler": None} == {**key, "compiler": None} and wheel.cached():
            return wheel
    return None


def _nccl_of_wheel(env: Environment, folder: Path) -> dict[str, str]:
    """Return the build variables for the NCCL of tensorflow[and-cuda], unless HOROVOD_NCCL_* names another.

    That wheel has no `libnccl.so`, which the linker looks for: `folder` gets a link of that name.
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
    """Return the build's variables, with our tools first on PATH and then the environment's commands."""
    environ = {**os.environ, **options}
    if mpi.source == "wheel":
        environ["PATH"] = f"{env.scripts}{os.pathsep}{environ.get('PATH', '')}"
    environ.setdefault("MAKEFLAGS", f"-j{host.build_jobs()}")
    return with_tools(environ, tools)
