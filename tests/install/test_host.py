"""Errors about the machine are one line: found, expected, remedy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ddl.install import host, mpi, requirements
from ddl.install.problem import Problem


def make_command(folder: Path, name: str, output: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{output}'\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize("version", [(3, 9), (3, 14), (2, 7)])
def test_unsupported_pythons_are_refused(version):
    with pytest.raises(Problem, match=r"TensorFlow 2\.21 requires 3\.10 to 3\.13: set DDL_PYTHON="):
        host.check_python(version)


@pytest.mark.parametrize("version", [(3, 10), (3, 11), (3, 12), (3, 13)])
def test_supported_pythons_are_accepted(version):
    host.check_python(version)


def test_a_compiler_counts_only_with_make(tmp_path):
    make_command(tmp_path, "c++", "g++ 12.2")
    assert host.find_compiler({"PATH": str(tmp_path)}) is None
    make_command(tmp_path, "make")
    found = host.find_compiler({"PATH": str(tmp_path)})
    assert found == host.Compiler(os.path.realpath(tmp_path / "c++"), "g++ 12.2")


def test_cxx_chooses_the_compiler(tmp_path):
    for name in ("c++", "mine", "make"):
        make_command(tmp_path, name, name)
    found = host.find_compiler({"PATH": str(tmp_path), "CXX": "mine"})
    assert found is not None
    assert found.version == "mine"


def test_the_accelerator_is_set_or_detected(tmp_path):
    assert host.accelerator({}, tmp_path) == "cpu"
    (tmp_path / "driver/nvidia/gpus/0000").mkdir(parents=True)
    assert host.accelerator({}, tmp_path) == "gpu"
    assert host.accelerator({"DDL_ACCELERATOR": "cpu"}, tmp_path) == "cpu"
    with pytest.raises(Problem, match="unknown value DDL_ACCELERATOR=tpu: set it to gpu or cpu"):
        host.accelerator({"DDL_ACCELERATOR": "tpu"}, tmp_path)


def test_too_little_disk_space_is_refused_at_the_start(tmp_path):
    with pytest.raises(Problem, match=r"GB free, but the test needs 1000000000\.0 GB"):
        host.check_space(tmp_path / "not/there/yet", 10**18, "the test")


def test_the_sites_mpi_is_used_when_it_is_complete(tmp_path):
    site = tmp_path / "site"
    make_command(site, "mpirun", "mpirun (Open MPI) 4.1.4")
    assert mpi.choose(tmp_path, False, {"PATH": str(site)}).source == "wheel"
    make_command(site, "mpicxx", "c++ -lmpi")
    found = mpi.choose(tmp_path, False, {"PATH": str(site)})
    assert (found.source, found.version, found.link) == (
        "site",
        "mpirun (Open MPI) 4.1.4",
        "c++ -lmpi",
    )


def test_an_activated_environments_mpi_is_not_the_sites(tmp_path):
    for name in ("mpirun", "mpicxx"):
        make_command(tmp_path / "venv/bin", name)
    (tmp_path / "venv/pyvenv.cfg").touch()
    environ = {"PATH": str(tmp_path / "venv/bin")}
    assert mpi.choose(tmp_path, False, environ).source == "wheel"


def test_an_unreadable_folder_on_path_is_accepted(monkeypatch, tmp_path):
    def refuse(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", refuse)
    assert mpi.site_path(f"{tmp_path}/bin", None) == f"{tmp_path}/bin"


def test_horovod_without_mpi_uses_none(tmp_path):
    assert mpi.choose(tmp_path, False, {"HOROVOD_WITHOUT_MPI": "1"}).source == "none"


def test_requirements_fit_the_accelerator():
    wanted = ["tensorflow==2.21.0", "horovod==0.28.1", "h5py==3.14.0"]
    assert requirements.fit(wanted, "cpu", "x86_64") == ["tensorflow-cpu==2.21.0", "h5py==3.14.0"]
    assert requirements.fit(wanted, "cpu", "aarch64")[0] == "tensorflow==2.21.0"
    assert requirements.fit(wanted, "gpu", "x86_64")[0] == "tensorflow[and-cuda]==2.21.0"


def test_packages_installed_under_another_name_count_as_installed():
    wanted = ["tensorflow-cpu==2.21.0", "PyYAML==6.0.3", "h5py==3.14.0"]
    assert requirements.missing(wanted, ["tensorflow", "pyyaml"]) == ["h5py==3.14.0"]


def test_comments_are_not_requirements(tmp_path):
    (tmp_path / "r.txt").write_text("# why\n\nkeras==3.12.4; python_version < '3.11'  # old\n")
    assert requirements.read(tmp_path / "r.txt") == ["keras==3.12.4; python_version < '3.11'"]
