"""Curves show every quantity once, count epochs in whole numbers, and stand gaps, one epoch and thousands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from ddl.training.record.curves import draw_curves, quantities
from tests.training.figures import drawn, size_of

__all__ = ["drawn"]


def make_epochs(count: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {"epoch": n, "seconds": 2.0, "dice": n / (n + 1), "learning_rate": 1e-3}
        | {"loss": 1 / n, "val_dice": 0.5, "val_loss": 1.5 / n}
        | more
        for n in range(1, count + 1)
    ]


@pytest.mark.parametrize("count", [1, 2, 12, 200, 1000])
def test_training_and_validation_share_a_panel(
    tmp_path: Path, drawn: list[Figure], count: int
) -> None:
    draw_curves(make_epochs(count), tmp_path / "curves.png", best_epoch=count)
    assert size_of(tmp_path / "curves.png") == (900, 230)
    panels = drawn[0].axes
    assert [axes.get_title("left") for axes in panels] == ["loss", "dice", "learning rate"]
    for axes, lines in zip(panels, (3, 3, 2), strict=True):
        assert len(axes.lines) == lines
        assert all(tick == round(tick) for tick in axes.get_xticks())
        assert axes.lines[0].get_marker() == ("o" if count <= 30 else "None")
        np.testing.assert_array_equal(axes.lines[0].get_xdata(), np.arange(1, count + 1))
    texts = [text.get_text() for text in panels[0].get_legend().get_texts()]
    assert texts == ["training", "validation", f"best: epoch {count}"]
    assert panels[2].get_legend() is None


def test_the_result_on_test_data_is_a_point_in_the_panel_of_its_quantity(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    epochs = make_epochs(3)
    epochs[0]["test_before_loss"], epochs[2]["test_loss"] = 2.5, 0.4
    draw_curves(epochs, tmp_path / "curves.png")
    loss, *others = drawn[0].axes
    assert [axes.get_title("left") for axes in others] == ["dice", "learning rate"]
    assert [text.get_text() for text in loss.get_legend().get_texts()][2] == "test"
    assert (list(loss.lines[2].get_xdata()), list(loss.lines[2].get_ydata())) == ([3], [0.4])
    assert loss.lines[2].get_marker() == "o"


def test_gaps_are_gaps(tmp_path: Path, drawn: list[Figure]) -> None:
    epochs = make_epochs(5)
    epochs[1]["loss"] = float("nan")
    epochs[2]["loss"] = float("inf")
    del epochs[3]["val_loss"]
    draw_curves(epochs, tmp_path / "curves.png")
    training, validation = drawn[0].axes[0].lines
    assert list(np.isnan(training.get_ydata())) == [False, True, True, False, False]
    # An epoch that was not validated leaves no gap: the line goes on to the next one.
    assert list(validation.get_xdata()) == [1, 2, 3, 5]
    assert not np.isnan(validation.get_ydata()).any()


@pytest.mark.parametrize("epochs", [[], [{"epoch": 1, "loss": float("nan")}]])
def test_a_history_without_a_number_is_drawn(
    tmp_path: Path, drawn: list[Figure], epochs: list[dict[str, Any]]
) -> None:
    draw_curves(epochs, tmp_path / "curves.png", best_epoch=1)
    assert drawn[0].axes[0].texts[0].get_text() == "no finite value yet"


@pytest.mark.parametrize(
    ("name", "values", "scale"),
    [
        ("learning_rate", [1e-3, 2e-4], "linear"),
        ("learning_rate", [1e-3, 5e-5], "log"),
        ("learning_rate", [1e-3, 0.0], "linear"),
        ("loss", [2.0, 0.03], "linear"),
        ("loss", [2.0, 0.003], "log"),
        ("loss", [2.0, -0.003], "linear"),
        ("dice", [1e-4, 0.9], "linear"),
    ],
)
def test_what_spans_magnitudes_has_a_log_scale(
    tmp_path: Path, drawn: list[Figure], name: str, values: list[float], scale: str
) -> None:
    epochs = [{"epoch": n, name: value} for n, value in enumerate(values, 1)]
    draw_curves(epochs, tmp_path / "curves.png")
    assert drawn[0].axes[0].get_yscale() == scale


def test_panels_are_many_and_names_are_long(tmp_path: Path, drawn: list[Figure]) -> None:
    more = {f"a_name_that_goes_on_and_on_and_on_until_${n}": 0.1 for n in range(40)}
    draw_curves(make_epochs(3, **more, matrix=[[1.0]], word="a"), tmp_path / "curves.png")
    assert size_of(tmp_path / "curves.png") == (900, 8 * 230)
    titles = [axes.get_title("left") for axes in drawn[0].axes]
    assert max(map(len, titles)) == 32
    assert titles[2].endswith("until $0")


def test_the_loss_comes_first_and_the_learning_rate_last() -> None:
    epoch = {"epoch": 1, "learning_rate": 1.0, "val_iou": 1.0, "dice": 1.0, "val_loss": 1.0}
    assert quantities([epoch]) == ["loss", "iou", "dice", "learning_rate"]


def test_drawing_leaves_no_trace(tmp_path: Path) -> None:
    """Matplotlib loads late, and a notebook's own settings and backend stay."""
    code = (
        "import sys; from pathlib import Path\n"
        "from ddl.training.record import curves, epoch_progress, history, picture_sheet\n"
        "from ddl.training.record import run_dir, run_facts, tensorboard\n"
        "assert 'matplotlib' not in sys.modules and 'tensorflow' not in sys.modules\n"
        "import matplotlib as mpl; mpl.rcParams['axes.grid'] = False\n"
        f"curves.draw_curves([dict(epoch=1, loss=1.0)], Path({str(tmp_path / 'a.png')!r}))\n"
        "assert not mpl.rcParams['axes.grid'] and mpl.rcParams['text.parse_math']\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_failed_drawing_keeps_the_old_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "curves.png"
    path.write_bytes(b"old")

    def fail(figure: Figure, partial: Path, **options: Any) -> None:
        partial.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="No space"):
        draw_curves(make_epochs(2), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
