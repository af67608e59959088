"""A GAN from one JSON file and from flags, and the pictures that predict.py makes with it, as a user starts them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import pytest
from PIL import Image

from ddl.data.preparation.example import Example, write_example
from tests.scripts.in_process import Outcome, call

CONFIG: dict[str, Any] = {
    "num_epochs": 1,
    "generator": {"network": "dcgan", "options": {"width": 4}},
    "discriminator": {"network": "dcgan", "options": {"width": 4}},
    "gan": {"latent_dim": 6, "n_critic": 2, "conditional": True, "ema": 0.9, "score_samples": 60},
    "data": {
        "input_type": "images", "target_type": "labels", "grayscale": True, "batch_size": 20,
        "input_path": "digits", "test_input_path": "digits-test",
    },
    "loss": {"function": "Wasserstein"},
    "optimizer": {"type": "Adam", "beta1": 0.5},
    "ddl": {"tensorboard": False, "jit": "false"},
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a working directory with pictures of digits, a config, and the run that it gave."""
    folder = tmp_path_factory.mktemp("gans")
    for seed, (name, count) in enumerate({"digits": 60, "digits-test": 40}.items()):
        write_example(Example(folder / name, kind="digits", count=count, size=8, seed=seed))
    (folder / "gan.json").write_text(json.dumps({"neural_network": CONFIG}))
    outcome = call("run", "--app=gan", "--config=gan.json", folder=folder)
    assert outcome.status == 0, outcome.told
    return folder


def predict(folder: Path, output: str, *flags: str) -> Outcome:
    return call("predict", "gan.run", output, *flags, folder=folder)


def test_a_config_trains_a_gan(folder: Path) -> None:
    run = folder / "gan.run"
    (epoch,) = map(json.loads, (run / "history.jsonl").read_text().splitlines())
    assert {"generator_loss", "discriminator_loss", "val_kid", "val_fid"} <= {*epoch}
    assert epoch["val_features"] == "random features"
    assert json.loads((run / "preprocessing.json").read_text())["target"] == "generator"
    for name in ("samples.png", "interpolation.png", "curves.png", "model.keras", "config.json"):
        assert (run / name).is_file()


def test_the_config_that_it_keeps_gives_the_same_flags(folder: Path) -> None:
    first = call("run", "--config=gan.json", "--print-config", folder=folder)
    (folder / "again.json").write_text(first.printed)
    again = call("run", "--config=again.json", "--print-config", folder=folder)
    assert again.printed == first.printed
    in_flags = [
        next(line for line in one.told.splitlines() if "in flags" in line) for one in (first, again)
    ]
    assert in_flags[0] == in_flags[1]
    assert "scripts/train_gan.py" in in_flags[0]


def test_a_dry_run_says_the_loss_and_its_flags(folder: Path) -> None:
    outcome = call("run", "--config=gan.json", "--dry-run", folder=folder)
    assert outcome.status == 0
    assert "Loss: wgan_gp, gradient_penalty=10, 2 update(s) of the discriminator" in outcome.told


def test_each_sample_is_a_picture_file(folder: Path) -> None:
    outcome = predict(folder, "made", "--samples", "12")
    assert (outcome.status, outcome.printed) == (0, "made: 12 written\n"), outcome.told
    files = sorted((folder / "made").glob("*.png"))
    assert [file.name for file in files][-1] == "sample_00011.png"
    with Image.open(files[0]) as picture:
        assert (picture.size, picture.mode) == ((8, 8), "L")


def test_more_samples_of_a_seed_begin_with_the_same(folder: Path) -> None:
    for name, count in (("few", "5"), ("many", "9")):
        assert predict(folder, name, "--samples", count, "--seed", "3").status == 0
    for file in sorted((folder / "few").glob("*.png")):
        assert file.read_bytes() == (folder / "many" / file.name).read_bytes()


def test_a_label_makes_samples_of_its_class_alone(folder: Path) -> None:
    assert predict(folder, "sevens", "--samples", "10", "--label", "7").status == 0
    assert predict(folder, "turns", "--samples", "10").status == 0
    pairs = [
        (folder / name / f"sample_{number:05d}.png").read_bytes()
        for number in (7, 3)
        for name in ("sevens", "turns")
    ]
    assert pairs[0] == pairs[1]
    assert pairs[2] != pairs[3]


def test_a_grid_is_one_picture(folder: Path) -> None:
    assert predict(folder, "grid", "--samples", "9", "--grid", "--columns", "3").status == 0
    assert sorted(path.name for path in (folder / "grid").iterdir()) == ["grid.png", "predict.json"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["gan.run", "x"], "MODEL and one path. Expected: MODEL INPUT OUTPUT."),
        (
            ["gan.run", "digits", "x"],
            "a generator, which takes no pictures. Expected: --samples 16",
        ),
        (["gan.run", "digits", "x", "--samples", "3"], "a generator takes no pictures."),
        (["gan.run", "x", "--samples", "0"], "samples=0"),
        (["gan.run", "x", "--samples", "3", "--label", "10"], "label=10. Expected: 0 to 9"),
        (["gan.run", "x", "--samples", "500", "--grid"], "at most 400 in a grid"),
        (["gan.run", "x", "--samples", "3", "--tile", "8"], "tile"),
        (["gan.run", "digits", "x", "--seed", "3"], "seed without samples"),
        (["digits", "x", "--samples", "3"], "digits"),
    ],
)
def test_bad_words_get_one_line_and_write_nothing(
    folder: Path, words: list[str], told: str
) -> None:
    outcome = call("predict", *words, folder=folder)
    assert (outcome.status, outcome.told.count("\n")) == (2, 1), outcome.told
    assert told in outcome.told
    assert not (folder / "x").exists()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("evaluate", ["gan.run"]),
        ("export", ["gan.run", "x.xml"]),
        ("benchmark_inference", ["gan.run"]),
    ],
)
def test_what_needs_pictures_refuses_a_generator_in_one_line(
    folder: Path, script: str, words: list[str]
) -> None:
    outcome = call(script, *words, folder=folder)
    assert (outcome.status, outcome.told.count("\n")) == (2, 1), outcome.told
    assert "predict.py makes" in outcome.told


def test_networks_may_come_from_files(folder: Path) -> None:
    layers = keras.layers
    generator = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(64, activation="relu"),
            layers.Reshape((4, 4, 4)),
            layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="sigmoid"),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 4, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    for name, network in (("g", generator), ("d", discriminator)):
        (folder / f"{name}.json").write_text(network.to_json())
    flags = [
        *("--set", "gan.conditional=false", "generator.network=g.json", "generator.options=null"),
        *("discriminator.network=d.json", "discriminator.options=null"),
    ]
    outcome = call("run", "--config=gan.json", *flags, "--run-dir", "files.run", folder=folder)
    assert outcome.status == 0, outcome.told
    outcome = call("predict", "files.run", "of-files", "--samples", "2", folder=folder)
    assert outcome.status == 0, outcome.told
    flags[-1] = "gan.latent_dim=7"
    outcome = call("run", "--config=gan.json", *flags[:-2], "discriminator.network=g.json",
                   "discriminator.options=null", "--run-dir", "x.run", folder=folder)  # fmt: skip
    assert outcome.status == 2
    assert "from 6 to 8x8x1 (sigmoid). Expected: from 8x8x1 to 1 (linear)." in outcome.told
