"""Configs with a mistake each: what is written in place of what, in which config, and the line that it gets."""

from __future__ import annotations

from dataclasses import dataclass

from tests.config.json_run.good_configs import BLOCKS, CLASSES, EQUATION, INFERENCE


@dataclass(frozen=True)
class Row:
    """A mistake.

    Attributes:
        old: the text that is replaced; "" for the whole config.
        new: the text with the mistake.
        line: the only line that it gets; "..." stands for the rest of it. "..." stands for the rest of it.
        config: the config without it.
    """

    old: str
    new: str
    line: str
    config: str = CLASSES


TEXTS = [
    Row("", "", "x.json:1:1: no text. Expected: a JSON object, from { to }."),
    Row("", "{", "x.json:1:2: the text ends before the { of line 1 is closed. Expected: }."),
    Row("", "[]", 'x.json:1: Received: no object. Expected: {"neural_network": {...}}.'),
    Row("", "{}", "x.json:1: neural_network: is missing. Expected: the object with the run."),
    Row("", '{"neural_network": 3}', "x.json:1: neural_network: Expected: an object, from { to }."),
    Row("", "{'a': 1}", "x.json:1:2: 'a'. Expected: a key in double quotes, or }."),
    Row(
        '"num_epochs": 3,',
        '"num_epochs": 3',
        'x.json:5:9: "layers" without a comma before it. Expected: a comma, or }.',
    ),
    Row(
        '"preload": true,',
        '"preload": True,',
        "x.json:17:24: True. Expected: true, in small letters.",
    ),
    Row(
        '"interval": 2',
        '"interval": 2,',
        "x.json:8:26: a comma before }. Expected: no comma after the last item.",
    ),
    Row(
        "[16, 16]",
        "[16, 16,]",
        "x.json:19:36: a comma before ]. Expected: no comma after the last item.",
    ),
    Row(
        '"num_epochs": 3',
        '"num_epochs": NaN',
        "x.json:4:23: NaN, which JSON does not have. Expected: a number.",
    ),
    Row(
        '"gamma": 0.5',
        '"gamma": -Infinity',
        "x.json:34:26: -Infinity, which JSON does not have. Expected: a number.",
    ),
    Row(
        '"gamma": 0.5',
        '"gamma": .5',
        "x.json:34:26: .5, which is no number of JSON. Expected: such as 1, -0.5 or 1e-3.",
    ),
    Row(
        '"gamma": 0.5',
        '"gamma": 01',
        "x.json:34:26: 01, which is no number of JSON. Expected: such as 1, -0.5 or 1e-3.",
    ),
    Row(
        '"gamma": 0.5',
        '"gamma": 1e999',
        "x.json:34:26: 1e999, which is too large. Expected: a number below 1.8e308.",
    ),
    Row('"gamma": 0.5', '"gamma": None', "x.json:34:26: None. Expected: null, in small letters."),
    Row(
        '"gamma": 0.5',
        '"gamma": // half',
        "x.json:34:26: //, a comment, which JSON does not have. Expected: a value.",
    ),
    Row(
        '"gamma": 0.5', '"gamma":', "x.json:35:13: } without a value before it. Expected: a value."
    ),
    Row(
        '"gamma": 0.5',
        '"gamma" 0.5',
        'x.json:34:25: no colon after "gamma". Expected: "key": value.',
    ),
    Row(
        '"out.txt"',
        '"out.txt',
        "x.json:3:29: a line end within a text. Expected: a closing double quote first.",
    ),
    Row(
        '"out.txt"',
        '"out\\txt\\q"',
        "x.json:3:28: \\q within a text. Expected: such as \\n or \\u00e9; \\\\ for a backslash.",
    ),
    Row(
        '"num_epochs": 3',
        '"num_epochs": 3, "outfile": "b"',
        'x.json:4:26: key "outfile" twice, first in line 3. Expected: once.',
    ),
    Row('"std": 0.25 }', '"std": 0.25', "x.json:21:17: {. Expected: a key in double quotes, or }."),
]
"""Mistakes of JSON."""

KEYS = [
    Row(
        '"batch_size"',
        '"batch_sise"',
        "x.json:16: data.batch_sise: no such key. Did you mean batch_size?",
    ),
    Row(
        '"batch_size"',
        '"Batch_Size"',
        "x.json:16: data.Batch_Size: no such key. Did you mean batch_size?",
    ),
    Row(
        '"batch_size"',
        '"learning_rate"',
        "x.json:16: data.learning_rate: no such key. It belongs into optimizer.",
    ),
    Row(
        '"interval"',
        '"num_epochs"',
        "x.json:8: checkpoints.num_epochs: no such key. It belongs into neural_network.",
    ),
    Row('"source"', '"sauce"', "x.json:26: loss.sauce: no such key. Did you mean source?"),
    Row(
        '"momentum"',
        '"momentun"',
        "x.json:31: optimizer.momentun: no such key. Did you mean momentum?",
    ),
    Row(
        '"resize"',
        '"resise"',
        "x.json:19: data.transforms.0.resise: no such key. Did you mean resize?",
    ),
    Row(
        '"std"',
        '"deviation"',
        "x.json:20:47: data.transforms.1.normalize.deviation: no such key. Expected: mean, std.",
    ),
    Row(
        '"outfile"',
        '"xyzzy"',
        "x.json:3: xyzzy: no such key. Expected: outfile, num_epochs, layers, debug, debug_interval, check...",
    ),
    Row(
        '"strides"',
        '"stride"',
        "x.json:16: data.slicers.0.stride: no such key. Did you mean strides?",
        BLOCKS,
    ),
    Row(
        "    }\n}\n",
        '    },\n    "data": {}\n}\n',
        "x.json:38: data: no such key. It belongs into neural_network.",
    ),
    Row(
        "    }\n}\n",
        '    },\n    "rnn": {}\n}\n',
        "x.json:38: rnn: no such key. Expected only: neural_network.",
    ),
    Row(
        '"momentum": 0.9',
        '"eta": 0.9',
        "x.json:31: optimizer.eta: has no meaning for SGD. It is for LARS.",
    ),
    Row(
        '"momentum": 0.9',
        '"max_iterations": 5',
        "x.json:31: optimizer.max_iterations: has no meaning for SGD. It is for Hessian.",
    ),
    Row(
        '"gamma": 0.5',
        '"gamma": 0.5, "step_size": 3',
        "x.json:34:31: optimizer.lr_scheduler.step_size: has no meaning for Exponential. It is for Step.",
    ),
    Row(
        '"source": "softmax"',
        '"boundary_factor": 2',
        "x.json:26: loss.boundary_factor: has no meaning for NLL. It is for Burgers_PDE.",
    ),
    Row(
        '"preload": true',
        '"domain_size": 8',
        "x.json:17: data.domain_size: has no meaning for images. It is for pde.",
    ),
    Row(
        '"preload": true',
        '"slicers": []',
        "x.json:17: data.slicers: has no meaning for images. It is for numpy, hdf5.",
    ),
    Row(
        '{ "random_horizontal_flip": 0.5 }',
        '{ "rotate": 3, "random_rotate": 0.5 }',
        "x.json:21:17: data.transforms.2: 2 keys. Expected: exactly one in each object.",
    ),
    Row(
        '{ "random_horizontal_flip": 0.5 }',
        "{}",
        "x.json:21: data.transforms.2: 0 keys. Expected: exactly one in each object.",
    ),
    Row(
        '"outfile": "out.txt"',
        '"ddl": {"sed": 3}',
        "x.json:3:17: ddl.sed: no such key. Did you mean seed?",
    ),
    Row(
        '"outfile": "out.txt"',
        '"ddl": {"epochs": 3}',
        "x.json:3:17: ddl.epochs: no key of this section. Expected: num_epochs.",
    ),
    Row(
        '"input_path"',
        '"train_tag": "a", "training_tag": "b", "input_path"',
        "x.json:13:31: data.training_tag: the same as train_tag. Expected: one of them.",
    ),
]
"""Unknown keys, keys in other sections, and keys that have no meaning."""

VALUES = [
    Row(
        '"num_epochs": 3',
        '"num_epochs": "3"',
        'x.json:4: num_epochs: Received: "3". Expected: a whole number, at least 1.',
    ),
    Row(
        '"num_epochs": 3',
        '"num_epochs": 3.0',
        "x.json:4: num_epochs: Received: 3.0. Expected: a whole number, at least 1.",
    ),
    Row(
        '"num_epochs": 3',
        '"num_epochs": true',
        "x.json:4: num_epochs: Received: true. Expected: a whole number, at least 1.",
    ),
    Row(
        '"num_epochs": 3',
        '"num_epochs": 0',
        "x.json:4: num_epochs: Received: 0. Expected: a whole number, at least 1.",
    ),
    Row(
        '"num_epochs": 3',
        '"num_epochs": null',
        "x.json:4: num_epochs: Received: null. Expected: a whole number, at least 1.",
    ),
    Row(
        '"num_epochs": 3',
        '"num_epochs": 99999999999999999999',
        "x.json:4: num_epochs: Received: 99999999999999999999. Expected: a whole number, at least 1.",
    ),
    Row(
        '"interval": 2',
        '"interval": -1',
        "x.json:8: checkpoints.interval: Received: -1. Expected: a whole number, at least 1.",
    ),
    Row(
        '"batch_size": 16',
        '"batch_size": 0',
        "x.json:16: data.batch_size: Received: 0. Expected: a whole number, at least 1.",
    ),
    Row(
        '"batch_size": 16',
        '"batch_size": [16]',
        "x.json:16: data.batch_size: Received: [16]. Expected: a whole number, at least 1.",
    ),
    Row(
        '"preload": true',
        '"preload": "true"',
        'x.json:17: data.preload: Received: "true". Expected: true or false.',
    ),
    Row(
        '"preload": true',
        '"preload": 1',
        "x.json:17: data.preload: Received: 1. Expected: true or false.",
    ),
    Row(
        '"outfile": "out.txt"',
        '"outfile": ""',
        'x.json:3: outfile: Received: "". Expected: a path.',
    ),
    Row(
        '"outfile": "out.txt"',
        '"outfile": "a\\u0000b"',
        'x.json:3: outfile: Received: "a\\u0000b". Expected: a path.',
    ),
    Row(
        '"outfile": "out.txt"',
        '"debug_interval": 0',
        "x.json:3: debug_interval: Received: 0. Expected: a whole number, at least 1.",
    ),
    Row(
        '"outfile": "out.txt"',
        '"ddl": {"seed": "x"}',
        "x.json:3:17: ddl.seed: Received: seed='x'. Expected: a whole number.",
    ),
    Row(
        '"function": "nll"',
        '"function": "nl"',
        'x.json:25: loss.function: Received: "nl". Expected: one of NLL, BCE, MSE, Dice, Jaccard, Focal, L...',
    ),
    Row(
        '"function": "nll"',
        '"function": 3',
        "x.json:25: loss.function: Received: 3. Expected: one of NLL, BCE, MSE, Dice, Jaccard, Focal, Lova...",
    ),
    Row(
        '"source": "softmax"',
        '"source": "softmacks"',
        'x.json:26: loss.source: Received: "softmacks". Expected: one of sigmoid, softmax, log_softmax. Di...',
    ),
    Row(
        '"source": "softmax"',
        '"weight": 1',
        "x.json:26: loss.weight: Received: 1. Expected: a list of numbers, at least 0.",
    ),
    Row(
        '"source": "softmax"',
        '"weight": [1, -1]',
        "x.json:26: loss.weight: Received: [1, -1]. Expected: a list of numbers, at least 0.",
    ),
    Row(
        '"source": "softmax"',
        '"weight": []',
        "x.json:26: loss.weight: Received: []. Expected: a list of numbers, at least 0.",
    ),
    Row(
        '"source": "softmax"',
        '"ignore_index": 0.5',
        "x.json:26: loss.ignore_index: Received: 0.5. Expected: a whole number.",
    ),
    Row(
        '"type": "sgd"',
        '"type": "sgdd"',
        'x.json:29: optimizer.type: Received: "sgdd". Expected: one of SGD, Adagrad, Adam, AdamW, RMSprop,...',
    ),
    Row(
        '"learning_rate": 0.1',
        '"learning_rate": 0',
        "x.json:30: optimizer.learning_rate: Received: 0. Expected: a number, above 0.",
    ),
    Row(
        '"learning_rate": 0.1',
        '"learning_rate": "0.1"',
        'x.json:30: optimizer.learning_rate: Received: "0.1". Expected: a number, above 0.',
    ),
    Row(
        '"momentum": 0.9',
        '"momentum": 1',
        "x.json:31: optimizer.momentum: Received: 1. Expected: a number, at least 0, below 1.",
    ),
    Row(
        '"momentum": 0.9',
        '"weight_decay": -1e-4',
        "x.json:31: optimizer.weight_decay: Received: -0.0001. Expected: a number, at least 0.",
    ),
    Row(
        '"gamma": 0.5',
        '"gamma": 1.5',
        "x.json:34: optimizer.lr_scheduler.gamma: Received: 1.5. Expected: a number, above 0, at most 1.",
    ),
    Row(
        '"type": "Exponential"',
        '"type": "Exponentail"',
        'x.json:33: optimizer.lr_scheduler.type: Received: "Exponentail". Expected: one of Step, MultiStep...',
    ),
    Row(
        '"input_type": "images"',
        '"input_type": "labels"',
        'x.json:11: data.input_type: Received: "labels". Expected: one of mnist, images, numpy, hdf5, pde.',
    ),
    Row(
        '"target_type": "labels"',
        '"target_type": "label"',
        'x.json:12: data.target_type: Received: "label". Expected: one of mnist, images, labels, numpy, hd...',
    ),
    Row(
        "[16, 16]",
        "[16]",
        "x.json:19: data.transforms.0.resize: Received: [16]. Expected: a list of two whole numbers, at le...",
    ),
    Row(
        "[16, 16]",
        "16",
        "x.json:19: data.transforms.0.resize: Received: 16. Expected: a list of two whole numbers, at leas...",
    ),
    Row(
        "[16, 16]",
        "[16, 0]",
        "x.json:19: data.transforms.0.resize: Received: [16, 0]. Expected: a list of two whole numbers, at...",
    ),
    Row(
        "[16, 16]",
        "[16, 16.5]",
        "x.json:19: data.transforms.0.resize: Received: [16, 16.5]. Expected: a list of two whole numbers,...",
    ),
    Row(
        '"std": 0.25',
        '"std": 0',
        "x.json:20:47: data.transforms.1.normalize.std: Received: 0. Expected: a number, above 0.",
    ),
    Row(
        '"std": 0.25',
        '"std": [0.25, "a"]',
        'x.json:20:47: data.transforms.1.normalize.std: Received: [0.25, "a"]. Expected: a number, above 0.',
    ),
    Row(
        '{ "random_horizontal_flip": 0.5 }',
        '{ "random_horizontal_flip": 1.5 }',
        "x.json:21: data.transforms.2.random_horizontal_flip: Received: 1.5. Expected: a number, at least ...",
    ),
    Row(
        '{ "random_horizontal_flip": 0.5 }',
        '{ "jitter_crop": 1 }',
        "x.json:21: data.transforms.2.jitter_crop: Received: 1. Expected: a number, at least 0, below 1.",
    ),
    Row(
        '{ "random_horizontal_flip": 0.5 }',
        '{ "convert_color": "BGR2RBG" }',
        'x.json:21: data.transforms.2.convert_color: Received: "BGR2RBG". Expected: one of BGR2RGB, RGB2BG...',
    ),
    Row(
        '{ "random_horizontal_flip": 0.5 }',
        '{ "random_patches": { "number": 3 } }',
        "x.json:21:19: data.transforms.2.random_patches.size: is missing. Expected: a whole number, at lea...",
    ),
    Row(
        '{ "random_horizontal_flip": 0.5 }',
        '{ "random_patches": 3 }',
        "x.json:21: data.transforms.2.random_patches: Received: 3. Expected: an object, from { to }.",
    ),
    Row(
        '{ "random_horizontal_flip": 0.5 }',
        '"flip"',
        'x.json:21: data.transforms.2: Received: "flip". Expected: an object, from { to }.',
    ),
    Row(
        '"layers": "net.json"',
        '"layers": []',
        "x.json:5: layers: Received: no layers. Expected: at least one.",
    ),
    Row(
        '"layers": "net.json"',
        '"layers": 3',
        "x.json:5: layers: Received: 3. Expected: the path of a network file, or a list of layers.",
    ),
    Row(
        '"layers": "net.json"',
        '"layers": {"file": "net.json", "batch_norm_affine": "never"}',
        'x.json:5:40: layers.batch_norm_affine: Received: "never". Expected: one of keras, always.',
    ),
    Row(
        '"layers": "net.json"',
        '"layers": {"batch_norm_affine": "always"}',
        "x.json:5:9: layers: Received: no network. Expected: one of file, layers.",
    ),
    Row(
        '"sizes": [8, 8, 1],',
        "",
        "x.json:13: data.slicers.0.sizes: is missing. Expected: a list of whole numbers, at least 1.",
        BLOCKS,
    ),
    Row(
        '"half"',
        '"quarter"',
        'x.json:11: data.hdf5_precision: Received: "quarter". Expected: one of single, half.',
        BLOCKS,
    ),
    Row(
        '"bc_frequency": [1, 4]',
        '"bc_frequency": [1]',
        "x.json:9: data.bc_frequency: Received: [1]. Expected: a list of two numbers, at least 0.",
        EQUATION,
    ),
    Row(
        '"max_iterations": 20',
        '"learning_rate": 0.1',
        "x.json:13:43: optimizer.learning_rate: has no meaning for Hessian. It is for SGD, Adagrad, Adam, ...",
        EQUATION,
    ),
]
"""Values of another type, out of range, or unknown names."""

TOGETHER = [
    Row(
        '"source": "softmax"',
        '"weight": [0, 0]',
        "x.json:26: loss.weight: Received: zeros alone. Expected: one above 0.",
    ),
    Row(
        '"test_input_path": "train/"',
        '"test_input_path": "a.npy"',
        "x.json:8: data.test_input_path: a.npy, but its type is hdf5. Expected: a file of that type.",
        BLOCKS,
    ),
    Row(
        '"layers": "net.json",',
        "",
        "x.json:2: layers: is missing. Expected: the path of a network file, or a list of layers.",
    ),
    Row(
        '"net.json"',
        '"no.json"',
        "x.json:5: layers: no.json does not exist. Expected: a network file.",
    ),
    Row('"net.json"', '"train"', "x.json:5: layers: train is no file. Expected: a network file."),
    Row(
        '"train/"',
        '"trian/"',
        "x.json:13: data.input_path: trian/ does not exist. Expected: a file or folder.",
    ),
    Row(
        '"test/"',
        '"tset/"',
        "x.json:14: data.test_input_path: tset/ does not exist. Expected: a file or folder.",
    ),
    Row(
        '"function": "nll",',
        "",
        "x.json:24: loss.function: is missing. Expected: one of NLL, BCE, MSE, Dice, Jaccard, Focal, Lovas...",
    ),
    Row(
        '"type": "sgd",',
        "",
        "x.json:28: optimizer.type: is missing. Expected: one of SGD, Adagrad, Adam, AdamW, RMSprop, LARS,...",
    ),
    Row(
        '"type": "Exponential",',
        "",
        "x.json:32: optimizer.lr_scheduler.type: is missing. Expected: one of Step, MultiStep, Exponential...",
    ),
    Row(
        '"type": "Exponential"',
        '"type": "Step"',
        "x.json:32: optimizer.lr_scheduler.step_size: is missing. Expected: a whole number, at least 1.",
    ),
    Row(
        '"type": "Exponential"',
        '"type": "MultiStep"',
        "x.json:32: optimizer.lr_scheduler.milestones: is missing. Expected: a list of whole numbers, at l...",
    ),
    Row(
        '"type": "Exponential"',
        '"type": "MultiStep", "milestones": [3, 2]',
        "x.json:33:38: optimizer.lr_scheduler.milestones: Received: [3, 2]. Expected: increasing epochs.",
    ),
    Row(
        '"function": "nll",\n            "source": "softmax"',
        '"function": "Dice"',
        "x.json:25: loss.function: Dice compares masks, and targets are labels. Expected: NLL.",
    ),
    Row(
        '"function": "nll",\n            "source": "softmax"',
        '"function": "Poisson2D_PDE"',
        "x.json:25: loss.function: Poisson2D_PDE needs fields, and targets are labels. Expected: NLL.",
    ),
    Row(
        '"source": "softmax"',
        '"source": "sigmoid"',
        "x.json:26: loss.source: sigmoid for NLL. Expected: softmax or log_softmax; or the loss BCE.",
    ),
    Row(
        '"momentum": 0.9',
        '"nesterov": true',
        'x.json:31: optimizer.nesterov: true without momentum. Expected: such as "momentum": 0.9.',
    ),
    Row(
        '"momentum": 0.9',
        '"momentum": 0.9, "nesterov": true, "dampening": 0.1',
        "x.json:31:30: optimizer.nesterov: true with dampening. Expected: one of them.",
    ),
    Row(
        '"target_type": "labels",',
        "",
        "x.json:10: data.type: is missing. Expected: type, or input_type and target_type.",
    ),
    Row(
        '"input_type": "images",\n            "target_type": "labels",',
        '"type": "labels",',
        'x.json:11: data.type: labels are targets. Expected: "input_type": "images", "target_type": "labels".',
    ),
    Row(
        '"target_type": "labels"',
        '"target_type": "images"',
        "x.json:10: data.target_path: is missing, and needed for targets that are images.",
    ),
    Row(
        '"input_path": "train/",\n            "test_input_path": "test/",\n            "test_output_path": "outputs/",',
        "",
        "x.json:10: data: Received: neither input_path nor test_input_path. Expected: one of them.",
    ),
    Row(
        '"test_input_path": "test/",',
        "",
        "x.json:15: data.test_output_path: has no meaning without data.test_input_path. Expected: both, or...",
    ),
    Row(
        '"test_input_path": "test/",',
        '"test_input_path": "test/", "grayscale": true, "input_grayscale": false,',
        "x.json:14:60: data.input_grayscale: false with grayscale. Expected: one of them.",
    ),
    Row(
        '"optimizer": { "type": "Adam", "eps": 1e-7 }',
        '"debug": false',
        'x.json:2: optimizer: is missing, and needed to train. Expected: such as {"type": "Adam"}.',
        BLOCKS,
    ),
    Row(
        '"loss": { "function": "Dice" }',
        '"debug": false',
        'x.json:2: loss: is missing, and needed to train. Expected: such as {"function": "NLL"}.',
        BLOCKS,
    ),
    Row(
        '"strides": [4, 8, 1]',
        '"strides": [4, 8]',
        "x.json:16: data.slicers.0.strides: Received: 2 numbers. Expected: 3, as in sizes.",
        BLOCKS,
    ),
    Row(
        '"padding": [1, 1, 0]',
        '"padding": [1]',
        "x.json:17: data.slicers.0.padding: Received: 1 numbers. Expected: 3, as in sizes.",
        BLOCKS,
    ),
    Row(
        '"padding": [1, 1, 0]',
        '"padding": [1, 1, 0], "padded_sizes": [9, 9, 1]',
        "x.json:17:21: data.slicers.0.padding: with padded_sizes. Expected: one of them.",
        BLOCKS,
    ),
    Row(
        '"padded_sizes": [9, 9, 9]',
        '"padded_sizes": [7, 9, 9]',
        "x.json:20:52: data.slicers.1.padded_sizes: smaller than sizes. Expected: at least sizes.",
        BLOCKS,
    ),
    Row(
        '"sizes": [8, 8, 1]',
        '"sizes": [8, 8, 2]',
        "x.json:18: data.slicers.0.transpose: of blocks that are not 2D. Expected: two sizes above 1.",
        BLOCKS,
    ),
    Row(
        '"sizes": [8, 8, 8], "padded_sizes": [9, 9, 9]',
        '"sizes": [8, 8]',
        "x.json:20:32: data.slicers.1.sizes: Received: 2 numbers. Expected: 3, as in the first set.",
        BLOCKS,
    ),
    Row(
        '"name": "b"',
        '"name": "a"',
        "x.json:20:19: data.slicers.1.name: a twice. Expected: a name for each set.",
        BLOCKS,
    ),
    Row(
        '"target_path": "test/",\n            "test_input',
        '"test_input',
        "x.json:4: data.target_path: is missing, and needed for targets that are hdf5.",
        BLOCKS,
    ),
    Row(
        '"domain_size": 32,',
        "",
        "x.json:4: data.domain_size: is missing, and needed for pde. Expected: a whole number of points.",
        EQUATION,
    ),
    Row(
        '"bc_frequency": [1, 4]',
        '"bc_frequency": [4, 1]',
        "x.json:9: data.bc_frequency: Received: 4 above 1. Expected: least and largest.",
        EQUATION,
    ),
    Row(
        '"num_examples": 8,\n            "num_test_examples": 4,',
        "",
        "x.json:4: data: Received: neither num_examples nor num_test_examples. Expected: one of them.",
        EQUATION,
    ),
    Row(
        '"checkpoints": { "load": "models/model_checkpoint_3.pt" },',
        "",
        "x.json:2: checkpoints.load: is missing, and needed without data.input_path. Expected: the model t...",
        INFERENCE,
    ),
]
"""Keys that contradict each other, or need another one."""
