# Everything a person needs: `make run ARGS=…`, `make test`, `make bench`, `make wheel`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TFLITE_VENV := .venv-tflite
# The dependencies are installed again when what names them changes.
METADATA := setup.cfg pyproject.toml

.PHONY: run replay test lint bench wheel system-packages clean

run: $(VENV)/runtime
	$(BIN)/edge-runtime run $(ARGS)

test: system-packages $(VENV)/test $(TFLITE_VENV)/ready lint
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(VENV)/test
	$(BIN)/python -m benchmarks $(ARGS)

wheel: $(VENV)/test
	$(BIN)/python -m build --wheel

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV) || { echo "a venv is needed: apt install python3-venv" >&2; exit 1; }

$(VENV)/runtime: $(METADATA) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/test: $(METADATA) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@ $(VENV)/runtime

# The predecessor of LiteRT has wheels for Python 3.11 and older only; its tests are skipped, and
# say so, where there is no such Python.
$(TFLITE_VENV)/ready: $(METADATA)
	sh tests/make_tflite_venv.sh $(PYTHON) $(TFLITE_VENV)
	touch $@

system-packages:
	sh tests/install_system_packages.sh

clean:
	rm -rf $(VENV) $(TFLITE_VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
