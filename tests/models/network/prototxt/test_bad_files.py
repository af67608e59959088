"""Files that are refused: each problem has a line with file, line, column, what was received and what is expected."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.models.network.file import read_network
from ddl.models.network.prototxt import looks_like_prototxt, read_neuralnet
from ddl.models.network.prototxt.tree import BadPrototxt

GOOD = """\
# a small network
batch_size: 10
stepsize: 1e-3
input_shape { dim: 4 dim: 4 }
parameter_provider { type: "local" }
layer {
  type: "FullyConnected"
  fully_connected_param { init_weight: 0.1 init_bias: 0 num_output: 3 }
}
layer {
  type: "ActivationWithLoss"
  activation_with_loss_param { activation_function: "softmax" loss_function: "crossentropy" }
}
"""
POOL = (
    'layer { type: "Pooling" pooling_param { kernel_height: 2 kernel_width: 2 padding_height: 2 } }\nlayer {\n  type: '
    '"FullyConnected"'
)
FIRST = 'layer {\n  type: "FullyConnected"'

PROVIDER = 'parameter_provider { type: "local" }'
RELU = 'activation_param { activation_function: "relu" }'
SOFTMAX = RELU.replace("relu", "softmax")

# (text to replace, with what, place and words of the message)
BAD: dict[str, tuple[str, str, str]] = {
    "unknown field": ("batch_size: 10", "bach_size: 10", "2:1: Received: the unknown field bach_size"),
    "its near name": ("batch_size: 10", "bach_size: 10", "Did you mean 'batch_size'?"),
    "missing batch_size": ("batch_size: 10", "", "no batch_size, which is then 0"),
    "batch of none": ("batch_size: 10", "batch_size: 0", "2:13: Received: batch_size: 0"),
    "negative batch": ("batch_size: 10", "batch_size: -3", "2:13: Received: batch_size: -3"),
    "half a sample": ("batch_size: 10", "batch_size: 2.5", "batch_size: 2.5. Expected: a whole number"),
    "twice": ("batch_size: 10", "batch_size: 10 batch_size: 20", "2:16: Received: batch_size a second time"),
    "missing step size": ("stepsize: 1e-3", "", "no stepsize, which is then 0"),
    "no number": ("1e-3", "fast", "3:11: Received: stepsize: fast. Expected: a number"),
    "infinite": ("1e-3", "inf", "stepsize: inf"),
    "no shape": ("input_shape { dim: 4 dim: 4 }", "", "without input_shape"),
    "empty shape": ("dim: 4 dim: 4", "", "input_shape without dim"),
    "four sides": ("dim: 4 dim: 4", "dim: [1, 2, 3, 4]", "input_shape of 4 numbers"),
    "side of none": ("dim: 4 dim: 4", "dim: 4 dim: 0", "4:27: Received: dim: 0"),
    "missing provider": (PROVIDER, "", "without parameter_provider"),
    "unknown provider": ('"local"', '"remote"', "5:28: Received: type: \"remote\""),
    "no quotes": ('type: "local"', "type: local", 'Expected: type: "local", in quotes'),
    "a word for a message": (PROVIDER, 'parameter_provider: "local"', "parameter_provider { ... }"),
    "a message for a word": ("batch_size: 10", "batch_size { }", "batch_size: a whole number"),
    "unknown type": ('"FullyConnected"', '"FulyConnected"', "7:9: Received: type: \"FulyConnected\""),
    "missing weight": ("init_weight: 0.1", "", "fully_connected_param without init_weight"),
    "negative weight": ("init_weight: 0.1", "init_weight: -0.1", "init_weight: -0.1"),
    "another dialect": ("num_output: 3", 'num_output: 3 activation_function: "relu"', "a field of dialect A"),
    "unknown function": ('"softmax"', '"softmx"', "Did you mean 'softmax'?"),
    "unknown loss": ('"crossentropy"', '"hinge"', "loss_function: \"hinge\""),
    "relu before the loss": ('"softmax"', '"relu"', "relu before the loss"),
    "no loss": ('"ActivationWithLoss"', '"Activation"', "Activation as the last layer"),
    "loss in the middle": (FIRST, GOOD[GOOD.rindex("layer {") :] + FIRST, "ActivationWithLoss before the last layer"),
    "another type's settings": (FIRST, f"{FIRST} {RELU}", "activation_param in a layer of the type FullyConnected"),
    "no settings": (FIRST, 'layer { type: "Pooling" }\n' + FIRST, "Pooling without pooling_param"),
    "padding over kernel": (FIRST, POOL, "6:74: Received: padding_height: 2"),
    "kernel over input": (FIRST, POOL.replace("_height: 2", "_height: 9", 1), "6:41: Received: kernel_height: 9"),
    "hidden softmax": (FIRST, f'layer {{ type: "Activation" {SOFTMAX} }}\n{FIRST}', "softmax before the last layer"),
    "open string": ('"local"', '"local', "5:28: Received: a string without its closing quote"),
    "open brace": ("layer {\n  type: \"ActivationWithLoss\"", "layer { {", "Expected: the name of a field"),
    "no end": ('"crossentropy" }\n}', '"crossentropy" }', "the end of the file. Expected: } for line 10"),
    "too many braces": ("batch_size: 10", "batch_size: 10 }", "2:16: Received: }"),
    "no colon": ("batch_size: 10", "batch_size 10", "2:12: Received: 10 after batch_size. Expected: : or {"),
    "strange sign": ("batch_size: 10", "batch_size = 10", "2:12: Received: '='"),
    "no layers": (GOOD[GOOD.index("layer {") :], "", "a file without a layer"),
}  # fmt: skip


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


def test_the_good_file_is_read() -> None:
    assert read_neuralnet(GOOD, "net.prototxt").batch_size == 10


@pytest.mark.parametrize("name", BAD)
def test_it_is_refused_with_its_place(name: str) -> None:
    old, new, expected = BAD[name]
    with pytest.raises(BadPrototxt) as caught:
        read_neuralnet(changed(old, new), "net.prototxt")
    lines = str(caught.value).splitlines()
    assert any(expected in line for line in lines), caught.value
    assert all(line.startswith("net.prototxt:") and line[-1] in ".?" for line in lines)


def test_all_problems_of_a_file_are_told_in_order() -> None:
    text = (
        changed("batch_size: 10", "batch_size: 0")
        .replace("1e-3", "fast")
        .replace('"softmax"', '"x"')
    )
    with pytest.raises(BadPrototxt) as caught:
        read_neuralnet(text, "net.prototxt")
    places = [line.split(": ")[0] for line in str(caught.value).splitlines()]
    assert [place.split(":")[1] for place in places] == ["2", "3", "12"]


def test_num_input_must_be_what_comes_in() -> None:
    layer = "num_input: 16 num_output: 3 fully_connected_param { init_weight: 1 init_bias: 0 "
    layer += 'activation_function: "sigmoid" }'
    head = GOOD[: GOOD.index("layer {")]
    text = head + 'layer { type: "FullyConnected" ' + layer + " }\n"
    assert read_neuralnet(text, "net").dialect == "A"
    with pytest.raises(BadPrototxt, match=r"net:6:32: Received: num_input: 17 .* gets 16 numbers"):
        read_neuralnet(text.replace("num_input: 16", "num_input: 17"), "net")


SPELLINGS = {
    "colons before braces": GOOD.replace(" {", ": {"),
    "separators": GOOD.replace("1e-3", "1e-3;").replace("10\n", "10, # ten\n"),
    "single quotes": GOOD.replace('"', "'"),
    "list": GOOD.replace("dim: 4 dim: 4", "dim: [4, 4]"),
    "angle brackets": GOOD.replace("{ dim: 4 dim: 4 }", "< dim: 4 dim: 4 >"),
    "other case": GOOD.replace("FullyConnected", "FULLYconnected").replace("softmax", "SoftMax"),
    "windows": GOOD.replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + GOOD,
    "joined strings": GOOD.replace('"local"', '"lo" "cal"'),
    "comment": GOOD.replace('"local"', '"local" # "paramserver"\n'),
    "hexadecimal": GOOD.replace("10\n", "0xA\n"),
    "float suffix": GOOD.replace("0.1", "0.1f"),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_spellings_mean_the_same(name: str) -> None:
    one, other = read_neuralnet(GOOD, "net"), read_neuralnet(SPELLINGS[name], "net")
    assert one.network.nodes == other.network.nodes
    fields = ("batch_size", "step_size", "provider", "input_shape", "dialect", "loss_option")
    assert [getattr(one, key) for key in fields] == [getattr(other, key) for key in fields]


@pytest.mark.parametrize("name", ["parameterserver", "paramserver", "ParameterServer"])
def test_both_names_of_the_parameter_server_are_taken(name: str) -> None:
    assert read_neuralnet(changed("local", name), "net").provider == "parameterserver"


def test_dialect_d_takes_a_provider_and_says_so() -> None:
    net = read_neuralnet(changed("stepsize", "random_seed: 5 device_mode: GPU step_size"), "net")
    assert (net.dialect, net.provider, net.random_seed) == ("D", "local", 5)
    assert any("parameter_provider in line 5" in note for note in net.notes)
    assert any("device_mode GPU has no effect" in note for note in net.notes)


def test_a_file_of_any_name_is_told_from_json() -> None:
    assert looks_like_prototxt(GOOD)
    assert not any(map(looks_like_prototxt, ("", "[]", '{"a": 1}', '"text"', "null", "abc")))
    network = read_network({"layers": GOOD})
    assert any("batch_size 10, step size 0.001" in note for note in network.notes)


@given(st.text(alphabet="abc:{}[],;\"'#\n 01.-e\\<>", max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    with pytest.raises(BadPrototxt, match=r"^net:\d+:\d+: Received: .*\. Expected: "):
        read_neuralnet(text, "net")
