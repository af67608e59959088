"""The patches to Horovod's published source, each with its reason.

The wheel's key covers `file`, `old` and `new`: editing one of them, even a comment, rebuilds Horovod."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ddl.install.problem import Failure


@dataclass(frozen=True)
class Patch:
    """One replacement in one file; `old` must occur there exactly once."""

    reason: str
    file: str
    old: str
    new: str

    def facts(self) -> dict[str, str]:
        """Return what the patch changes, for the wheel's key. The reason does not count."""
        return {"file": self.file, "old": self.old, "new": self.new}


_WAKES = "Adding a tensor wakes the background thread that waits for one."

PATCHES = (
    Patch(
        reason="xla_mpi_ops.cc includes XLA headers that TensorFlow 2.16 and later moved or do not "
        "ship. It is only needed for HOROVOD_ENABLE_XLA_OPS=1, which ddl does not use.",
        file="horovod/tensorflow/CMakeLists.txt",
        old='list(APPEND TF_SOURCES "${PROJECT_SOURCE_DIR}/horovod/tensorflow/xla_mpi_ops.cc")\n',
        new="",
    ),
    Patch(
        reason="Python 3.12 removed distutils, which this module of horovodrun imports.",
        file="horovod/runner/js_run.py",
        old="from distutils.spawn import find_executable\n",
        new="from shutil import which as find_executable\n",
    ),
    Patch(
        reason="horovodrun looks for `mpirun` and `python` on PATH. Called as .venv/bin/horovodrun without "
        "activation, it must find those in its own folder.",
        file="horovod/runner/launch.py",
        old="def run_commandline():\n",
        new="def run_commandline():\n"
        "    beside = os.path.dirname(sys.executable)\n"
        "    if beside not in os.environ.get('PATH', '').split(os.pathsep):\n"
        "        os.environ['PATH'] = beside + os.pathsep + os.environ.get('PATH', os.defpath)\n",
    ),
    Patch(
        reason="Under Gloo the list of ranks stays empty (reserve does not resize), so the stall check never "
        "finds a missing rank: a stalled rank is neither named nor ends the job.",
        file="horovod/common/gloo/gloo_controller.cc",
        old="  global_ranks_.reserve(size_);\n",
        new="  global_ranks_.resize(size_);\n",
    ),
    Patch(
        reason="To find out how Horovod was built, horovodrun imports TensorFlow in a child with sys.stderr muted. "
        "TensorFlow's C++ messages bypass sys.stderr and fill the terminal.",
        file="horovod/common/util.py",
        old="            sys.stderr = open(os.devnull, 'w')\n",
        new="            sys.stderr = open(os.devnull, 'w')\n"
        "            os.dup2(sys.stderr.fileno(), 2)\n",
    ),
    Patch(
        reason="To find out how Horovod was built, horovodrun imports TensorFlow's Python package, which takes 3 s. "
        "Horovod's library needs only TensorFlow's shared libraries to answer.",
        file="horovod/common/util.py",
        old="def _check_extension_lambda(ext_base_name, fn, fn_desc, verbose):\n",
        new="""def _library_alone(ext_base_name, fn_desc):
    \"\"\"Return what can say how TensorFlow's extension was built, or None where it takes more than the library.\"\"\"
    import ctypes
    import importlib.util

    if ext_base_name != 'tensorflow' or not fn_desc.startswith('built with'):
        return None
    spec = importlib.util.find_spec('tensorflow')
    folder = os.path.dirname(spec.origin) if spec is not None else ''
    needed = [os.path.join(folder, 'libtensorflow_%s.so.2' % part) for part in ('framework', 'cc')]
    if not all(os.path.exists(path) for path in needed):
        return None
    from horovod.common.basics import HorovodBasics
    beside = os.path.join(os.path.dirname(os.path.dirname(__file__)), ext_base_name, '__init__.py')
    try:
        for path in needed:
            ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
        return HorovodBasics(beside, 'mpi_lib')
    except (OSError, AttributeError, ImportError):
        return None


def _check_extension_lambda(ext_base_name, fn, fn_desc, verbose):
""",
    ),
    Patch(
        reason="As above: import the Python package only if the shared libraries are not enough.",
        file="horovod/common/util.py",
        old="            ext = importlib.import_module('.' + ext_base_name, 'horovod')\n",
        new="            ext = _library_alone(ext_base_name, fn_desc)\n"
        "            if ext is None:\n"
        "                ext = importlib.import_module('.' + ext_base_name, 'horovod')\n",
    ),
    # The build: its time is what a first setup waits for.
    Patch(
        reason="Gloo is compiled twice: once for C++14, which nothing links here, and once for TensorFlow's C++17.",
        file="CMakeLists.txt",
        old="    add_subdirectory(third_party/gloo)\n",
        new="    add_subdirectory(third_party/gloo EXCLUDE_FROM_ALL)\n",
    ),
    Patch(
        reason="Gloo's 38 small files all include the same headers: ten at a time, the compiler reads them once.",
        file="CMakeLists.txt",
        old="    add_subdirectory(third_party/compatible17_gloo)\n",
        new="    add_subdirectory(third_party/compatible17_gloo)\n"
        "    set_target_properties(compatible17_gloo PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 10)\n"
        "    set_source_files_properties(  # a name of its own is that of a class elsewhere\n"
        "        ${PROJECT_SOURCE_DIR}/third_party/compatible17_gloo/gloo/allreduce.cc\n"
        "        TARGET_DIRECTORY compatible17_gloo PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)\n",
    ),
    Patch(
        reason="Debug information costs a quarter of the compiler's time and nine tenths of the wheel's size. "
        "HOROVOD_DEBUG=1 still builds with it.",
        file="CMakeLists.txt",
        old="# Add architecture specific optimization flags\n",
        new='string(REPLACE "-g" "" CMAKE_CXX_FLAGS_RELWITHDEBINFO "${CMAKE_CXX_FLAGS_RELWITHDEBINFO}")\n\n'
        "# Add architecture specific optimization flags\n",
    ),
    Patch(
        reason="mpi_ops.cc includes TensorFlow's headers and takes longest by far: make must not start it last. The "
        "other files share their headers, as Gloo's do; with CUDA or ROCm that is untested, so it is left out.",
        file="horovod/tensorflow/CMakeLists.txt",
        old="add_library(${TF_TARGET_LIB} SHARED ${SOURCES} ${TF_SOURCES})\n",
        new="add_library(${TF_TARGET_LIB} SHARED ${TF_SOURCES} ${SOURCES})\n"
        "if(NOT HAVE_CUDA AND NOT HAVE_ROCM)\n"
        "    set_source_files_properties(${TF_SOURCES} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)\n"
        "    set_target_properties(${TF_TARGET_LIB} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)\n"
        "endif()\n",
    ),
    Patch(
        reason="The stall check counts the time in which all ranks were stopped (Ctrl-Z, a suspended Slurm job), and "
        "then blames one of them. Without a stop, checks are at most a cycle late.",
        file="horovod/common/stall_inspector.cc",
        old="bool StallInspector::ShouldPerformCheck() {\n",
        new="bool StallInspector::ShouldPerformCheck() {\n"
        "  const std::chrono::steady_clock::time_point never, now = std::chrono::steady_clock::now();\n"
        "  const auto late =\n"
        "      now - last_stall_check - std::chrono::seconds(stall_warning_time_seconds);\n"
        "  if (last_stall_check != never && late > std::chrono::seconds(2)) {\n"
        "    last_stall_check += late;\n"
        "    for (auto& entry : cached_tensor_table) {\n"
        "      entry.second = std::min(now, entry.second + late);\n"
        "    }\n"
        "    for (auto& entry : uncached_tensor_table) {\n"
        "      auto& start = std::get<1>(entry.second);\n"
        "      start = std::min(now, start + late);\n"
        "    }\n"
        "  }\n",
    ),
    Patch(
        reason="As above: std::min needs its header, which other headers include only by chance.",
        file="horovod/common/stall_inspector.cc",
        old="#include <map>\n",
        new="#include <algorithm>\n#include <map>\n",
    ),
    Patch(
        reason="A rank that traces its first step keeps the others waiting, which is no reason for a warning with a "
        "path of the build machine and tensor names.",
        file="horovod/common/stall_inspector.cc",
        old="      LOG(WARNING) << message.str();\n",
        new="      LOG(INFO) << message.str();\n",
    ),
    Patch(
        reason="As above: before the job ends, ddl names the late rank and its line of code.",
        file="horovod/common/stall_inspector.cc",
        old="      LOG(ERROR) << message.str();\n",
        new="      LOG(INFO) << message.str();\n",
    ),
    Patch(
        reason="horovodrun --gloo turns every exit status of a rank into 1, and shows a traceback of its own below the "
        "message of the rank that failed. 75 asks for a restart, 2 says that the input is bad.",
        file="horovod/runner/gloo_run.py",
        old="    for name, value in sorted(res.items(), key=lambda item: item[1][1]):\n"
        "        exit_code, timestamp = value\n"
        "        if exit_code != 0:\n"
        "            raise RuntimeError(",
        new="    for name, value in sorted(res.items(), key=lambda item: item[1][1]):\n"
        "        exit_code, timestamp = value\n"
        "        if exit_code != 0:\n"
        "            raise RankFailed(name, exit_code,\n"
        "                               ",
    ),
    Patch(
        reason="As above: the error keeps rank and exit status for horovodrun.",
        file="horovod/runner/gloo_run.py",
        old="def _pad_rank(rank, size):\n",
        new="""class RankFailed(RuntimeError):
    def __init__(self, rank, exit_code, message):
        super().__init__(message)
        self.exit_code = exit_code
        how = 'ended with status %s' % exit_code
        if exit_code - 128 in set(signal.Signals):
            how = 'was killed by %s' % signal.Signals(exit_code - 128).name
        self.line = 'horovodrun: rank %s %s, which ended the job.' % (rank, how)


def _pad_rank(rank, size):
""",
    ),
    Patch(
        reason="As above: horovodrun ends with the status of the first rank that failed, and one line.",
        file="horovod/runner/launch.py",
        old="    _run(args)\n\n\nif __name__",
        new="    from horovod.runner.gloo_run import RankFailed\n"
        "    try:\n"
        "        _run(args)\n"
        "    except RankFailed as failed:\n"
        "        print(failed.line, file=sys.stderr, flush=True)\n"
        "        sys.exit(failed.exit_code)\n\n\nif __name__",
    ),
    # The patches below belong together: docs/decisions/0007-horovod-sleeps-until-there-is-work.md.
    Patch(
        reason=_WAKES,
        file="horovod/common/tensor_queue.h",
        old="#include <iostream>\n#include <mutex>\n",
        new="#include <chrono>\n#include <condition_variable>\n#include <iostream>\n#include <mutex>\n",
    ),
    Patch(
        reason=_WAKES,
        file="horovod/common/tensor_queue.h",
        old="  void FinalizeTensorQueue(const Status& status);\n",
        new="  // Returns at once where tensors are outstanding, else when one is added or the time is over.\n"
        "  void AwaitTensor(std::chrono::milliseconds longest) {\n"
        "    std::unique_lock<std::mutex> lock(mutex_);\n"
        "    added_.wait_for(lock, longest, [this] { return !tensor_table_.empty(); });\n"
        "  }\n\n"
        "  void FinalizeTensorQueue(const Status& status);\n",
    ),
    Patch(
        reason=_WAKES,
        file="horovod/common/tensor_queue.h",
        old="  mutable std::mutex mutex_;\n",
        new="  mutable std::mutex mutex_;\n\n  std::condition_variable added_;\n",
    ),
    Patch(
        reason=_WAKES,
        file="horovod/common/tensor_queue.cc",
        old="  message_queue_.push(std::move(message));\n  return Status::OK();\n",
        new="  message_queue_.push(std::move(message));\n  added_.notify_one();\n  return Status::OK();\n",
    ),
    Patch(
        reason=_WAKES,
        file="horovod/common/tensor_queue.cc",
        old="    message_queue_.push(std::move(messages[i]));\n  }\n",
        new="    message_queue_.push(std::move(messages[i]));\n  }\n  added_.notify_one();\n",
    ),
    Patch(
        reason="Horovod's thread asks all ranks in every cycle whether a tensor is ready, even when this rank has "
        "nothing to reduce. On a fully loaded machine that takes 5% of each core.",
        file="horovod/common/operations.cc",
        old="    std::this_thread::sleep_for(sleep_duration);\n  }\n  state.last_cycle_start",
        new="    std::this_thread::sleep_for(sleep_duration);\n  }\n"
        "  // While this rank has nothing outstanding, no reduction can be complete: the others wait for what it\n"
        "  // has yet to submit.\n"
        "  static const std::chrono::milliseconds longest_idle(\n"
        '      GetIntEnvOrDefault("HOROVOD_IDLE_TIME", 0));\n'
        "  if (longest_idle.count() > 0 && !state.shut_down &&\n"
        "      !state.parameter_manager.IsAutoTuning() &&\n"
        "      state.process_set_table.Ids().size() == 1) {\n"
        "    state.process_set_table.Get(0).tensor_queue.AwaitTensor(longest_idle);\n"
        "  }\n"
        "  state.last_cycle_start",
    ),
)


def apply(source: Path, patches: tuple[Patch, ...] = PATCHES) -> None:
    """Patch the unpacked source. Raises Failure unless each patch's text occurs exactly once."""
    for patch in patches:
        path = source / patch.file
        text = path.read_text() if path.exists() else ""
        if text.count(patch.old) != 1:
            raise Failure(
                f"{path}: expected this text once, found it {text.count(patch.old)} times: "
                f"{patch.old!r}. A different Horovod release needs new patches in ddl/install/patches.py."
            )
        path.write_text(text.replace(patch.old, patch.new))
