"""What people ask of PyDTNN's launcher by mistake, or what it cannot do here, and a piece of the one line they get."""

from __future__ import annotations

from tests.scripts.spoiled import Row

_MESSAGES = {
    "--batchsize=64": "unknown flag --batchsize. Expected: a flag of PyDTNN",
    "--early=1": "the beginning of --early_stopping_metric and --early_stopping_patience",
    "--quantize --lr_schedulers=warm_up": "flags that no generation has together",
    "simplecnn": "argument 'simplecnn'. Expected: flags",
    "--batch_size=many": "--batch_size=many. Expected: a whole number.",
    "--evaluate=perhaps": "--evaluate=perhaps. Expected: true or false.",
    "--batch_size=1 --batch_size=2": "--batch_size twice. Expected: once.",
    "--generation 4": "generation='4'. Expected one of: 2020, 1, 3.",
    "--generation 1 --quantize": "unknown flag --quantize.",
    "--num_epochs=0": "epochs=0 for training. Expected: at least 1",
    "--dataset_train_path=nothing": "nothing, which does not exist.",
    "--model=resnet19": "model='resnet19'. Expected one of:",
    "--model=bert": "no classifier of pictures.",
    "--parallel=hybrid": "--parallel=hybrid. Expected: data",
    "--dtype=float64": "--dtype=float64. Expected: float32",
    "--dataset=iwslt": "--dataset=iwslt. Expected: one of mnist, cifar10",
    "--encryption=ckks": "--encryption=ckks. Expected: gradients as they are",
    "--evaluate_only=true": "Expected: python scripts/evaluate.py",
    "--optimizer=oktopk": "--optimizer=oktopk. Expected: one of",
    "-- --epochz 3": "unknown flag --epochz. Expected: --epochs",
    "--num_epochs=3 -- --model vgg": "Unknown model. Received: 'vgg'.",
}

PYDTNN = [Row(f"benchmarks_CNN {flags}", message) for flags, message in _MESSAGES.items()]
