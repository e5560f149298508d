#!/usr/bin/env bash
# Fresh environment -> lint -> types -> whole suite. The pytest summary stays the last output.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=$(mktemp -d)/venv
trap 'rm -rf "$(dirname "$venv")"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check -e ".[dev]"
# the vendor's own library is an oracle of some tests; where there is no wheel of it, they skip
"$venv/bin/pip" install --quiet --disable-pip-version-check -e ".[vendor]" || true

if [ -z "${MFXARRAY_DATA_DIR:-}" ] && [ -d ../shared/data ]; then
  MFXARRAY_DATA_DIR=$(cd ../shared/data && pwd)
  export MFXARRAY_DATA_DIR
fi
export MPLBACKEND=Agg

"$venv/bin/ruff" check .
"$venv/bin/ruff" format --check .
"$venv/bin/mypy"
"$venv/bin/python" -m pytest --durations=10
