#!/usr/bin/env bash
# Trains the network of a prototxt file, as dolphin-dnn's script of this name does. docs/prototxt.md has the flags.
#
#   bin/run_neuralnet.sh -local true -maxIter 100 -conf examples/prototxt/mnist.prototxt -input rows.txt -timeout 800000
set -uo pipefail
home="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)" || exit 1
python="${DDL_VENV:-$home/.venv}/bin/python"
[[ -x "$python" ]] || python=python3
exec "$python" "$home/scripts/run_neuralnet.py" "$@"
