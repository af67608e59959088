"""The keys of `data`: where samples come from."""

from __future__ import annotations

from ddl.config.json_run.keys.detector import BOXES
from ddl.config.json_run.keys.key import Key, Section
from ddl.config.json_run.keys.preparation import SLICER, TRANSFORM
from ddl.ranges import Range

TYPES = ("mnist", "images", "labels", "numpy", "hdf5", "pde", BOXES)
INPUT_TYPES = ("mnist", "images", "numpy", "hdf5", "pde")
ARRAYS = ("numpy", "hdf5")
DATA = Section(
    "data",
    "samples for training and test",
    (
        Key("type", "name", "what inputs and targets are", "told by the paths", choices=TYPES),
        Key(
            "input_type",
            "name",
            "what inputs are, where targets are something else",
            "told by the path",
            choices=INPUT_TYPES,
        ),
        Key(
            "target_type",
            "name",
            "what targets are, where inputs are something else",
            "--targets",
            choices=TYPES,
        ),
        Key(
            "input_path",
            "path",
            "folder or file of training inputs; without it, nothing is trained",
            "--data",
        ),
        Key("target_path", "path", "folder or file of training targets", "--target-data"),
        Key(
            "test_input_path",
            "path",
            "folder or file of test inputs, evaluated after each epoch; alone: inference",
            "--validation-data",
        ),
        Key(
            "test_target_path", "path", "folder or file of test targets", "--validation-target-data"
        ),
        Key(
            "test_output_path",
            "path",
            "folder for the network's outputs on the test inputs, output_EPOCH.h5",
            "--prediction-output",
        ),
        Key(
            "batch_size",
            "int",
            "samples a step, on all ranks together",
            "--global-batch-size",
            default=64,
            range=Range(1),
        ),
        Key(
            "test_batch_size",
            "int",
            "samples a step of an inference; evaluation during training takes `batch_size`",
            "speed and memory only",
            default=64,
            range=Range(1),
        ),
        Key("preload", "bool", "keep all samples in memory", "--cache memory, none", default=False),
        Key(
            "target_is_mask",
            "bool",
            "targets are class numbers: nearest neighbour when they are resized",
            "--targets mask",
            default=False,
        ),
        Key(
            "grayscale",
            "bool",
            "one channel for inputs and targets",
            "--data-option channels=grey",
            default=False,
        ),
        Key(
            "input_grayscale",
            "bool",
            "one channel for inputs",
            "--data-option channels=grey",
            default=False,
        ),
        Key(
            "target_grayscale",
            "bool",
            "one channel for targets",
            "--data-option target_channels=grey",
            default=False,
        ),
        Key(
            "training_tag",
            "text",
            "a folder of this name stands above the class folders of training",
            "--data-option tag=NAME",
            also=("train_tag",),
        ),
        Key(
            "test_tag",
            "text",
            "the same for test",
            "--data-option test_tag=NAME",
            also=("testing_tag",),
        ),
        Key(
            "transforms",
            "objects",
            "preparation of inputs and targets, in order",
            "--transform",
            section=TRANSFORM,
        ),
        Key(
            "input_transforms",
            "objects",
            "preparation of inputs only",
            "--input-transform",
            section=TRANSFORM,
        ),
        Key(
            "target_transforms",
            "objects",
            "preparation of targets only",
            "--target-transform",
            section=TRANSFORM,
        ),
        Key(
            "slicers",
            "objects",
            "blocks out of one large array, set by set",
            "--slicer",
            section=SLICER,
            only=ARRAYS,
        ),
        Key(
            "hdf5_outfile",
            "path",
            "file for the outputs of the blocks, put together again",
            "--assembled-output",
            only=ARRAYS,
        ),
        Key(
            "hdf5_precision",
            "name",
            "precision of that file",
            "--assembled-precision",
            default="single",
            choices=("single", "half"),
            only=ARRAYS,
        ),
        Key(
            "image_size",
            "ints",
            "height and width to which pictures are brought, with their boxes",
            "--image-size",
            range=Range(1),
            length=2,
            only=(BOXES,),
        ),
        Key(
            "domain_size",
            "int",
            "points along x",
            "--data-option domain_size=N",
            range=Range(2),
            only=("pde",),
        ),
        Key(
            "num_examples",
            "int",
            "training samples; without it, nothing is trained",
            "--data-option count=N",
            range=Range(1),
            only=("pde",),
        ),
        Key(
            "num_test_examples",
            "int",
            "test samples; without it, nothing is tested",
            "--validation-data burgers",
            range=Range(1),
            only=("pde",),
        ),
        Key(
            "bc_frequency",
            "floats",
            "least and largest frequency of the initial condition",
            "--data-option bc_frequency=A,B",
            range=Range(0),
            length=2,
            only=("pde",),
        ),
        Key(
            "bc_type",
            "name",
            "frequencies drawn at random, or evenly spaced",
            "--data-option bc_type=NAME",
            default="random_uniform",
            choices=("random_uniform", "fixed_uniform"),
            only=("pde",),
        ),
    ),
    decides="type",
)
