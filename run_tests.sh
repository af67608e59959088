#!/usr/bin/env bash
# Sets up .venv, then runs the checks: ruff, ruff format, mypy, pytest. Fails if any of them fails.
set -uo pipefail
cd "$(dirname "$0")"

usage() {
    cat << 'END'
usage: ./run_tests.sh [--all | --long NAME] [--coverage] [PATH...] [-x] [-k EXPRESSION] [-- PYTEST OPTIONS]

  ./run_tests.sh                      the first tier: what every change must pass
  ./run_tests.sh --all                the whole proof: the first tier and all tests marked `proof`
  ./run_tests.sh tests/install -x     the checks, and the first tier of these files alone
  ./run_tests.sh --all --coverage     the same with the line coverage of ddl/ at the end
  ./run_tests.sh --long NAME          one full-size demand alone, once; keeps benchmarks/results/long_NAME.json

Short options (-x, -k, -m, -q, -v, -s) and everything after -- go to pytest. CONTRIBUTING.md says how long each takes.
Demands:
END
    python3 tests/tiers/demands.py
}

refuse() { # refuse RECEIVED EXPECTED: one line, status 2
    echo "run_tests: Received: $1. Expected: $2." >&2
    exit 2
}

arguments=()
narrow=0
coverage=0
while (($#)); do
    case "$1" in
        -h | --help) usage && exit 0 ;;
        --all) arguments+=(--all) ;;
        --coverage) coverage=1 ;;
        --long)
            (($# > 1)) || refuse "--long without a name" "one of those that --help lists"
            python3 tests/tiers/demands.py "$2" || exit 2
            arguments+=(--long "$2")
            narrow=1 # one test at a time
            shift
            ;;
        --)
            shift
            arguments+=("$@")
            break
            ;;
        --*) refuse "$1" "--all, --long NAME, --coverage or --help; pytest's own options after --" ;;
        -[km])
            (($# > 1)) || refuse "$1 without an expression" "$1 EXPRESSION"
            arguments+=("$1" "$2")
            shift
            ;;
        -*) arguments+=("$1") ;;
        *)
            [[ -e "${1%%::*}" ]] || refuse "$1, which does not exist" "a file or folder of tests"
            arguments+=("$1")
            narrow=1
            ;;
    esac
    shift
done
[[ "${arguments[*]-}" == *--all*--long* || "${arguments[*]-}" == *--long*--all* ]] && refuse "--all and --long" "one of them"

bin="${DDL_VENV:-.venv}/bin"
summary=()
failed=0
trap 'printf "\nrun_tests: interrupted; the checks are not complete.\n" >&2; exit 130' INT

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

run=(-m pytest --durations=15)
# Two workers: one has all tests that start ranks, the other one the rest. A few files are faster without them.
((narrow)) || run+=(-n 2)
if ((coverage)); then
    export COVERAGE_FILE="$PWD/.coverage"
    "$bin/python" -m coverage erase
    run=(-m coverage run "${run[@]}")
fi

# pytest comes last, so that its own summary closes the output; the other results stand just above it.
printf '%s\n' "== so far" "${summary[@]}" "== pytest"
"$bin/python" "${run[@]}" ${arguments[@]+"${arguments[@]}"} || failed=1
if ((coverage)); then
    "$bin/python" -m coverage combine --quiet && "$bin/python" -m coverage report || failed=1
fi
exit "$failed"
