"""Reads 320 slices of a large array through the pipeline of a training, then prints the peak of memory in MiB.

python -m tests.data.large_slices x.h5
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from ddl.data.batches import pipeline
from ddl.data.inputs_and_targets import MaskSamples
from ddl.data.order import SampleOrder
from ddl.data.slicing.slicer import parse_slicers
from ddl.data.sources.slices import open_slices


def main() -> None:
    """Take 160 steps of two slices."""
    source = open_slices(Path(sys.argv[1]), parse_slicers(["sizes=32,256,256"]))
    order = SampleOrder("global", len(source), per_rank_batch_size=2, size=1, seed=0)
    with pipeline.training_batches(MaskSamples(source), order=order, rank=0, threads=2) as batches:
        read = sum(images.shape[0] for images, _ in batches.dataset.take(160))
    # Unlike ru_maxrss, this does not begin with the peak of the process that started this one.
    (peak_kib,) = re.findall(
        r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE
    )
    peak = int(peak_kib) // 1024
    sys.stdout.write(f"{len(source)} {read} {peak}\n")


if __name__ == "__main__":
    main()
