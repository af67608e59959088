"""Install ddl's requirements and a Horovod built for them.

./setup.sh                                   into the checkout's .venv
python -m ddl.install                        into the environment of this `python`
python -m ddl.install --keep-installed       the same, without changing any installed package
"""

from __future__ import annotations

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)

# isort: split
import argparse
import errno
import sys
from pathlib import Path

from ddl.install import setup
from ddl.install.host import check_python
from ddl.install.problem import Failure, disk_full
from ddl.install.step_lines import say


def build_parser() -> argparse.ArgumentParser:
    """Return the command's flags."""
    parser = argparse.ArgumentParser(
        prog="python -m ddl.install",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--venv", type=Path, help="virtual environment to create or update")
    parser.add_argument(
        "--keep-installed",
        action="store_true",
        help="do not change installed packages, such as a cluster module's TensorFlow",
    )
    parser.add_argument("--dev", action="store_true", help="also install what ./run_tests.sh needs")
    parser.add_argument(
        "--extras",
        action="store_true",
        help="also install what exports, their backends and SQL scoring need",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    flags = vars(build_parser().parse_args(argv))
    try:
        check_python()
        setup.run(flags.pop("venv"), **flags)
    except KeyboardInterrupt:
        say("setup: interrupted; run it again to continue")
        return 130
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return _fail(disk_full(Path(error.filename or ".")))
    except Failure as failure:
        return _fail(failure)
    return 0


def _fail(failure: Failure) -> int:
    print(f"setup: {failure}", file=sys.stderr, flush=True)
    return failure.exit_status


if __name__ == "__main__":
    sys.exit(main())
