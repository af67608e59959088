"""The script as a user starts it: its help, its refusals, and what is in the file."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import imageio.v3 as iio
import numpy as np
import pytest

from ddl.data.pictures.conversion import Conversion
from ddl.data.preparation.preparation import Preparation
from ddl.data.sources import open_source
from tests.data import make
from tests.launch import REPOSITORY
from tests.scripts.in_process import call
from tests.scripts.prepare_runs import prepare_here, run


@pytest.mark.alone
def test_help_answers_in_a_second_and_documents_every_flag() -> None:
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        shown = run("--help").stdout
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) < 1
    page = (REPOSITORY / "docs" / "data.md").read_text()
    for field in dataclasses.fields(Preparation):
        if field.default is not dataclasses.MISSING:  # a flag, not a path
            flag = "--" + field.name.replace("_", "-")
            assert re.search(rf"  {flag} [A-Z_]+\s+\S.*", shown), f"{flag} has no help"
            assert f"`{flag}`" in page, f"{flag} is not in docs/data.md"


def test_no_tensorflow_is_loaded(tmp_path: Path) -> None:
    make.pairs(tmp_path / "in", 3)
    program = (
        "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\n"
        f"sys.path.insert(0, {str(REPOSITORY / 'scripts')!r})\n"
        "import prepare_data\n"
        f"prepare_data.main([{str(tmp_path / 'in')!r}, {str(tmp_path / 'a.h5')!r}, '--workers', '1'])\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, capture_output=True)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("compression", ["none", "lzf", "gzip"])
def test_the_file_holds_each_picture_as_it_would_be_read_alone(
    tmp_path: Path, bits: int, compression: str
) -> None:
    make.pairs(tmp_path / "in", 9, height=40, width=60)
    options = ["--image-size", "20x16", "--bits", str(bits), "--compression", compression]
    prepare_here(tmp_path / "in", tmp_path / "a.h5", *options)
    source = open_source(tmp_path / "a.h5")
    alone = Conversion((20, 16), bits=bits)
    batch = source.read(range(9))
    for index in range(9):
        assert np.array_equal(
            batch["image"][index], alone.convert(make.picture(index, height=40, width=60))
        )
        mask = make.mask(index, height=40, width=60)[..., None] // 255
        assert np.array_equal(batch["mask"][index], alone.convert_mask(mask))
    source.close()
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["image"].chunks is not None
        assert file["image"].fletcher32
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "in"]


def test_the_manifest_tells_what_the_file_was_made_from(tmp_path: Path) -> None:
    make.classes(tmp_path / "in")
    prepare_here(tmp_path / "in", tmp_path / "a.h5", "--seed", "7")
    source = open_source(tmp_path / "a.h5")
    manifest = source.manifest
    assert manifest["class_names"] == ["cat", "dog"]
    assert [sample["label"] for sample in manifest["samples"]] == source.read(range(5))[
        "label"
    ].tolist()
    for sample in manifest["samples"]:
        data = (tmp_path / "in" / sample["name"]).read_bytes()
        (entry,) = sample["files"]
        assert (entry["bytes"], entry["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    images = source.read(range(5))["image"]
    assert manifest["sha256"]["image"] == hashlib.sha256(images.tobytes()).hexdigest()
    assert manifest["options"]["seed"] == 7
    assert str(tmp_path) not in str(manifest)
    source.close()


def test_splits_and_folds_cover_everything_once(tmp_path: Path) -> None:
    make.pairs(tmp_path / "in", 20)
    output = tmp_path / "a.h5"
    options = ["--validation", "0.2", "--test", "0.1", "--folds", "3"]
    prepare_here(tmp_path / "in", output, *options)
    lengths = {}
    for split in ("train", "validation", "test"):
        lengths[split] = len(open_source(output, split=split))
    assert lengths == {"train": 14, "validation": 4, "test": 2}
    source = open_source(output)
    test = set(source.split_indices("test").tolist())
    seen = []
    for fold in range(3):
        held_out = source.split_indices("validation", fold).tolist()
        others = source.split_indices("train", fold).tolist()
        assert (len(held_out), len(others)) == (6, 12)
        assert (
            set(held_out) | set(others) == set(range(20)) - test
        )  # nothing learns from the test split
        seen += held_out
    assert len(set(seen)) == len(seen) == 18
    source.close()
    with pytest.raises(ValueError, match="folds 0 to 2"):
        open_source(output, split="train", fold=3)


def bad_pictures(folder: Path) -> Path:
    """Make a damaged picture, a picture without a mask, and a mask of another size, among good ones."""
    make.pairs(folder, 8)
    (folder / "cell-3.png").write_bytes(b"no picture")
    (folder / "cell-4_mask.gif").unlink()
    iio.imwrite(folder / "cell-5_mask.gif", make.mask(5, 13, 16))
    return folder


def test_skip_names_each_bad_picture_and_keeps_the_others(tmp_path: Path) -> None:
    source = bad_pictures(tmp_path / "in")
    flags = ("--on-error", "skip", "--image-size", "12x16", "--workers", "1")
    outcome = call("prepare_data", source, tmp_path / "a.h5", *flags)
    assert outcome.status == 0, outcome.told
    skipped = [line for line in outcome.told.splitlines() if "skipped:" in line]
    assert len(skipped) == 3
    for name in ("cell-3.png", "cell-4.png", "cell-5_mask.gif"):
        assert sum(name in line for line in skipped) == 1
    opened = open_source(tmp_path / "a.h5")
    names = [sample["name"] for sample in opened.manifest["samples"]]
    assert names == [f"cell-{index}.png" for index in (0, 1, 2, 6, 7)]
    assert len(opened.manifest["skipped"]) == 3
    wanted = [make.picture(index) for index in (0, 1, 2, 6, 7)]
    assert np.array_equal(opened.read(range(5))["image"], wanted)
    assert "5 samples, 3 skipped" in outcome.printed
    opened.close()


def drop(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def nothing(_: Path) -> None:
    """Leave the folder as it is."""


def all_damaged(folder: Path) -> None:
    for path in folder.glob("*.png"):
        path.write_text("no")


REFUSED: dict[str, tuple[Callable[[Path], object], list[str], str]] = {
    "size of text": (nothing, ["--image-size", "big"], "pixels, such as 128 or 96x128"),
    "size 0": (nothing, ["--image-size", "0"], "pixels, such as 128 or 96x128"),
    "size of three": (nothing, ["--image-size", "1x2x3"], "pixels, such as 128"),
    "layout": (nothing, ["--layout", "kitti"], "one of: auto, folders, pairs, classes"),
    "layout that it is not": (nothing, ["--layout", "folders"], "without a folder of pict"),
    "channels": (nothing, ["--channels", "cmyk"], "one of: grey, rgb, rgba"),
    "bits": (nothing, ["--bits", "12"], "one of: 8, 16"),
    "mask mode": (nothing, ["--mask-mode", "soft"], "one of: binary, classes"),
    "validation": (
        nothing,
        ["--validation", "1.5"],
        "validation=1.5 for splits. Expected: at least 0, below 1",
    ),
    "no training left": (nothing, ["--validation", "0.5", "--test", "0.5"], "no training samples"),
    "negative seed": (nothing, ["--seed", "-1"], "seed=-1 for prepare_data. Expected: at least 0"),
    "one fold": (nothing, ["--folds", "1"], "folds=1 for"),
    "on error": (nothing, ["--on-error", "ignore"], "one of: stop, skip"),
    "compression": (nothing, ["--compression", "zip"], "one of: none, lzf, gzip"),
    "workers": (nothing, ["--workers", "-2"], "workers=-2 for prepare_data. Expected: at least 0"),
    "pixel limit 0": (
        nothing,
        ["--pixel-limit", "0"],
        "pixel_limit=0 for pictures. Expected: at least 1",
    ),
    "pixel limit": (nothing, ["--pixel-limit", "100"], "of 16 x 12 pixels. Expected: 1 to 100"),
    "unknown flag": (nothing, ["--size", "3"], "unknown flag --size"),
    "abbreviated flag": (
        nothing,
        ["--valid", "0.1"],
        "unknown flag --valid. Expected: --validation;",
    ),
    "no mask": (drop("cell-2_mask.gif"), [], "cell-2.png without a mask"),
    "no picture": (drop("cell-2.png"), [], "cell-2_mask.gif without a picture"),
    "damaged": (lambda f: (f / "cell-0.png").write_text("no"), [], "cell-0.png, which is damaged"),
    "empty file": (lambda f: (f / "cell-0.png").write_text(""), [], "cell-0.png, which is damaged"),
    "mask of another size": (
        lambda f: iio.imwrite(f / "cell-1_mask.gif", make.mask(0, 9, 9)),
        [],
        "of 9 x 9 pixels for",
    ),
    "nothing good": (all_damaged, ["--on-error", "skip"], "no readable picture"),
    "empty folder": (shutil.rmtree, ["--layout", "pairs"], "which is not a folder"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_ends_with_one_line_and_status_2_and_leaves_nothing(
    tmp_path: Path, case: str
) -> None:
    spoil, flags, message = REFUSED[case]
    spoil(make.pairs(tmp_path / "in", 4))
    before = sorted(tmp_path.iterdir())
    workers = [] if "--workers" in flags else ["--workers", "1"]
    outcome = call("prepare_data", tmp_path / "in", tmp_path / "a.h5", *flags, *workers)
    assert outcome.status == 2
    *progress, line = outcome.told.splitlines()
    assert all(shown.startswith("pictures: ") for shown in progress)
    assert line.startswith("prepare_data: Received: ")
    assert message in line
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("in/cell-0.png", "a name that ends in .h5"),
        ("none/a.h5", "a folder that exists and can be written"),
        ("there.h5", "which exists. Expected: a new name"),
    ],
)
def test_a_bad_output_is_refused_and_kept(tmp_path: Path, output: str, message: str) -> None:
    make.pairs(tmp_path / "in", 2)
    (tmp_path / "there.h5").write_text("precious")
    outcome = call("prepare_data", tmp_path / "in", tmp_path / output)
    assert outcome.status == 2
    assert message in outcome.told
    assert outcome.told.count("\n") == 1
    assert (tmp_path / "there.h5").read_text() == "precious"


def test_a_folder_of_parts_that_is_a_link_is_refused_and_nothing_in_it_is_deleted(
    tmp_path: Path,
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious.npz").write_bytes(b"mine")
    (tmp_path / ".a.h5.parts").symlink_to(other)
    outcome = call("prepare_data", make.pairs(tmp_path / "in"), tmp_path / "a.h5")
    assert outcome.status == 2
    assert ".a.h5.parts is a link. Expected: no such file" in outcome.told
    assert (other / "precious.npz").read_bytes() == b"mine"
