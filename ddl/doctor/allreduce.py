"""A real all-reduce between two ranks on this machine, started by horovodrun: its result and speed.

horovodrun -np 2 python -m ddl.doctor.allreduce      the command that `check` runs
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from statistics import median
from typing import Any

from ddl.child_process import with_parent

RANKS = 2
TIMEOUT_S = 120
SIZES_BYTES = (4 * 2**10, 2**20, 16 * 2**20)
_REPEATS = 7
_GRACE_S = 10
_RESULT = "ddl-allreduce: "


def check(controller: str) -> dict[str, Any]:
    """Start two ranks with `controller` ("mpi" or "gloo").

    Returns:
        {"mb_per_s": {bytes: MB/s}, "device": ...}, or {"error": reason}.
    """
    horovodrun = Path(sysconfig.get_path("scripts"), "horovodrun")
    if not horovodrun.exists():
        return {"error": f"{horovodrun} is missing"}
    launch = [str(horovodrun), f"--{controller}", "-np", str(RANKS)]
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMPI_MCA_mpi_yield_when_idle": "1"}
    status, output = run_bounded([*launch, sys.executable, "-m", __name__], env, TIMEOUT_S)
    if status is None:
        return {"error": f"no answer within {TIMEOUT_S} s; its output ended with: {_end(output)}"}
    results = [line.split(_RESULT)[1] for line in output.splitlines() if _RESULT in line]
    if status != 0 or not results:
        return {"error": f"exit status {status}; its output ended with: {_end(output)}"}
    result: dict[str, Any]
    result, _ = json.JSONDecoder().raw_decode(results[-1])  # two ranks may share a line
    return result


def run_bounded(
    command: list[str], env: dict[str, str], timeout_s: float
) -> tuple[int | None, str]:
    """Run a command and its children for at most `timeout_s`. A status of None means that it timed out.

    They end with this process: also after Ctrl-C, SIGTERM or `kill -9`.
    """
    with subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=with_parent(signal.SIGTERM),  # a launcher passes it on to its ranks
    ) as process:
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return None, _end_group(process)
        except BaseException:  # Ctrl-C does not reach them: they have a session of their own
            _end_group(process)
            raise
        return process.returncode, output


def _end_group(process: subprocess.Popen[str]) -> str:
    """End a command and its children, and return their output."""
    os.killpg(process.pid, signal.SIGTERM)  # horovodrun forwards it to ranks in other sessions
    try:
        return process.communicate(timeout=_GRACE_S)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()[0]


def _end(output: str) -> str:
    """Return the last few lines, joined into one."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return " / ".join(lines[-4:]) or "nothing"


def main() -> None:
    """Reduce known numbers of each size, check the sums, and print the speeds. All ranks must call it."""
    import horovod.tensorflow as hvd
    import tensorflow as tf

    hvd.init()
    gpus = tf.config.list_physical_devices("GPU")
    on_gpu = bool(hvd.nccl_built()) and len(gpus) >= hvd.local_size()
    tf.config.set_visible_devices([gpus[hvd.local_rank()]] if on_gpu else [], "GPU")
    speeds = {}
    with tf.device("GPU:0" if on_gpu else "CPU:0"):
        for size_bytes in SIZES_BYTES:
            numbers = tf.range(size_bytes // 4, dtype=tf.float32) % 97.0
            mine = numbers * float(hvd.rank() + 1)
            expected = numbers * float(hvd.size() * (hvd.size() + 1) // 2)
            taken_s = []
            for _ in range(_REPEATS):
                start_s = time.perf_counter()
                total = hvd.allreduce(mine, op=hvd.Sum, name=f"doctor.{size_bytes}").numpy()
                taken_s.append(time.perf_counter() - start_s)
            if (total != expected.numpy()).any():
                raise ValueError(
                    f"rank {hvd.rank()}: the sum of {size_bytes} bytes over {hvd.size()} ranks is wrong"
                )
            speeds[str(size_bytes)] = round(size_bytes / median(taken_s) / 1e6, 1)
    if hvd.rank() == 0:
        result = {"mb_per_s": speeds, "device": "GPU" if on_gpu else "CPU"}
        print(_RESULT + json.dumps(result), flush=True)
    hvd.shutdown()


def named_size(size_bytes: int) -> str:
    """Return "4 B", "16 KiB", "64 MiB"."""
    for unit, number in (("MiB", 2**20), ("KiB", 2**10)):
        if size_bytes >= number:
            return f"{size_bytes / number:.3g} {unit}"
    return f"{size_bytes} B"


if __name__ == "__main__":
    main()
