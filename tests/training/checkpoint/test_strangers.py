"""Checkpoints from strangers: a right checksum over crafted contents gives one line, never a traceback."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ddl.training.checkpoint import checkpoint_file
from ddl.training.checkpoint.checkpoint_file import open_checkpoint, write_checkpoint
from ddl.training.checkpoint.facts import check_complete, checked_facts
from ddl.training.checkpoint.find_trained import find_model_file, find_trained, read_plan
from ddl.training.checkpoint.resume import find_start
from ddl.training.checkpoint.saved_model import read_architecture
from ddl.training.plan.plan import Plan
from tests.scripts import spoiled
from tests.training.checkpoint.snapshots import make_snapshot

Change = Callable[[h5py.File], object]
ONE_LINE = r"^Received: [^\n]*Expected: [^\n]*$"


def forged(path: Path, change: Change) -> Path:
    """Change the contents of a checkpoint, and give it the checksum of the changed ones."""
    with h5py.File(path, "r+") as file:
        change(file)
    with path.open("rb+") as file:
        size = os.fstat(file.fileno()).st_size
        file.write(checkpoint_file._block(file.fileno(), size))
    return path


def set_facts(text: object) -> Change:
    def change(file: h5py.File) -> None:
        del file["ddl/facts"]
        file["ddl/facts"] = text

    return change


def replaced(name: str, value: object = None) -> Change:
    """Put something else at a name; None deletes it."""

    def change(file: h5py.File) -> None:
        del file[name]
        if isinstance(value, dict):
            file.create_group(name)
        elif value is not None:
            file[name] = value

    return change


def attribute(name: str, key: str, value: object = None) -> Change:
    def change(file: h5py.File) -> None:
        del file[name].attrs[key]
        if value is not None:
            file[name].attrs[key] = value

    return change


OPENED: dict[str, Change] = {
    "facts of a number": set_facts(3),
    "facts of a list": set_facts("[]"),
    "facts of nothing": set_facts(""),
    "facts of nested brackets": set_facts("[" * 100_000),
    "facts of nested objects": set_facts('{"a":' * 100_000),
    "facts of a long number": set_facts('{"seconds_before": ' + "9" * 10_000 + "}"),
    "facts of bytes": set_facts(np.frombuffer(b"\xff\xfe\xfd", "S3")[0]),
    "facts that are a group": replaced("ddl/facts", {}),
    "no facts": replaced("ddl/facts"),
    "nothing of ours": replaced("ddl"),
    "a link to another file": replaced("ddl/facts", h5py.ExternalLink("b.h5", "/x")),
    "a symbolic link": replaced("ddl/facts", h5py.SoftLink("/ddl/optimizer_config")),
}
READ: dict[str, Change] = {
    "no architecture": attribute("/", "model_config"),
    "an architecture of a number": attribute("/", "model_config", 3),
    "no weights": replaced("model_weights"),
    "weights that are an array": replaced("model_weights", np.zeros(3)),
    "no layers": attribute("model_weights", "layer_names"),
    "layers of numbers": attribute("model_weights", "layer_names", np.arange(3)),
    "a layer that is missing": attribute("model_weights", "layer_names", np.array([b"none"])),
    "a weight that is a group": replaced("model_weights/dense/dense/kernel:0", {}),
    "a weight of text": replaced("model_weights/dense/dense/kernel:0", "heavy"),
    "narrow weights of another type": replaced("ddl/optimizer/0", np.array(["a"], "S1")),
    "no optimizer": replaced("ddl/optimizer"),
    "an optimizer without a class": attribute("ddl/optimizer", "class"),
    "slots of other names": lambda file: file.move("ddl/optimizer/0", "ddl/optimizer/x"),
    "a slot without a path": attribute("ddl/optimizer/0", "path"),
    "a path of a number": attribute("ddl/optimizer/0", "path", 4),
    "no rank": replaced("ddl/private", {}),
    "ranks that are an array": replaced("ddl/private", np.zeros(2)),
    "a rank of another name": lambda file: file.move("ddl/private/0", "ddl/private/x"),
    "an optimizer_config of numbers": replaced("ddl/optimizer_config", np.arange(4)),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "epoch-0001.h5"
    write_checkpoint(path, make_snapshot())
    return path


@pytest.mark.parametrize("case", OPENED)
def test_crafted_facts_with_a_right_checksum_are_refused(path: Path, case: str) -> None:
    with pytest.raises(ValueError, match=ONE_LINE):
        open_checkpoint(forged(path, OPENED[case]))


@pytest.mark.parametrize("case", READ)
def test_crafted_contents_with_a_right_checksum_are_refused(path: Path, case: str) -> None:
    opened = open_checkpoint(forged(path, READ[case]))
    with pytest.raises(ValueError, match=ONE_LINE):
        opened.read()


STRANGE: list[Any] = [None, True, -1, 0.5, 1e400, float("nan"), 10**30, "x", [], [1], {}, {"a": 1}]


@pytest.mark.parametrize(
    "fact",
    [
        *("plan", "order", "position", "reference_batch_size", "data_fingerprint"),
        *("preprocessing", "seconds_before", "history"),
    ],
)
def test_every_fact_has_its_type_and_range(fact: str) -> None:
    good = {"order": {}, "position": {}, "history": [], "plan": {}, "preprocessing": {}}
    for value in STRANGE:
        is_good = value == good.get(fact, object()) and type(value) is type(good.get(fact))
        is_good |= isinstance(value, dict) and fact in ("plan", "preprocessing")
        is_good |= (fact, value) in (("data_fingerprint", "x"), ("seconds_before", 0.5))
        if fact in ("order", "position"):
            is_good = False  # they need numbers
        if is_good:
            checked_facts({fact: value})
        else:
            with pytest.raises(ValueError, match=f"^{fact}="):
                checked_facts({fact: value})


@pytest.mark.parametrize(
    "epoch",
    [{}, {"epoch": "1"}, {"epoch": 1, "loss": None}, {"epoch": 1, "loss": {}}, {"epoch": True}],
)
def test_a_history_has_numbers(epoch: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^history="):
        checked_facts({"history": [epoch]})


def test_facts_that_are_missing_or_contradict_each_other_are_refused(tmp_path: Path) -> None:
    facts = open_checkpoint(spoiled.checkpoint(tmp_path)).facts
    check_complete(facts, "a.h5")
    for name in facts:
        rest = {other: value for other, value in facts.items() if other != name}
        with pytest.raises(ValueError, match=f"a.h5, a checkpoint without {name}"):
            check_complete(rest, "a.h5")
    for change in ({"history": []}, {"position": {"epoch": 2, "step": 4}}):
        with pytest.raises(ValueError, match="a checkpoint with"):
            check_complete(facts | change, "a.h5")


@pytest.mark.parametrize(
    "plan", [{}, {"epochs": "x"}, {"run_dir": 3}, {"metric": 3}, {"model": []}]
)
def test_a_checkpoint_with_another_plan_is_refused(tmp_path: Path, plan: dict[str, Any]) -> None:
    path = spoiled.checkpoint(tmp_path)
    facts = open_checkpoint(path).facts
    whole = plan and {**facts["plan"], **plan}
    forged(path, set_facts(json.dumps(facts | {"plan": whole})))
    with pytest.raises(ValueError, match=ONE_LINE):
        find_trained(path)
    with pytest.raises(ValueError, match=ONE_LINE):
        find_start(Plan(run_dir=tmp_path / "run", resume="auto", seed=4))


def test_runs_whose_files_are_pipes_are_refused_before_opening(tmp_path: Path) -> None:
    run = spoiled.checkpoint(tmp_path).parents[1]
    (run / "plan.json").unlink()
    for name in ("plan.json", "model.keras"):
        os.mkfifo(run / name)
    with pytest.raises(ValueError, match=r"plan\.json.* a named pipe"):
        read_plan(run)
    with pytest.raises(ValueError, match="which is a named pipe"):
        find_model_file(run)
    (run / "checkpoints" / "epoch-0002.h5").unlink()
    os.mkfifo(run / "checkpoints" / "epoch-0002.h5")
    with pytest.raises(ValueError, match="which is a named pipe"):
        find_start(Plan(run_dir=run, resume="2"))


def keras_file(path: Path, weights: Change, config: str = "{}") -> Path:
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        weights(file)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
        archive.write(path.with_suffix(".h5"), "model.weights.h5")
    return path


def short_chunk(file: h5py.File) -> None:
    chunked = file.create_dataset("x", (2, 100), "u1", chunks=(1, 100), compression="gzip")
    chunked.id.write_direct_chunk((0, 0), b"x\x9cc`\0\0\0\2\0\1")


WEIGHTS: dict[str, Change] = {
    "a link to another file": lambda file: file.__setitem__("x", h5py.ExternalLink("b", "/x")),
    "external storage": lambda file: file.create_dataset(
        "x", (4,), external=[("/etc/passwd", 0, 16)]
    ),
    "a chunk of another size": short_chunk,
}


@pytest.mark.parametrize("case", WEIGHTS)
@pytest.mark.parametrize("form", ["keras", "h5"])
def test_saved_models_are_looked_into_before_keras_opens_them(
    tmp_path: Path, form: str, case: str
) -> None:
    path = keras_file(tmp_path / "a.keras", WEIGHTS[case])
    if form == "h5":
        path = tmp_path / "a.h5"
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = "{}"
    with pytest.raises(ValueError, match="which is not an intact saved model"):
        find_model_file(path)


@pytest.mark.parametrize("method", ["DEFLATED", "BZIP2", "LZMA"])
def test_a_saved_model_whose_parts_do_not_decompress_is_refused(
    tmp_path: Path, method: str
) -> None:
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(path, "w", getattr(zipfile, f"ZIP_{method}")) as archive:
        archive.writestr("config.json", np.random.default_rng(0).bytes(500))
        start = archive.getinfo("config.json").header_offset
    damaged = bytearray(path.read_bytes())
    begin = start + 30 + len("config.json") + (9 if method == "LZMA" else 0)
    damaged[begin : begin + 12] = b"\xff" * 12
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match="which is not an intact saved model"):
        find_model_file(path)
    with pytest.raises(ValueError, match=r"."):
        read_architecture(path)


def test_a_saved_model_that_grows_beyond_measure_is_refused(tmp_path: Path) -> None:
    """All members share the same bytes of the archive, so that a small file becomes a very large one."""
    with zipfile.ZipFile(tmp_path / "a.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("big", bytes(10_000_000))
        for number in range(200):
            twin = zipfile.ZipInfo(f"twin-{number}")
            for name in ("CRC", "compress_size", "file_size", "header_offset", "compress_type"):
                setattr(twin, name, getattr(archive.getinfo("big"), name))
            archive.filelist.append(twin)
    with pytest.raises(ValueError, match="its parts are larger than such a file can hold"):
        find_model_file(tmp_path / "a.keras")
