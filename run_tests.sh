#!/usr/bin/env bash
# Sets up .venv, then runs every check: ruff, ruff format, mypy, pytest. Fails if any of them fails.
#
#   ./run_tests.sh                     everything
#   ./run_tests.sh tests/install -x    all checks, and these arguments to pytest
set -uo pipefail
cd "$(dirname "$0")"

bin="${DDL_VENV:-.venv}/bin"
summary=()
failed=0

check() { # check NAME COMMAND...: run it, remember its result and its time
    local name="$1" start=$SECONDS result=ok
    shift
    echo "== $name: $*"
    "$@" || { result=FAILED; failed=1; }
    summary+=("$(printf '%-12s %-7s %4d s' "$name" "$result" "$((SECONDS - start))")")
}

start=$SECONDS
./setup.sh --dev || exit $?
summary+=("$(printf '%-12s %-7s %4d s' setup ok "$((SECONDS - start))")")
check ruff "$bin/ruff" check .
check format "$bin/ruff" format --check .
check mypy "$bin/mypy"

# pytest comes last, so that its own summary closes the output; the other results stand just above it.
printf '%s\n' "== so far" "${summary[@]}" "== pytest"
"$bin/python" -m pytest "$@" || failed=1
exit "$failed"
