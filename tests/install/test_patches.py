"""A patch replaces exactly the text it was written for, or setup stops."""

from __future__ import annotations

import subprocess
import sys
import tarfile

import pytest

from ddl.install import patches, sdist
from ddl.install.patches import PATCHES, Patch
from ddl.install.problem import Failure
from tests.launch import require


def make_source(folder, text="before\nold line\nafter\n"):
    (folder / "file.py").write_text(text)
    return folder


LINE = (Patch(reason="a test", file="file.py", old="old line\n", new="new line\n"),)


def test_a_patch_replaces_its_text(tmp_path):
    patches.apply(make_source(tmp_path), LINE)
    assert (tmp_path / "file.py").read_text() == "before\nnew line\nafter\n"


@pytest.mark.parametrize("text", ["something else\n", "old line\nold line\n"])
def test_a_source_that_differs_is_refused(tmp_path, text):
    with pytest.raises(Failure, match=r"expected this text once, found it \d times"):
        patches.apply(make_source(tmp_path, text), LINE)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(Failure, match=r"file\.py"):
        patches.apply(tmp_path, LINE)


def test_every_patch_has_a_reason_and_changes_something():
    assert all(len(patch.reason) > 40 and patch.old != patch.new for patch in PATCHES)


def test_rewording_a_reason_does_not_change_the_key():
    assert all("reason" not in patch.facts() for patch in PATCHES)


def test_an_archive_with_another_checksum_is_refused(tmp_path):
    archive = tmp_path / "horovod.tar.gz"
    archive.write_bytes(b"not what was published")
    with pytest.raises(Failure, match="remove the file"):
        sdist.check(archive)


def new_lines(file):
    """Return the CMake lines that the patches add to a file."""
    texts = [patch.new for patch in PATCHES if patch.file == file]
    return "".join(texts).splitlines()


def test_gloo_is_compiled_once_and_in_few_parts():
    """The C++14 one is built only if something links it; nothing does."""
    lines = [line.strip() for line in new_lines("CMakeLists.txt")]
    assert "add_subdirectory(third_party/gloo EXCLUDE_FROM_ALL)" in lines
    assert any(
        line.startswith("set_target_properties(compatible17_gloo PROPERTIES UNITY_BUILD ON")
        for line in lines
    )


def test_the_slowest_file_of_the_build_starts_first_and_alone():
    lines = [line.strip() for line in new_lines("horovod/tensorflow/CMakeLists.txt")]
    assert "add_library(${TF_TARGET_LIB} SHARED ${TF_SOURCES} ${SOURCES})" in lines
    assert (
        "set_source_files_properties(${TF_SOURCES} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)"
        in lines
    )


def test_horovodrun_finds_out_how_horovod_was_built_without_tensorflows_python():
    require("horovodrun-mpi")
    asked = (
        "import sys; sys.modules['tensorflow.python'] = None\n"  # importing it is an error
        "from horovod.common.util import gloo_built, mpi_built, nccl_built\n"
        "print(mpi_built(), gloo_built(), nccl_built() in (True, False))"
    )
    found = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    )
    assert found.stdout == "True True True\n"


def test_unpack_patches_the_source(tmp_path):
    source = tmp_path / f"horovod-{sdist.VERSION}"
    olds, news = (
        {
            file: "first\n"
            + "between\n".join(getattr(patch, part) for patch in PATCHES if patch.file == file)
            for file in {patch.file for patch in PATCHES}
        }
        for part in ("old", "new")
    )
    for file, text in olds.items():
        path = source / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    archive = tmp_path / "fake.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(source, source.name)
    unpacked = sdist.unpack(archive, tmp_path / "unpacked")
    assert {file: (unpacked / file).read_text() for file in news} == news


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (75, "horovodrun: rank 3 ended with status 75, which ended the job.\n"),
        (137, "horovodrun: rank 3 was killed by SIGKILL, which ended the job.\n"),
        (255, "horovodrun: rank 3 ended with status 255, which ended the job.\n"),
    ],
)
def test_horovodrun_ends_with_the_status_of_the_rank_and_without_a_traceback(status, line):
    require("horovodrun-gloo")
    program = (
        "import sys\n"
        "from horovod.runner import gloo_run, launch\n"
        f"def fail(args): raise gloo_run.RankFailed(3, {status}, 'rank 3 failed')\n"
        "launch.parse_args, launch._run = lambda: type('Args', (), {'log_level': None}), fail\n"
        "launch.run_commandline()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (status, line)
