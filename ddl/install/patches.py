"""What is changed in Horovod's published source, each change with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ddl.install.problem import Failure


@dataclass(frozen=True)
class Patch:
    """One replacement in one file; `old` must stand there exactly once."""

    reason: str
    file: str
    old: str
    new: str

    def facts(self) -> dict[str, str]:
        """Return what it changes, for the wheel's key; the reason may be reworded."""
        return {"file": self.file, "old": self.old, "new": self.new}


PATCHES = (
    Patch(
        reason="xla_mpi_ops.cc includes XLA headers that TensorFlow 2.16 and later moved or do not "
        "ship. It only serves HOROVOD_ENABLE_XLA_OPS=1, which ddl does not use.",
        file="horovod/tensorflow/CMakeLists.txt",
        old='list(APPEND TF_SOURCES "${PROJECT_SOURCE_DIR}/horovod/tensorflow/xla_mpi_ops.cc")\n',
        new="",
    ),
    Patch(
        reason="distutils left the standard library in Python 3.12; horovodrun imports this module.",
        file="horovod/runner/js_run.py",
        old="from distutils.spawn import find_executable\n",
        new="from shutil import which as find_executable\n",
    ),
    Patch(
        reason="horovodrun calls `mpirun` and `python` from PATH: called as .venv/bin/horovodrun, "
        "without activating, it must find the ones beside itself.",
        file="horovod/runner/launch.py",
        old="def run_commandline():\n",
        new="def run_commandline():\n"
        "    beside = os.path.dirname(sys.executable)\n"
        "    if beside not in os.environ.get('PATH', '').split(os.pathsep):\n"
        "        os.environ['PATH'] = beside + os.pathsep + os.environ.get('PATH', os.defpath)\n",
    ),
    Patch(
        reason="Under Gloo the list of ranks keeps length 0 (reserve does not resize), so that the stall "
        "check finds nobody missing: a rank that others wait for is neither named nor ends the job.",
        file="horovod/common/gloo/gloo_controller.cc",
        old="  global_ranks_.reserve(size_);\n",
        new="  global_ranks_.resize(size_);\n",
    ),
    Patch(
        reason="To learn how Horovod was built, horovodrun loads TensorFlow in a child and means to mute it; "
        "TensorFlow's C++ messages pass Python's sys.stderr by and fill the user's screen.",
        file="horovod/common/util.py",
        old="            sys.stderr = open(os.devnull, 'w')\n",
        new="            sys.stderr = open(os.devnull, 'w')\n"
        "            os.dup2(sys.stderr.fileno(), 2)\n",
    ),
)


class PatchMismatch(Failure):
    """The source is not the one that the patches were written for."""


def apply(source: Path, patches: tuple[Patch, ...] = PATCHES) -> None:
    """Change the unpacked source; refuse one in which a patch's text does not stand exactly once."""
    for patch in patches:
        path = source / patch.file
        text = path.read_text() if path.exists() else ""
        if text.count(patch.old) != 1:
            raise PatchMismatch(
                f"{path}: expected this text once, found it {text.count(patch.old)} times: "
                f"{patch.old!r}. Another Horovod release needs its own ddl/install/patches.py."
            )
        path.write_text(text.replace(patch.old, patch.new))
