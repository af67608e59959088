"""Train a generator of pictures against a discriminator.

    horovodrun -np 2 python scripts/train_gan.py \\
        --run-dir runs/gan --data digits --validation-data digits-test \\
        --conditional --critic-steps 2 --generator-average 0.995 --epochs 20

After a stop or a kill, the same command with --resume auto continues. docs/gan.md shows what comes out.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
from ddl.flags import Parser
from ddl.training.plan.fields import SECTIONS
from ddl.training.plan.gan.fields import DEFAULTS, IMPLIED, AdversarialPlan
from ddl.training.train_command import train_from_flags, training_parser


def build_parser() -> Parser:
    """Return a parser with one flag for every field of a plan that a GAN has."""
    return training_parser(
        "train_gan", __doc__, DEFAULTS, IMPLIED, sections=(AdversarialPlan, *SECTIONS)
    )


def main(argv: list[str] | None = None) -> None:
    """Parse, check, train."""
    sys.exit(train_from_flags(build_parser(), argv, DEFAULTS))


if __name__ == "__main__":
    main()
