#!/usr/bin/env bash
# Makes .venv in this checkout: TensorFlow, an MPI, and a Horovod built to fit them. Needs no root.
#
#   ./setup.sh          once, and again after a pull: done in a second when there is nothing to do
#   ./setup.sh --extras with OpenVINO and ONNX, to export models and to use them there
#   ./setup.sh --dev    with what ./run_tests.sh needs, --extras among it
#
# DDL_PYTHON=python3.11   the Python to use (3.10 to 3.13)
# DDL_ACCELERATOR=gpu|cpu otherwise gpu where there is an NVIDIA GPU
# DDL_VENV=folder         instead of .venv
# DDL_CACHE_DIR=folder    instead of ~/.cache/ddl
# DDL_SETUP=done          change nothing: DDL_VENV is complete (as in a container image, which nobody may write to)
# HOROVOD_*               go to Horovod's build. See docs/install.md.
set -euo pipefail
cd "$(dirname "$0")"

case "${DDL_SETUP:-}" in
    "") ;;
    done)
        [[ -x "${DDL_VENV:-.venv}/bin/python" ]] && exit
        echo "setup: DDL_SETUP=done, and ${DDL_VENV:-.venv} has no Python: leave DDL_SETUP out to set it up." >&2
        exit 2
        ;;
    *)
        echo "setup: DDL_SETUP=$DDL_SETUP is unknown: set it to done, or leave it out." >&2
        exit 2
        ;;
esac
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
