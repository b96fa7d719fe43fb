#!/bin/sh
# A second environment with only tflite-runtime in it, LiteRT's predecessor.
# Usage: make_tflite_venv.sh PYTHON FOLDER
set -eu
python=$1
folder=$2

if ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
    python=$(command -v python3.11 || true)
fi
if [ -z "$python" ]; then
    echo "no Python 3.11: tflite-runtime is not tested" >&2
    mkdir -p "$folder"
    exit 0
fi
"$python" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --editable '.[tflite]' pytest pytest-timeout
"$folder/bin/python" -m pip uninstall --quiet --yes ai-edge-litert
