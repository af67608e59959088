"""Fits a line by gradient descent: any program that prints its values can be an experiment.

    python3 examples/experiments/fit_line.py --rate 0.1 --out /tmp/line

It prints `epoch 1 loss 0.52` lines, writes line.csv, and on SIGTERM ends after the epoch.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

import numpy as np

STOPPED = 75
"""The status that says: stopped before the end, start me again."""


def main() -> int:
    """Fit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--noise", type=float, default=0.1)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds to sleep in each epoch")
    parser.add_argument("--out", type=Path, required=True)
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))

    random = np.random.default_rng(7)
    x = random.uniform(-1, 1, 200)
    y = 2 * x + 1 + flags.noise * random.normal(size=200)
    slope = offset = 0.0
    for epoch in range(1, flags.epochs + 1):
        error = slope * x + offset - y
        slope -= flags.rate * 2 * float(np.mean(error * x))
        offset -= flags.rate * 2 * float(np.mean(error))
        print(f"epoch {epoch} loss {float(np.mean(error**2)):.6f}", flush=True)
        time.sleep(flags.pause)
        if stop:
            return STOPPED
    (flags.out / "line.csv").write_text(f"slope,offset\n{slope},{offset}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
