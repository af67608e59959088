"""Rows of text as samples: columns, shapes, splits, and errors that name the line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.data.sources import open_source, parse_source_options, splits_of
from ddl.data.sources.delimited_text.line_format import LineFormat
from ddl.data.sources.delimited_text.whole_numbers import whole_numbers
from ddl.training.data.training_data import open_data
from ddl.training.plan.plan import Plan

ROWS = "# licence\n\n1,2,3,4,5,6,0,0\n  7,8,9,10,11,12,1,0\n# between\n\n-1,.5,1e1,0,0,0,2,1.0\n"


def written(folder: Path, text: str = ROWS, name: str = "rows.txt") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def refusal(path: Path, **options: object) -> str:
    with pytest.raises(ValueError, match="Received: ") as caught:
        open_source(path, "delimited", **options)
    return str(caught.value)


def test_values_stay_as_they_are(tmp_path: Path) -> None:
    source = open_source(written(tmp_path))
    batch = source.read([2, 0])
    assert batch["image"].dtype == np.float32
    assert batch["image"].tolist() == [[-1, 0.5, 10, 0, 0, 0], [1, 2, 3, 4, 5, 6]]
    assert batch["label"].tolist() == [2, 0]
    assert [source.name_of(row) for row in range(3)] == [f"rows.txt line {n}" for n in (3, 4, 7)]


def test_the_file_has_channels_first_and_the_source_last(tmp_path: Path) -> None:
    path = written(tmp_path)
    stored = np.arange(1, 7)
    picture = open_source(path, shape=(2, 3, 1)).read([0])["image"][0]
    assert np.array_equal(picture, np.moveaxis(stored.reshape(2, 3, 1), 0, -1))
    grey = open_source(path, shape=(2, 3)).read([0])["image"][0]
    assert np.array_equal(grey, stored.reshape(2, 3, 1))


def test_the_flag_makes_splits(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert splits_of(path) == ("train", "validation")
    assert len(open_source(path)) == 3
    assert open_source(path, split="train").read([0, 1])["label"].tolist() == [0, 1]
    assert open_source(path, split="validation").read([0])["label"].tolist() == [2]
    assert "flag for validation in column 8 (1 of 3 rows)" in open_source(path).describe()


def test_rows_without_a_flag_have_their_label_last(tmp_path: Path) -> None:
    path = written(tmp_path, "1,2,7\n3,4,1\n")
    assert splits_of(path, {"flag": "none"}) == ()
    source = open_source(path, flag="none")
    assert source.read([0])["label"].tolist() == [7]
    assert source.read([0])["image"].tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("delimiter", "row"),
    [
        (";", "1;2 ; 3;0"),
        (r"\s+", "1 2\t 3   0"),
        (r"\|", "1|2|3|0"),
        ("|", "1|2|3|0"),
        (r"\t", "1\t2\t3\t0"),
        (r"\s*[;,]\s*", "1 ;2, 3;0"),
        (",", "1,2,3,0,,"),
    ],
)
def test_a_delimiter_is_a_character_or_a_regular_expression(
    tmp_path: Path, delimiter: str, row: str
) -> None:
    path = written(tmp_path, f"{row}\r\n{row}\n")
    options = parse_source_options(path, [f"delimiter={delimiter}"])
    assert open_source(path, **options).read([1])["image"].tolist() == [[1, 2]]


def test_targets_are_columns_by_number_or_name(tmp_path: Path) -> None:
    path = written(tmp_path, "age,height,weight\n1,2,3\n4,5,6\n", "people.csv")
    how = {"header": True, "flag": "none"}
    by_name = open_source(path, target=("weight", "age"), **how).read([1])
    assert by_name["values"].tolist() == [[6, 4]]
    assert by_name["image"].tolist() == [[5]]
    by_number = open_source(path, target=("-1",), **how).read([0])
    assert by_number["values"].tolist() == [[3]]


def test_a_plan_trains_on_values(tmp_path: Path) -> None:
    path = written(tmp_path, "".join(f"{n},{2 * n},{n % 5 == 0:d}\n" for n in range(20)))
    layers = '[{"class_name":"Dense","config":{"units":1}}]'
    plan = Plan(
        run_dir=tmp_path / "run",
        data=str(path),
        data_option={"target": ("2",)},
        model="network",
        model_option={"layers": layers_of(layers)},
        targets="values",
        loss="mse",
        metric=("mae",),
        per_rank_batch_size=4,
    )
    data = open_data(plan)
    assert data.counts == (16, 4)
    assert data.training.read([0])["values"].tolist() == [[2]]


def layers_of(text: str) -> str:
    start = '{"class_name":"InputLayer","config":{"batch_shape":[null,1],"name":"in"}},'
    return f'{{"class_name":"Sequential","config":{{"name":"s","layers":[{start}{text[1:-1]}]}}}}'


BAD = [
    ("1,2,0,0\n1,2,0\n", {}, "line 2 with 3 values", "Expected: 4"),
    ("1,2,0,0\n1,2,0,0,7\n", {}, "line 2 with 5 values", "Expected: 4"),
    ("1,2,0,0\n\n# x\n1,abc,0,0\n", {}, "line 4, whose value 2 is 'abc'", "finite number"),
    ("1,2,0,0\n1,,0,0\n", {}, "line 2, whose value 2 is empty", "finite number"),
    ("1,2,0,0\n1,nan,0,0\n", {}, "line 2, whose value 2 is 'nan'", "finite number"),
    ("1,2,0,0\n1,1e999,0,0\n", {}, "line 2, whose value 2 is 1e999", "float32"),
    ("1,2,0,0\n1,2,0.5,0\n", {}, "line 2, whose label (value 3) is 0.5", "whole number"),
    ("1,2,0,0\n1,2,0,7\n", {}, "line 2, whose flag for validation (value 4) is 7", "flag=none"),
    ("a,b,c,d\n1,2,0,0\n", {}, "line 1, whose value 1 is 'a'", "header=true"),
    ("1;2;0;0\n", {}, "line 1, whose value 1 is '1;2;0;0'", "delimiter="),
    ("# nothing\n\n", {}, "which has no rows", "a sample in each line"),
    ("1,2,0,0\n", {"shape": (3, 3)}, "2 values for each input", "Expected: 9"),
    ("1,2,0,0\n", {"shape": (0, 2)}, "shape=0,2", "channels,height,width"),
    ("1,2,0,0\n", {"label": "9"}, "label=9", "a column from 1 to 4"),
    ("1,2,0,0\n", {"label": "4"}, "name one column twice", "flag=none"),
    ("1,2,0,0\n", {"label": "1", "target": ("2",)}, "label=1 and target=2", "one of them"),
    ("1,0\n", {}, "none of them an input", "label=none"),
    ("1,2,0,0\n", {"delimiter": "("}, "is '1,2,0,0'", "delimiter="),
    ("1,2,0,0\n", {"delimiter": "(,"}, "delimiter='(,'", "regular expression"),
    ("1,2,0,0\n", {"delimiter": ",*"}, "delimiter=',*'", "at least one character"),
    ("1,2,0,0\n", {"delimiter": "."}, "delimiter='.'", "no part of a number"),
    ("1,2,0,0\n", {"delimiter": " "}, "delimiter=' '", r"\s+"),
    ("1,2,0,0\n", {"split": "test"}, "split='test'", "train, validation"),
    ("1,2,0,0\n", {"split": "validation"}, "without a row for validation", "at least one"),
    ("1,2,0\n", {"split": "validation", "flag": "none"}, "without a flag", "no split"),
]


@pytest.mark.parametrize(("text", "options", "received", "expected"), BAD)
def test_what_is_wrong_is_named_by_line(
    tmp_path: Path, text: str, options: dict[str, object], received: str, expected: str
) -> None:
    message = refusal(written(tmp_path, text), **options)
    assert received in message
    assert expected in message.partition("Expected: ")[2] or expected in message
    assert "\n" not in message


def test_a_label_out_of_range_is_named_by_line(tmp_path: Path) -> None:
    path = written(tmp_path, "".join(f"{n},0,{n % 3},0\n" for n in range(9)))
    plan = Plan(
        run_dir=tmp_path / "run",
        data=str(path),
        data_option={"shape": (2,)},
        model="network",
        model_option={
            "layers": layers_of(
                '[{"class_name":"Dense","config":{"units":2,"activation":"softmax"}}]'
            ).replace("[null,1]", "[null,2]")
        },
        loss="categorical_crossentropy",
        metric=("top_1",),
        validation_part=0,
        monitor="loss",
    )
    with pytest.raises(ValueError, match=re.escape("label 2 in sample rows.txt line 3")):
        open_data(plan)


def test_a_file_that_changes_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    source = open_source(path)
    path.write_text("1,2\n" * 20)
    with pytest.raises(ValueError, match="has changed since it was opened"):
        source.read([0, 1, 2])


@given(st.lists(st.integers(0, 999_999_999), min_size=1))
def test_whole_numbers_are_those_of_python(numbers: list[int]) -> None:
    found = whole_numbers(",".join(map(str, numbers)).encode())
    assert found is not None
    assert found.tolist() == numbers


@given(st.lists(st.floats(-(2.0**100), 2.0**100), min_size=1, max_size=20), st.integers(1, 4))
def test_numbers_are_those_of_python(numbers: list[float], rows: int) -> None:
    line = ";".join(map(repr, numbers)).encode()
    found = LineFormat(";").numbers([line] * rows, len(numbers))
    assert found is not None
    assert found.tolist() == [numbers] * rows


@given(st.text("0123456789.,-+eEnaif x", max_size=30))
def test_lines_are_refused_by_both_ways_or_by_none(text: str) -> None:
    """The fast way, which reads many lines at once, and the slow one, which names the problem, agree."""
    line = text.strip().encode()
    if not line:
        return
    lines = LineFormat(",")
    count = len(lines.split(line))
    found = lines.numbers([line], count)
    assert (found is None) == (lines.problem(line, count, "x") is not None)


MEASURE = """
import sys
import numpy as np
from ddl.data.sources import open_source
def peak_kib():  # not ru_maxrss, which a process inherits from the one that started it
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak_kib()
source = open_source(sys.argv[1], split="train", shape=(28, 28))
order = np.random.default_rng(0).permutation(len(source))
for start in range(0, min(len(order), 20_000), 64):
    source.read(order[start : start + 64])
print(before >> 10, peak_kib() >> 10, len(source))
"""


def peak_mib(folder: Path, copies: int) -> tuple[int, int]:
    """Return the memory of a process that reads 1,000 rows of 786 numbers so many times, and what it had before."""
    rng = np.random.default_rng(0)
    block = "".join(
        ",".join(map(str, row)) + f",{number % 10},{number % 11 == 0:d}\n"
        for number, row in enumerate(rng.integers(0, 256, (1000, 784)))
    )
    path = folder / "large.csv"
    with path.open("w") as file:
        for _ in range(copies):
            file.write(block)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True
    )
    before, peak, _ = map(int, done.stdout.split())
    path.unlink()
    return before, peak


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    before, peak = peak_mib(tmp_path, 10)  # 31 MB
    assert peak - before < 31


@pytest.mark.proof
@pytest.mark.timeout(1200)
def test_a_gigabyte_takes_less_than_300_mb(tmp_path: Path) -> None:
    _, peak = peak_mib(tmp_path, 325)
    assert peak < 300
