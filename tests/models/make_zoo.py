"""Write the table of the zoo: ddl/models/zoo_numbers.json, and the one in docs/models.md.

python -m tests.models.make_zoo              # builds and counts every model (four minutes)
python -m tests.models.make_zoo --check      # takes a step of each at its own size, too, and loads it in plain Keras
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ddl.models.listing import NUMBERS, Listed, own_size
from ddl.models.zoo import named_models, target_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
BEGIN, END = "<!-- zoo: made by python -m tests.models.make_zoo -->\n", "<!-- end of zoo -->\n"


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args(argv).check
    lines = [count(name) for name in named_models()]
    NUMBERS.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    write_page()
    if check:
        for name in named_models():
            print(check_step(name), flush=True)


def count(name: str) -> str:
    """Return the numbers of a model at its own size, as JSON; the memory is then free again."""
    import keras

    line = json.dumps(numbers(name))
    keras.backend.clear_session()
    print(line, flush=True)
    return line


def numbers(name: str) -> dict[str, Any]:
    """Return the numbers of a model at its own size."""
    from ddl.models.layer_table import total_multiply_adds, trainable_parameters
    from ddl.models.zoo import build_model

    shape, classes = own_size(name)
    model = build_model(name, shape, classes)
    return {
        "name": name,
        "input_shape": list(shape),
        "classes": classes,
        "parameters": model.count_params(),
        "trainable": trainable_parameters(model),
        "multiply_adds": total_multiply_adds(model),
        "target": target_of(name),
    }


def check_step(name: str) -> str:
    """Train a model for a step at its own size, and load it in plain Keras; return a line about it."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "tests.models.zoo_step", name, folder],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        )
    if done.returncode:
        return f"{name}: status {done.returncode}: {done.stderr[-2000:]}"
    return done.stdout.strip()


def write_page() -> None:
    """Put the table into docs/models.md."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}{table()}{END}{after}", encoding="utf-8")


def table() -> str:
    """Return the zoo as a table for docs/models.md, by the numbers that stand in the package."""
    rows = [Listed(**json.loads(line)) for line in NUMBERS.read_text("utf-8").splitlines()]
    lines = [
        "| Model | Input | Classes | Parameters | Trainable | Multiply-adds |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        size = "x".join(map(str, row.input_shape))
        lines.append(
            f"| `{row.name}` | {size} | {row.classes} | {row.parameters:,} | {row.trainable:,} | "
            f"{f'{row.multiply_adds / 1e6:,.1f} M' if row.multiply_adds else 'depend on the size'} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
