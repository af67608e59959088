"""`table`: a column for each parameter, and the last and best results; as text, CSV, JSON and experiments.csv."""

from __future__ import annotations

import csv
import io

import pytest

from ddl.experiments.table import write_table
from tests.experiments.made_store import MadeStore
from tests.experiments.verbs.run import run_verb


@pytest.fixture
def made(tmp_path):
    """Return a store with three experiments, one of them not begun."""
    made = MadeStore(tmp_path / "store")
    for rate, losses in ((0.1, [3.0, 1.0, 2.0]), (0.01, [3.0, "NaN", 2.5])):
        folder = made.experiment("finished", {"lr": rate, "net": "unet", "sizes": [1, 2]})
        rows = [{"epoch": n, "loss": loss, "val_dice": n / 10} for n, loss in enumerate(losses, 1)]
        made.history(folder, rows)
    made.experiment("planned", {"lr": 1.0, "net": "unet", "seed": 3})
    return made


def table(made, capsys, *words):
    return run_verb(capsys, "table", "--store", made.path, *words)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_settings_last_and_best_results(made, capsys):
    first, second, third = rows(table(made, capsys, "--csv").out)
    assert (first["lr"], first["net"], first["sizes"], first["seed"]) == (
        "0.1",
        "unet",
        "[1, 2]",
        "",
    )
    assert (first["loss"], first["best_loss"], first["best_loss_epoch"]) == ("2.0", "1.0", "2")
    assert (second["loss"], second["best_loss"]) == ("2.5", "2.5")
    assert (first["val_dice"], first["best_val_dice_epoch"]) == ("0.3", "3")
    assert (third["state"], third["loss"], third["seed"]) == ("planned", "", "3")


def test_text_leaves_out_what_is_the_same_everywhere(made, capsys):
    heading = table(made, capsys).lines[0].split()
    assert heading[:2] == ["name", "state"]
    assert "net" not in heading
    assert {"lr", "loss", "best_loss", "val_dice"} <= set(heading)


def test_columns_may_be_chosen(made, capsys):
    done = table(made, capsys, "--csv", "--columns", "name", "best_val_dice")
    assert done.lines[0] == "name,best_val_dice"
    assert table(made, capsys, "--columns", "net").lines == ["net", "unet", "unet", "unet"]


def test_an_unknown_column_is_one_line(made, capsys):
    done = table(made, capsys, "--columns", "val_dise")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "val_dice" in done.err


def test_only_those_that_are_named(made, capsys):
    assert len(rows(table(made, capsys, "state=finished", "--csv").out)) == 2


def test_json_has_a_document_for_each(made, capsys):
    found = table(made, capsys, "--json").json
    assert found[0]["lr"] == 0.1
    assert found[2]["loss"] is None


def test_csv_and_json_at_once_are_refused(made, capsys):
    assert table(made, capsys, "--json", "--csv").status == 2


def test_a_parameter_called_like_a_fact_or_a_result_has_a_column_of_its_own(tmp_path, capsys):
    made = MadeStore(tmp_path / "store")
    folder = made.experiment("finished", {"node": "x", "loss": "dice"})
    made.history(folder, [{"epoch": 1, "loss": 0.5}])
    (row,) = rows(run_verb(capsys, "table", "--csv", "--store", made.path).out)
    assert (row["node"], row["parameter.node"]) == ("here", "x")
    assert (row["loss"], row["result.loss"]) == ("dice", "0.5")


def test_texts_stay_on_one_line(tmp_path, capsys):
    made = MadeStore(tmp_path / "store")
    made.plain({"note": 'a\n"b",\x1b[0m'}, label="x")
    out = run_verb(capsys, "table", "--csv", "--store", made.path).out
    assert out.count("\n") == 2
    assert rows(out)[0]["note"] == 'a\\x0a"b",\\x1b[0m'


def test_an_empty_store_has_an_empty_table(tmp_path, capsys):
    made = MadeStore(tmp_path / "store")
    assert run_verb(capsys, "table", "--store", made.path).status == 0
    assert rows(run_verb(capsys, "table", "--csv", "--store", made.path).out) == []


def test_sync_writes_the_whole_table(made, capsys):
    path = write_table(made.path)
    assert path == made.path / "experiments.csv"
    assert path.read_text() == table(made, capsys, "--csv").out
