"""Two ranks of one thread against one rank of one thread, on a small U-Net at 128x128, side by side.

    python benchmarks/two_ranks.py --pairs 5 --output benchmarks/results/two_ranks.json

Every round runs, in turn, one rank, two ranks with OpenMPI's yield setting as `ddl.distributed.init` chooses it, and
two ranks without it. The ratio of a round compares runs that stood next to each other. Needs two idle cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

SETUPS = {
    "one rank": (1, {}),
    "two ranks, yield": (2, {}),
    "two ranks, no yield": (2, {"OMPI_MCA_mpi_yield_when_idle": "0"}),
}
BATCH, SIZE, STEPS, WARMUP_STEPS = 8, 128, 24, 3


def train() -> None:
    """Train for some steps on this rank, and print global images/s on rank 0."""
    import ddl.distributed as dist

    dist.init()
    import keras
    import numpy as np
    import tensorflow as tf

    from ddl.models.unet import build_unet

    model = build_unet((SIZE, SIZE, 3), width=16, depth=4, norm="batch")
    model.compile(dist.DistributedOptimizer(keras.optimizers.Adam(1e-3)), "binary_crossentropy")
    images = np.random.default_rng(dist.rank()).random((BATCH, SIZE, SIZE, 3), dtype=np.float32)
    masks = (images[..., :1] > 0.5).astype(np.float32)
    options = tf.data.Options()
    options.autotune.enabled = False
    data = tf.data.Dataset.from_tensors((images, masks)).repeat().with_options(options)
    model.fit(data, steps_per_epoch=WARMUP_STEPS, verbose=0)
    dist.barrier()
    start = time.perf_counter()
    model.fit(data, steps_per_epoch=STEPS, verbose=0, initial_epoch=1, epochs=2)
    dist.barrier()
    if dist.is_root():
        rate = STEPS * BATCH * dist.size() / (time.perf_counter() - start)
        sys.stdout.write(f"images_per_s={rate:.2f}\n")


def measure(ranks: int, extra: dict[str, str]) -> float:
    """Return images/s of one launch."""
    mpirun = Path(sys.executable).parent / "mpirun"
    command = [str(mpirun) if mpirun.exists() else "mpirun", "-np", str(ranks), "--bind-to", "none"]
    command += [sys.executable, __file__, "--train"]
    env = os.environ | {"OMP_NUM_THREADS": "1"} | extra
    if os.geteuid() == 0:
        env |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    found = re.search(r"images_per_s=([\d.]+)", done.stdout)
    if done.returncode or not found:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return float(found[1])


def summary(values: list[float]) -> dict[str, float]:
    """Return median and range."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def main() -> None:
    """Run the rounds and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5, help="rounds (default: 5)")
    parser.add_argument("--output", type=Path, help="where the JSON goes (default: only printed)")
    parser.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.train:
        train()
        return
    rates: dict[str, list[float]] = {name: [] for name in SETUPS}
    for number in range(arguments.pairs):
        for name, (ranks, extra) in SETUPS.items():
            rates[name].append(measure(ranks, extra))
            sys.stdout.write(f"round {number + 1}: {name}: {rates[name][-1]:.1f} images/s\n")
            sys.stdout.flush()
    one = rates["one rank"]
    ratios = {
        name: [rate / base for rate, base in zip(values, one, strict=True)]
        for name, values in rates.items()
        if name != "one rank"
    }
    result = {
        "images_per_s": {name: summary(values) for name, values in rates.items()},
        "ratio_to_one_rank": {name: summary(values) for name, values in ratios.items()},
        "facts": {
            "rounds": arguments.pairs,
            "batch_per_rank": BATCH,
            "picture": SIZE,
            "steps": STEPS,
            "cores": len(os.sched_getaffinity(0)),
            "machine": platform.machine(),
            "python": platform.python_version(),
        },
    }
    text = json.dumps(result, indent=2)
    sys.stdout.write(text + "\n")
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
