#!/usr/bin/env bash
# Makes .venv in this checkout: TensorFlow, an MPI, and a Horovod built to fit them. Needs no root.
#
#   ./setup.sh          once, and again after a pull: done in a second when there is nothing to do
#   ./setup.sh --dev    with what ./run_tests.sh needs
#
# DDL_PYTHON=python3.11   the Python to use (3.10 to 3.13)
# DDL_ACCELERATOR=gpu|cpu otherwise gpu where there is an NVIDIA GPU
# DDL_VENV=folder         instead of .venv
# DDL_CACHE_DIR=folder    instead of ~/.cache/ddl
# HOROVOD_*               go to Horovod's build. See docs/install.md.
set -euo pipefail
cd "$(dirname "$0")"

python="${DDL_PYTHON:-python3}"
if ! command -v "$python" > /dev/null; then
    echo "setup: no $python on PATH: install Python 3.10 to 3.13, or name one with DDL_PYTHON." >&2
    exit 2
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 7))'; then
    echo "setup: $python is $("$python" --version 2>&1), and Python 3.10 to 3.13 is needed:" \
        "name one with DDL_PYTHON." >&2
    exit 2
fi
exec "$python" -m ddl.install --venv "${DDL_VENV:-.venv}" "$@"
