"""Train the network of a prototxt file on rows of text, with the command of dolphin-dnn as it is.

    python scripts/run_neuralnet.py -local true -maxIter 20 \\
        -conf examples/prototxt/mnist.prototxt -input rows.txt -timeout 800000

Under a launcher, a file with parameter_provider "groupcomm" trains on its ranks; "parameterserver" trains
asynchronously on Ray. Flags of ddl, with two dashes, go beside, such as --log-every-s 1. docs/prototxt.md says what
becomes of each flag.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
from ddl.config.neuralnet.command import launch, neuralnet_parser
from ddl.flags import Parser


def build_parser() -> Parser:
    """Return a parser of ddl's own flags."""
    return neuralnet_parser(__doc__)


def main(argv: list[str] | None = None) -> None:
    """Read the prototxt, and train."""
    sys.exit(launch(build_parser(), argv))


if __name__ == "__main__":
    main()
