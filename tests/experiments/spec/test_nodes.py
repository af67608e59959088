"""Where the list of machines comes from, and what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ddl.experiments.spec.node import HERE, Node
from ddl.experiments.spec.read_nodes import read_nodes
from tests.experiments.spec.written import problems_of, written
from tests.launch import REPOSITORY

SPEC = "command: x\n"


@pytest.fixture(autouse=True)
def user_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config/ddl/nodes.yaml"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(SPEC)
    return path


def test_without_a_list_there_is_this_machine(spec: Path):
    nodes = read_nodes(spec)
    assert (nodes.default, nodes.of("here"), nodes.path) == ("here", (HERE,), None)


def test_the_users_own_list_is_the_last_resort(spec: Path, user_file: Path):
    user_file.parent.mkdir(parents=True)
    user_file.write_text("nodes: {mine: {}}\n")
    assert read_nodes(spec).path == user_file
    (spec.parent / "nodes.yaml").write_text("nodes: {beside: {}}\n")
    assert [*read_nodes(spec).nodes] == ["here", "beside"]
    spec.write_text(SPEC + "nodes: {inside: {}}\n")
    assert [*read_nodes(spec).nodes] == ["here", "inside"]


def test_the_only_node_of_a_list_is_the_default(spec: Path):
    spec.write_text(SPEC + "nodes: {n: {}}\n")
    assert read_nodes(spec).default == "n"
    spec.write_text(SPEC + "nodes: {n: {}, m: {}}\n")
    assert read_nodes(spec).default == "here"


@pytest.mark.parametrize(
    "text", ["{n: {slots: 3}, m: {}, default: n}", "{nodes: {n: {slots: 3}, m: {}}, default: n}"]
)
def test_a_spec_may_say_its_default_among_the_nodes(spec: Path, text: str):
    spec.write_text(f"{SPEC}nodes: {text}\ngroups: {{g: [n, m]}}\n")
    nodes = read_nodes(spec)
    assert (nodes.default, [*nodes.nodes], nodes.groups) == (
        "n",
        ["here", "n", "m"],
        {"g": ("n", "m")},
    )


def test_a_spec_may_name_a_file_of_nodes(spec: Path):
    (spec.parent / "lab.yaml").write_text("default: n\nnodes: {n: {slots: 3}}\n")
    spec.write_text(SPEC + "nodes: lab.yaml\n")
    assert read_nodes(spec).of("n")[0].slots == 3


def test_a_table_may_name_nodes_above_its_header(tmp_path: Path):
    (tmp_path / "s.csv").write_text("# nodes: {n: {slots: 2}}\na\n1\n")
    assert read_nodes(tmp_path / "s.csv").default == "n"


def test_every_key_of_a_node_is_read():
    nodes = read_nodes(REPOSITORY / "examples/experiments/cells.yaml")
    assert nodes.of("cluster") == (
        Node(
            name="cluster",
            type="slurm",
            ssh="cluster.example.org",
            partition="gpu",
            max_queued=20,
            setup="module load cuda",
            signal_before_s=180,
        ),
    )
    assert [node.name for node in nodes.of("anywhere")] == ["tower", "cluster"]
    assert nodes.of("nowhere") == ()


def test_a_machine_without_ssh_sees_the_store_and_one_with_ssh_does_not(spec: Path):
    spec.write_text(
        SPEC + "nodes: {a: {}, b: {ssh: host}, c: {ssh: host, shared: true}, d: {type: slurm}}\n"
    )
    nodes = read_nodes(spec).nodes
    assert {name: node.shared for name, node in nodes.items()} == {
        "here": True,
        "a": True,
        "b": False,
        "c": True,
        "d": True,
    }
    assert [node.type for node in nodes.values()] == ["local", "local", "ssh", "ssh", "slurm"]


def test_words_for_sbatch_are_a_text_or_a_list(spec: Path):
    spec.write_text(SPEC + "nodes: {n: {type: slurm, sbatch: --account=a --qos 'x y'}}\n")
    assert read_nodes(spec).of("n")[0].sbatch == ("--account=a", "--qos", "x y")


def test_a_node_is_the_same_after_its_way_through_json(spec: Path):
    spec.write_text(SPEC + "nodes: {n: {type: slurm, sbatch: [-A, x], env: {A: b}}}\n")
    node = read_nodes(spec).of("n")[0]
    assert Node.from_json(json.loads(json.dumps(node.to_json()))) == node


def test_an_experiment_runs_on_its_node_or_on_the_default(tmp_path: Path):
    text = "command: x\nnodes: {n: {}, m: {}}\nexperiments: {a: {node: m}, b: {command: y}}\n"
    assert [one.node for one in written(tmp_path, text)] == ["m", "here"]


def test_a_node_that_is_not_known_is_named_where_it_stands(tmp_path: Path):
    text = "command: x\nnodes: {cluster: {}}\nexperiments:\n  a:\n    node: cluter\n  b: {command: y}\n"
    (line,) = problems_of(tmp_path, text)
    assert line.startswith("s.yaml:5:11: Received: node 'cluter'.")
    assert line.endswith("Did you mean 'cluster'?")


def test_problems_of_nodes_and_of_the_spec_are_told_together(tmp_path: Path):
    text = "command: x\nretries: -1\nnodes: {n: {slots: 0}}\n"
    assert len(problems_of(tmp_path, text)) == 2


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{type: local, slots: 2}", "here"),
        ("{ssh: me@host, slots: 2}", "server"),
        ("{type: slurm, partition: gpu}", "slurm"),
    ],
)
def test_a_spec_may_describe_its_only_node(tmp_path: Path, text: str, name: str):
    found = written(tmp_path, f"command: x\nnode: {text}\n")
    assert found[0].node == name
    nodes = read_nodes(tmp_path / "s.yaml")
    assert (nodes.default, nodes.of(name)[0].slots) == (name, 1 if name == "slurm" else 2)
