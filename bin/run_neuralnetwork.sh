#!/usr/bin/env bash
# The other name of run_neuralnet.sh: dolphin-dnn's document has both.
exec "$(dirname "${BASH_SOURCE[0]}")/run_neuralnet.sh" "$@"
