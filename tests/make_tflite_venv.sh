#!/bin/sh
# An environment with tflite-runtime in the place of LiteRT, its successor.
# Usage: make_tflite_venv.sh PYTHON FOLDER
#
# There are no wheels for Python beyond 3.11: where there is none of that version, FOLDER stays
# empty, and the tests that want it say so.
set -eu
python=$1
folder=$2

is_3_11() {
    "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null
}

rm -rf "$folder"
mkdir -p "$folder"
is_3_11 "$python" || python=python3.11
if ! is_3_11 "$python"; then
    echo "no Python 3.11 here: tflite-runtime is not tested" >&2
    exit 0
fi
"$python" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --editable '.[tflite]' pytest pytest-timeout hypothesis
"$folder/bin/python" -m pip uninstall --quiet --yes ai-edge-litert
