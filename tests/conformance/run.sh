#!/usr/bin/env bash
# Real tools of others against a private exchange: schemathesis and the WebSocket client of Python.
#   tests/conformance/run.sh TEST [arguments]        TEST: test_openapi.py, test_websocket.py, test_klines.py
# EIDOS_BIN: where the programs are. EIDOS_VENV: where the tools are installed, once.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=${EIDOS_VENV:-$here/venv}
exec 9>"$here/.lock" # two tests at once install once
flock 9
if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/"
fi
flock -u 9
export PYTHONDONTWRITEBYTECODE=1
test=$1
shift
exec "$venv/bin/python" "$here/$test" "$@"
