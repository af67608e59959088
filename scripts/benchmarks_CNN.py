"""Run a command of PyDTNN's CNN benchmarks, of 2020, 1.x or 3.x, as it is.

    mpirun -np 2 python3 -u benchmarks_CNN.py --model=simplecnn --dataset=mnist \\
        --dataset_train_path=../datasets/mnist --dataset_test_path=../datasets/mnist \\
        --batch_size=64 --validation_split=0.2 --num_epochs=10 --optimizer=Adam --learning_rate=0.01 \\
        --loss_func=categorical_accuracy,categorical_cross_entropy --parallel=data --blocking_mpi \\
        --dtype=float32 --evaluate

It says which command of ddl it stands for, and names the flags without effect. Flags of train_cnn.py go behind a
lone --, such as -- --log-every-s 1. docs/pydtnn.md says what becomes of each flag.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
from ddl.config.pydtnn.launcher import launch, launcher_parser
from ddl.flags import Parser


def build_parser() -> Parser:
    """Return a parser of the launcher's own flags."""
    return launcher_parser(__doc__)


def main(argv: list[str] | None = None) -> None:
    """Translate, train, and end as that launcher does."""
    sys.exit(launch(build_parser(), argv))


if __name__ == "__main__":
    main()
