"""What people write into specs by mistake: a row each, with a part of the one line that they are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

GOOD = "command: python x.py {flags}\n"


@dataclass(frozen=True)
class Bad:
    """A spec with one mistake.

    Attributes:
        message: part of the line.
        text: the spec.
        file: its name.
        more: further files beside it.
        flags: flags after the spec's name.
    """

    message: str
    text: str | bytes = GOOD
    file: str = "s.yaml"
    more: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()


def parameters(text: str, message: str) -> Bad:
    """Return a spec whose parameters have the mistake."""
    return Bad(message, f"{GOOD}parameters:\n  {text}\n")


def key(text: str, message: str) -> Bad:
    """Return a spec with a key that has the mistake, in its second line."""
    return Bad(message, f"{GOOD}{text}\n")


def command(text: str, message: str) -> Bad:
    """Return a spec with a command that has the mistake."""
    return Bad(message, f"command: {text}\nparameters: {{a: 1}}\n")


def table(text: str, message: str, command: str = "python x.py {flags}") -> Bad:
    """Return a table with the mistake."""
    return Bad(message, text, "s.csv", flags=("--command", command))


FILES = [
    Bad("s.yaml:1:1: Received: an empty file", ""),
    Bad("s.yaml:1:1: Received: an empty file", "# only a comment\n"),
    Bad("s.yaml:1:1: Received: a list. Expected: a mapping", "- a\n- b\n"),
    Bad("s.yaml:1:1: Received: 'hello'. Expected: a mapping", "hello\n"),
    Bad("does not exist. Expected: a file. Did you mean 's.yaml'?", flags=("+s.yml",)),
    Bad("Expected: a spec, a file that ends in .yaml, .yml, .json, .csv", GOOD, "s.toml"),
    Bad(
        "s.yaml:2:7: Received: the byte 0xe9. Expected: text in UTF-8",
        GOOD.encode() + b"name: \xe9\n",
    ),
    Bad("s.yaml:1:1: Received: UTF-16", GOOD.encode("utf-16")),
    Bad("s.yaml:2:7: Received: the character U+0007", GOOD + "name: \x07\n"),
    Bad("more than 4 MiB", GOOD + "#" * (4 << 20)),
    Bad("Received: a tab at the start of a line", "needs:\n\ttime: 4h\n" + GOOD),
    Bad("s.yaml:3:1: Received: a second document", GOOD + "\n---\na: 1\n"),
    Bad("s.yaml:3:1: Received: key 'name' twice, first in line 2", GOOD + "name: a\nname: b\n"),
    Bad("s.yaml:2:7: Received: what YAML does not allow", GOOD + "name: [a\n"),
    Bad("Received: the tag", GOOD + "name: !!python/object/apply:os.system [ls]\n"),
    Bad("Received: the tag", GOOD + "seed: !!int '3'\n"),
    Bad("*b, which no anchor before it names", GOOD + "name: *b\n"),
    Bad("*a, which is within itself", GOOD + "files: &a [*a]\n"),
    Bad(
        "more than 2,000,000 values, anchors followed",
        "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
        + "".join(
            f"{y}: &{y} [{', '.join([f'*{x}'] * 10)}]\n"
            for x, y in zip("abcdefg", "bcdefgh", strict=True)
        ),
    ),
    Bad("more than 32 levels", GOOD + "files: " + "[" * 40 + "]" * 40 + "\n"),
    Bad(
        "s.yaml:3:3: Received: <<, which YAML 1.2 does not have",
        GOOD + "needs:\n  <<: {time: 4h}\n",
    ),
    Bad("Received: a key that is not a text", GOOD + "? [a, b]\n: 1\n"),
    Bad("s.json:1:2: Received: 'command'", "{'command': 'x'}", "s.json"),
    Bad("s.json:2:1: Received: key 'name' twice", '{"name": "a",\n"name": "b"}', "s.json"),
    Bad("no comma after the last item", '{"command": "x",}', "s.json"),
    Bad("s.json:1:26: Received: NaN", '{"command": "x", "seed": NaN}', "s.json"),
    Bad("nothing after the end", '{"command": "x"} {}', "s.json"),
    Bad("the end of the text", '{"command": "x"', "s.json"),
]

KEYS = [
    Bad("s.yaml:1:1: Received: no command in the spec", "name: a\n"),
    Bad("s.yaml:1:1: Received: no command", "command:\nname: a\n"),
    Bad(
        "unknown key 'comand' in the spec. Expected: a known key. Did you mean 'command'?",
        GOOD + "comand: x\n",
    ),
    key("paramters: {a: 1}", "s.yaml:2:1: Received: unknown key 'paramters'"),
    key("zzz: 1", "Known: name, nodes,"),
    key("name: a/b", "s.yaml:2:7: Received: 'a/b'. Expected: a name of letters"),
    key("name: [a]", "Received: a list. Expected: a name"),
    key("folder: nowhere", "Received: folder nowhere, which is none"),
    key("code: frosen", "Expected one of: frozen, live. Did you mean 'frozen'?"),
    key("ranks: 0", "Received: 0. Expected: a whole number from 1"),
    key("ranks: two", "Received: 'two'. Expected: a whole number"),
    key("ranks: true", "Received: true. Expected: a whole number"),
    key("retries: -1", "Received: -1. Expected: a whole number from 0 to 100"),
    key("retries: 1.5", "Received: 1.5. Expected: a whole number"),
    key("needs: {time: 4}", "Received: 4. Expected: a number with its unit, such as 4h"),
    key("needs: {time: 4 parsecs}", "Received: '4 parsecs'. Expected: a time with its unit"),
    key("needs: {memory: 16}", "Received: 16. Expected: a number with its unit, such as 500M"),
    key("needs: {memory: 16 cows}", "Received: '16 cows'. Expected: a size with its unit"),
    key("needs: {gpus: 0.5}", "Received: 0.5. Expected: a whole number"),
    key("needs: {ram: 16G}", "Received: unknown key 'ram' in needs"),
    key("needs: 4h", "Received: '4h'. Expected: needs: a mapping of time, memory"),
    key("priority: high", "Received: 'high'. Expected: a whole number"),
    key("priority: {a=1: 10}", "Received: priority of 'a=1', which no experiment is"),
    key("node: mars", "s.yaml:2:7: Received: node 'mars'. Expected one of: here"),
    key("watch: [loss]", "Received: a list. Expected: rules"),
    key("watch: {bad: 7}", "Received: 7. Expected: a rule"),
    key("watch: {bad: loss <> 3}", "Received: rule bad, wrong at character 7"),
    key(
        "variables: {form: stdout}",
        "unknown key 'form' in variables. Expected: a known key. Did you mean 'from'?",
    ),
    key("variables: []", "Expected: variables such as {from: stdout"),
    key("mail: {to: nobody}", "Received: mail: to: 'nobody'"),
    key("mail: {to: a@b.org, on: [sunrise]}", "sunrise"),
    key("mail: {to: a@b.org, password: x}", "Received: password in a spec, which others can read"),
    key("mail: {to: a@b.org, template: no.txt}", "template no.txt, which is no file"),
    key("notify: {on: [failed]}", "Received: notify: command"),
    key("env: {DDL_STORE: x}", "Received: variable 'DDL_STORE'"),
    key("env: [a]", "Received: a list. Expected: env: a mapping"),
    key("files: [data.h5]", "Received: files data.h5, which is not in"),
    key("files: [{a: 1}]", "Received: a mapping. Expected: files"),
    key("outputs: [../x]", "Received: output ../x"),
    key("outputs: /etc", "Received: output /etc"),
    key("stop: {signal: KILL}", "Received: 'KILL'. Expected one of: USR1, TERM"),
    key("stop: {grace: -3s}", "Received: '-3s'. Expected: a time"),
    key("profile: 20", "Received: 20. Expected: true or false"),
    key("profile: on", "Received: 'on'. Expected: true or false"),
    key("seed: -1", "Received: -1. Expected: a whole number from 0"),
    key("search: {n: 4}", "Received: a mapping. Expected: search: {n: 40, goal: max val_dice}"),
    key("search: {n: 4, goal: best}", "Received: a mapping. Expected: search:"),
    key("search: {n: 4, goal: max x, by: magic}", "Expected one of: random, optuna"),
    key("search: {n: 4, goal: max x}", "Received: search without a parameter"),
    key("experiments: {}", "Received: a mapping. Expected: experiments: from 1"),
    key("experiments: [a]", "Received: a list. Expected: experiments: a mapping"),
    key("experiments: {a: {base: b}}", "Received: base 'b'. Expected: another block's name"),
    key("experiments: {a: {base: b}, b: {base: a}}", "Received: base in a circle, a -> b -> a"),
    key("experiments: {a: {nme: x}}", "unknown key 'nme' in experiments.a"),
    key("experiments: {a: , b: }", "001-a and 002-b with the same parameters"),
    key("groups: {g: [a]}", "Received: groups without nodes"),
    key("nodes: no.yaml", "which is no file"),
]

NODES = [
    key("node: {sloots: 2}", "unknown key 'sloots' in nodes.here"),
    key("node: {slots: 2}\nnodes: {n: {}}", "Received: node: a mapping, and nodes"),
    key("node: [a]", "Received: a list. Expected: a name"),
    key("experiments: {a: {node: {slots: 2}}}", "Received: a mapping. Expected: a name"),
    key("nodes: {n: {type: slrum}}", "Expected one of: local, ssh, slurm. Did you mean 'slurm'?"),
    key("nodes: {n: {type: ssh}}", "Received: nodes.n of type ssh. Expected: ssh: HOST"),
    key("nodes: {n: {type: local, ssh: h}}", "Received: nodes.n of type local. Expected: no ssh"),
    key("nodes: {n: {ssh: -oProxyCommand=x}}", "Expected: a host of your ~/.ssh/config"),
    key("nodes: {n: {slots: 0}}", "Received: 0. Expected: a whole number from 1"),
    key("nodes: {n: {partition: gpu}}", "Received: partition of nodes.n, a node of type local"),
    key("nodes: {n: {type: slurm, slots: 2}}", "Received: slots of nodes.n, a node of type slurm"),
    key(
        "nodes: {n: {sloots: 2}}",
        "unknown key 'sloots' in nodes.n. Expected: a known key. Did you mean 'slots'?",
    ),
    key("nodes: {a b: {}}", "Received: a node called 'a b'"),
    key("nodes: {n: {}}\ngroups: {g: [m]}", "Received: 'm' in group g. Expected: a node"),
    key("nodes: {n: {}}\ngroups: {n: [n]}", "Received: group 'n', also a node"),
    Bad("nodes.yaml:1:10: Received: default 'x'", more={"nodes.yaml": "default: x\n"}),
    Bad("nodes.yaml:1:1: Received: a list", more={"nodes.yaml": "- a\n"}),
    Bad("unknown key 'node' in nodes.yaml", more={"nodes.yaml": "node: {a: {}}\n"}),
]

PARAMETERS = [
    key("parameters: [a]", "Received: a list. Expected: a mapping of names to values"),
    parameters("a: {grid: 3}", "Received: 3. Expected: a list of values"),
    parameters("a: {grid: []}", "Received: a list. Expected: a list of values"),
    *(
        parameters(
            f"a: {{{kind}: [4, 8]}}", f"Received: {kind!r} of a. Expected: a: {{grid: [...]}}"
        )
        for kind in ("list", "values", "choices", "choice", "range")
    ),
    parameters(
        "a: {gird: [1, 2]}",
        "Received: 'gird' of a. Expected: grid, zip or search. Did you mean 'grid'?",
    ),
    parameters(
        "a: {grid: [1, 1.0]}", "s.yaml:3:3: Received: 001-s and 002-s with the same parameters"
    ),
    parameters("a: [[1]]", "Received: a list. Expected: a text, a number"),
    parameters("a: {}", "Received: a mapping. Expected: a value"),
    parameters("a: .nan", "Received: .nan. Expected: a finite number"),
    parameters("a: 1e999", "Received: 1e999. Expected: a number below"),
    parameters('a: "x\\0y"', "Received: a text with a NUL"),
    parameters("run_dir: x", "Received: a parameter called 'run_dir', a placeholder of ours"),
    parameters("a b: 1", "Received: a parameter called 'a b'"),
    parameters("a-b: 1\n  a_b: 2", "Received: parameter 'a_b' twice, first in line 3"),
    parameters("zip: {a: [1, 2], b: [1]}", "lists of different lengths in zip: a has 2, b has 1"),
    parameters("a: {zip: [1, 2]}\n  b: {zip: [1]}", "lists of different lengths in zip"),
    parameters("list: {a: 1}", "Received: a mapping. Expected: list: [{"),
    parameters("list: [1]", "Received: 1. Expected: a mapping of parameters"),
    parameters(
        "random: {n: 3}", "Expected: random: {n: 20, learning_rate: log 1e-5..1e-2}, with n"
    ),
    parameters("random: {n: 3, a: high}", "Received: 'high'. Expected: such as log"),
    parameters("random: {n: 3, a: 3..1}", "the smaller number first"),
    parameters("random: {n: 3, a: log 0..1}", "numbers above 0"),
    parameters("random: {n: 3, a: int 0..1.5}", "whole numbers, such as int 1..8"),
    parameters("random: {n: 9, a: int 1..3}", "9 random settings, of which only 3 differ"),
    parameters("random: {n: 9, a: []}", "Received: an empty list"),
    parameters(
        "exclude: {b: 1}\n  a: 1", "Received: 'b' in exclude. Expected: one of the parameters"
    ),
    parameters("exclude: {a: 1}\n  a: 1", "all are excluded"),
    parameters("csv: no.csv", "which does not exist"),
    parameters("a: {search: log 1..2}", "Expected: search: {n: 40, goal: max val_dice} beside"),
    parameters(
        "random: {n: 100000, a: 0..1}\n  b: {grid: [1, 2]}", "Received: 200,000 experiments"
    ),
]

COMMANDS = [
    command("[]", "Received: a list. Expected: a command"),
    command("7", "Received: 7. Expected: a command: a text"),
    command("'python \"x {flags}'", "Received: a command with an open quote"),
    command("python x.py {flag}", "unknown placeholder {flag}. Expected: one of a, flags"),
    command("python x.py {flags} }", "Received: a lone brace"),
    command("python x.py", "Received: parameter 'a', which the command does not name"),
    command("python x.py {a} > log", "Received: > in a command that no shell runs"),
    command("python x.py {a} | tee log", "Received: | in a command"),
    command("python ~/x.py {a}", "Received: ~ in a command"),
    command("echo $HOME {a}", "Received: $ in a command"),
    command("echo {a} --out ${HOME}", "Received: $ in a command"),
    Bad("Received: shell: true with a list", "command: [echo, hi]\nshell: true\n"),
    Bad("Received: {run_dir} within quotes", 'command: echo "{run_dir}"\nshell: true\n'),
    Bad(
        "Received: {a} within quotes, with the value 'x y'",
        'command: echo "{a}"\nshell: true\nparameters: {a: x y}\n',
    ),
    Bad("--run-dir runs/x, the same for all", "command: python train_unet.py --run-dir runs/x\n"),
    Bad("{a} within a word, and 2 values", "command: x --a={a}\nparameters: {a: [1, 2]}\n"),
    Bad("{a} without a value here", "command: x {a}\nparameters: {a: }\n"),
    Bad(
        "{b} in the command, and no b here",
        "command: x {a}{b}\nparameters: {list: [{a: 1}, {a: 2, b: 3}]}\n",
    ),
    Bad("profile: true with a command", "command: ./run\nprofile: true\n"),
]

TABLES = [
    table("", "Received: no header"),
    table("a,b\n", "Received: a table without rows"),
    table("a,a\n1,2\n", "Received: column 'a' twice"),
    table("a,\n1,2\n", "Received: column 2 without a name"),
    table("a,b\n1,2\n1,2,3\n", "s.csv:3:1: Received: 3 cells. Expected: 2"),
    table('a,b\n1,"2\n', "Received: a row that is no CSV"),
    table("a,b\n1,2\n1,2\n", "001-s and 002-s with the same parameters"),
    table("a b\n1\n", "Received: a parameter called 'a b'"),
    table("a\n.inf\n", "s.csv:2:1: Received: .inf"),
    table("a\n1\n", "which the command does not name", "python x.py"),
    table("# comand: x\na\n1\n", "s.csv:1:1: Received: unknown key 'comand'"),
    Bad("Received: no command in the spec", "a\n1\n", "s.csv"),
]

BAD = [*FILES, *KEYS, *NODES, *PARAMETERS, *COMMANDS, *TABLES]
