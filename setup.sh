#!/usr/bin/env bash
# Creates .venv in this checkout with TensorFlow, an MPI, and a Horovod built for both. Needs no root.
#
#   ./setup.sh          run it once and after every pull; takes a second when everything is up to date
#   ./setup.sh --extras also install OpenVINO and ONNX, to export models and run the exports
#   ./setup.sh --dev    also install what ./run_tests.sh needs (includes --extras)
#
# DDL_PYTHON=python3.11   Python to use, 3.10 to 3.13 (default: python3)
# DDL_ACCELERATOR=gpu|cpu TensorFlow build (default: gpu if the machine has an NVIDIA GPU)
# DDL_VENV=folder         environment (default: .venv)
# DDL_CACHE_DIR=folder    cache (default: ~/.cache/ddl)
# DDL_SETUP=done          change nothing: DDL_VENV is complete, as in a read-only container image
# HOROVOD_*               options of Horovod's build; see docs/install.md
set -euo pipefail
cd "$(dirname "$0")"

case "${DDL_SETUP:-}" in
    "") ;;
    done)
        [[ -x "${DDL_VENV:-.venv}/bin/python" ]] && exit
        echo "setup: DDL_SETUP=done, but ${DDL_VENV:-.venv} has no Python: unset DDL_SETUP to create the environment." >&2
        exit 2
        ;;
    *)
        echo "setup: unknown value DDL_SETUP=$DDL_SETUP: set it to done, or unset it." >&2
        exit 2
        ;;
esac
python="${DDL_PYTHON:-python3}"
if ! command -v "$python" > /dev/null; then
    echo "setup: $python is not on PATH: install Python 3.10 to 3.13, or set DDL_PYTHON to one." >&2
    exit 2
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 7))'; then
    echo "setup: $python is $("$python" --version 2>&1), but Python 3.10 to 3.13 is required:" \
        "set DDL_PYTHON to one." >&2
    exit 2
fi
exec "$python" -m ddl.install --venv "${DDL_VENV:-.venv}" "$@"
