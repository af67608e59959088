"""Train the U-Net on pictures and masks, or on microscope pictures that it makes itself.

    horovodrun -np 2 python scripts/train_unet.py --run-dir runs/unet --data pictures/ --epochs 50

A bad flag ends with one line and status 2, before anything starts.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ddl.distributed.launcher import placement
from ddl.training.plan import UnetPlan
from ddl.training.unet_data import open_data


def build_parser() -> argparse.ArgumentParser:
    """Return a parser with one flag for every field of the plan."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    helps = dict(_documented_fields())
    for field in dataclasses.fields(UnetPlan):
        required = field.default is dataclasses.MISSING
        kind = Path if required else type(field.default)
        shown = helps[field.name] + ("" if required else f" (default: {field.default})")
        flag = "--" + field.name.replace("_", "-")
        default = None if required else field.default
        parser.add_argument(flag, type=kind, required=required, default=default, help=shown)
    parser.add_argument(
        "--dry-run", action="store_true", help="check and print the plan, then stop"
    )
    return parser


def main(argv: list[str] | None = None) -> None:
    """Parse, check, train."""
    arguments = vars(build_parser().parse_args(argv))
    dry_run = arguments.pop("dry_run")
    is_root = placement().rank == 0
    try:
        plan = UnetPlan(**arguments)
        if is_root:
            plan.check_run_dir()
        # Synthetic pictures take seconds to make and have nothing to check.
        data = None if plan.data == "synthetic" else open_data(plan)
    except ValueError as error:
        sys.stderr.write(f"train_unet: {error}\n" if is_root else "")
        sys.exit(2)
    if dry_run:
        sys.stdout.write(plan.to_json())
        return
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stdout)
    import ddl.distributed as dist

    dist.init()
    from ddl.training.unet import train

    train(plan, data)


def _documented_fields() -> list[tuple[str, str]]:
    lines = (UnetPlan.__doc__ or "").partition("Attributes:")[2].strip().splitlines()
    pairs = [line.strip().partition(": ") for line in lines]
    return [(name, text.rstrip(".")) for name, _, text in pairs]


if __name__ == "__main__":
    main()
