"""From a template and parameters to the words that run."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.experiments.spec.command.commands import Command, argv_of, own_script, parse_command
from ddl.experiments.spec.command.flags import flags_of
from ddl.experiments.spec.command.template import braced, fill, placeholders, quotes
from tests.experiments.spec.written import problems_of, written
from tests.launch import REPOSITORY


def words(template: str, **parameters: object) -> list[str]:
    return list(argv_of(Command(words=parse_command(template)), parameters, None))


def on_a_node(words: list[str], **values: str) -> list[str]:
    """Return the words as the agent fills them in."""
    filled = [fill(word, lambda found: values[found.name]) for word in words]
    return [word.replace("{{", "{").replace("}}", "}") for word in filled]


def test_placeholders_are_filled_with_values_and_those_of_the_node_stay():
    found = words("python x.py --lr={lr} --out {run_dir}/{name} {seed}", lr=1e-3, seed=0)
    assert found == ["python", "x.py", "--lr=0.001", "--out", "{run_dir}/{name}", "0"]


def test_a_value_is_one_word_whatever_it_holds():
    assert words("x {a} y", a="two words; $HOME 'q'") == ["x", "two words; $HOME 'q'", "y"]


def test_a_list_alone_between_blanks_becomes_words():
    assert words("x {a}", a=[1, 2.5, "z"]) == ["x", "1", "2.5", "z"]


def test_flags_are_those_of_our_parsers():
    parameters = {
        "learning_rate": 1e-3,
        "augment": "flip=true",
        "model_option": {"width": 16, "size": [64, 96]},
        "metric": ["dice", "iou"],
        "shuffle": False,
        "resume": None,
        "shift": -1,
        "text": "",
    }
    assert flags_of(parameters) == shlex.split(
        "--learning-rate 0.001 --augment flip=true --model-option width=16 size=64,96 "
        "--metric dice iou --shuffle false --shift=-1 --text ''"
    )


def test_flags_leave_out_what_the_command_names_itself():
    assert words("x -l {lr} {flags}", lr=1, seed=2) == ["x", "-l", "1", "--seed", "2"]


def test_all_parameters_can_be_had_as_json():
    found = words("x {parameters}", a=1, b="é{}")
    assert json.loads(on_a_node(found)[1]) == {"a": 1, "b": "é{}"}


def test_run_py_gets_its_settings_by_set():
    command = Command(words=("python", "run.py", "--config=x.json"), own="run.py")
    found = argv_of(command, {"data.batch_size": 16, "optimizer.type": "Adam"}, None)
    assert found[3:6] == ("--set", "data.batch_size=16", 'optimizer.type="Adam"')
    assert found[6:] == ("--run-dir", "{run_dir}", "--resume", "auto")


def test_a_script_of_ours_keeps_what_its_template_says():
    command = Command(
        words=parse_command("python train_unet.py {flags} --resume 40"), own="train_unet.py"
    )
    found = argv_of(command, {"seed": 1}, None)
    assert " ".join(found) == "python train_unet.py --seed 1 --resume 40 --run-dir {run_dir}"


@pytest.mark.parametrize("name", ["train_unet", "train_cnn", "train_resnet", "train_custom", "run"])
def test_our_scripts_are_known_by_their_files(name: str):
    assert own_script(("python", f"scripts/{name}.py"), REPOSITORY) == f"{name}.py"


def test_a_strangers_script_of_the_same_name_is_not_ours(tmp_path: Path):
    (tmp_path / "train_unet.py").write_text("import torch\n")
    assert own_script(("python", "train_unet.py"), tmp_path) == ""


def test_a_profile_is_a_flag_of_ours_and_cprofile_for_others(tmp_path: Path):
    ours = written(tmp_path, "command: python train_unet.py\nprofile: true\n")[0]
    assert ours.run.argv[-2:] == ("--profile", "20")
    other = written(tmp_path, "command: python3.11 x.py -v\nprofile: true\n")[0]
    profiler = ("-m", "cProfile", "-o", "{experiment_dir}/profile.pstats")
    assert other.run.argv == ("python3.11", *profiler, "x.py", "-v")


def test_a_shell_gets_one_text_with_quoted_values(tmp_path: Path):
    text = "shell: true\ncommand: echo {a} '{b}' > {run_dir}/x; wc -l < f | cat\nparameters: {a: x y, b: 3}\n"
    run = written(tmp_path, text)[0].run
    assert (run.shell, run.argv) == (True, ("echo 'x y' '3' > {run_dir}/x; wc -l < f | cat",))


def test_braces_of_a_shell_are_doubled_in_the_spec(tmp_path: Path):
    text = "shell: true\ncommand: echo ${{HOME}} {{1..3}} {a}\nparameters: {a: 'x{y}'}\n"
    assert written(tmp_path, text)[0].run.argv == ("echo ${{HOME}} {{1..3}} 'x{{y}}'",)


def test_what_a_shell_would_understand_may_stand_in_quotes():
    assert words("awk '{{print $1}}' 'a|b' \"c>d\"") == ["awk", "{{print $1}}", "a|b", "c>d"]


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=30))
def test_any_value_reaches_a_program_as_it_is(value: str):
    assert on_a_node(words("x --a={a} {a}", a=value)) == ["x", f"--a={value}", value]


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=30))
def test_a_shell_reads_any_value_back(value: str):
    command = Command(words=("printf %s {a}",), shell=True)
    (text,) = on_a_node(list(argv_of(command, {"a": value}, None)))
    assert shlex.split(text) == ["printf", "%s", value]


def test_a_real_shell_gets_the_value_and_nothing_else_runs(tmp_path: Path):
    value = "$(touch oops) `touch oops` ; touch oops '\"\n{x}"
    command = Command(words=("printf %s {a}",), shell=True)
    (text,) = on_a_node(list(argv_of(command, {"a": value}, None)))
    done = subprocess.run(
        ["sh", "-c", text], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=20
    )
    assert (done.stdout, [*tmp_path.iterdir()]) == (value, [])


@settings(deadline=None)
@given(st.text(st.sampled_from("ab{}"), max_size=12))
def test_doubled_braces_are_no_placeholders(text: str):
    assert placeholders(braced(text)) == []
    assert braced(text).replace("{{", "{").replace("}}", "}") == text


@pytest.mark.parametrize(
    ("text", "states"),
    [("a 'b' c", "  '''  "), ('a"b\\"c"d', ' ""\\\\"" '), ("\\'a", "\\\\ ")],
)
def test_quotes_of_a_shell(text: str, states: str):
    assert quotes(text) == states


def test_the_same_problem_of_many_experiments_is_told_once(tmp_path: Path):
    lines = problems_of(
        tmp_path, "command: x --a={a}\nparameters: {a: [1, 2], b: {grid: [1, 2]}}\n"
    )
    assert len(lines) == 1
