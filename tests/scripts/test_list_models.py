"""list_models.py answers at once, without TensorFlow, and refuses what it cannot list."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ddl.models.zoo import named_models
from tests.launch import REPOSITORY
from tests.models.network.fixtures import write
from tests.scripts.in_process import call

SCRIPT = REPOSITORY / "scripts" / "list_models.py"


@pytest.mark.alone
def test_all_models_as_json_take_under_two_seconds_and_no_tensorflow() -> None:
    code = (
        "import runpy, sys; sys.argv[1:] = ['--json']\n"
        f"try: runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
        "finally: sys.stderr.write(' '.join(sys.modules))"
    )
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert time.monotonic() - started < 2
    assert [row["name"] for row in json.loads(done.stdout)] == named_models()
    assert not {"tensorflow", "keras", "numpy"} & set(done.stderr.split())


def test_a_pattern_and_a_form() -> None:
    outcome = call("list_models", "--like", "vgg1[136]", "--csv")
    assert outcome.status == 0
    assert [line.split(",")[0] for line in outcome.printed.splitlines()] == [
        *("name", "vgg11", "vgg13", "vgg16")
    ]


def test_aliases_are_listed_with_options_and_notes() -> None:
    outcome = call("list_models", "--aliases")
    assert outcome.status == 0
    lines = {line.split()[0]: line.split() for line in outcome.printed.splitlines()}
    assert lines["vgg3do2"] == ["vgg3do2", "vgg3", "dropout=0.2,0.3,0.4,0.5"]
    assert lines["vgg16_cifar10"] == ["vgg16_cifar10", "vgg16", "small_input=true"]
    assert "ResNet-56:" in lines["resnet44_cifar10"]


def test_network_files_are_listed_and_their_layers(tmp_path: Path) -> None:
    files = [tmp_path / "unet.json", tmp_path / "yolo.json"]
    for file, name in zip(files, ("unet with open sides", "yolo list"), strict=True):
        file.write_text(write(name))
    (open_sides, yolo) = json.loads(call("list_models", "--network", *files, "--json").printed)
    assert (open_sides["input_shape"], open_sides["multiply_adds"]) == ([None, None, 3], None)
    assert (yolo["parameters"], yolo["trainable"], yolo["target"]) == (486, 478, "mask")
    assert "?x?x3" in call("list_models", "--network", *files).printed
    layers = call("list_models", "--network", files[1], "--layers").printed.splitlines()
    assert layers[2].split() == ["conv2d_1", "Conv2D", "16x16x4", "108", "108", "27,648"]
    assert layers[-1].startswith("BatchNormalization momentum=0.1 is torch's convention")
