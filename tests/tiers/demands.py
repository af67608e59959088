"""The full-size demands of `./run_tests.sh --long NAME`, and what each of them takes. Needs nothing but Python.

python3 tests/tiers/demands.py          lists them
python3 tests/tiers/demands.py NAME     checks a name
"""

from __future__ import annotations

import sys

DEMANDS = {
    "kills": "kill a training run 100 times at random moments and resume it each time (15 minutes)",
    "image": "build the container image and train in two containers (10 to 25 minutes, as root)",
    "walk": "walk through docs/walk.md at its full size, with a PostgreSQL server (8 minutes)",
    "zoo": "take a step of every model at its own size and load it in plain Keras (40 minutes)",
    "learns": "train the U-Net of `train_unet.py --help` until its promised Dice (2 minutes)",
    "digits": "train resnet20 by its published recipe on real digits, beside plain Keras (6 minutes)",
    "equations": "train on equations at full size and compare with solvers (10 minutes)",
    "slurm": "train the U-Net on two ranks over the time limits of a real Slurm, and compare bits (70 minutes)",
    "managers": "kill the manager of experiments 100 times at random moments (5 minutes)",
    "diagnosis": "make the 30 runs that the diagnosis is calibrated on, and diagnose them (6 to 20 minutes)",
    "elastic": "kill ten ranks of one elastic training and compare it with one process (5 minutes)",
    "slow_link": "train the U-Net with local steps over a link of 100 Mbit/s, as root (15 minutes)",
    "gan": "train a GAN on real digits for 5 minutes until its samples can be read (8 minutes)",
    "mlperf": "judge the lines of --mlperf-log by MLPerf's own package, which it downloads (10 seconds)",
}


def listing() -> str:
    """Return a line for each demand."""
    return "".join(f"  {name:9} {what}\n" for name, what in DEMANDS.items())


def refusal(name: str) -> str:
    """Return the line about an unknown name, "" about a known one."""
    if name in DEMANDS:
        return ""
    return f"Received: --long {name}. Expected one of: {', '.join(DEMANDS)}."


def main(argv: list[str]) -> int:
    """List the demands, or check a name: status 2 and a line where it is unknown."""
    if not argv:
        sys.stdout.write(listing())
        return 0
    if told := refusal(argv[0]):
        sys.stderr.write(f"run_tests: {told}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
