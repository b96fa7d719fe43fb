# Everything a person needs: `make run ARGS=…`, `make test`, `make bench`, `make wheel`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TFLITE_VENV := .venv-tflite
MEDIAPIPE_VENV := .venv-mediapipe
TRACKING_VENV := .venv-tracking
# The dependencies are installed again when what names them changes.
METADATA := setup.cfg pyproject.toml

.PHONY: models run demo test lint bench tracking-benchmark wheel check-aarch64 system-packages clean

run: $(VENV)/runtime
	$(BIN)/edge-runtime run $(ARGS)

# The whole, to be watched: `make demo`, `make demo SOURCE=0|clip.mp4|rtsp://…`.
SOURCE ?= scene:atm

demo: $(VENV)/demo
	$(BIN)/edge-runtime demo --source '$(SOURCE)' --out out/demo $(ARGS)

test: system-packages $(VENV)/test $(TFLITE_VENV)/ready $(MEDIAPIPE_VENV)/ready lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(VENV)/test
	$(BIN)/python -m benchmarks $(ARGS)

# Our tracks beside norfair's and supervision's.
tracking-benchmark: $(TRACKING_VENV)/ready
	$(TRACKING_VENV)/bin/python -m benchmarks.tracking $(ARGS)

# Makes the models that ship, given the data: recipes name what they need below it.
DATA ?= $(or $(EDGE_TEST_DATA),../shared/data)
RECIPES := $(wildcard examples/recipes/*.toml)
models: $(VENV)/test $(RECIPES:examples/recipes/%.toml=build/%/done)
	cp build/*/*.edgebundle edge_runtime/models/

build/%/done: examples/recipes/%.toml
	rm -f build/$*/*.edgebundle
	$(BIN)/edge-export run $< --root $(DATA) --out build/$* --demonstration
	touch $@

# A module that was deleted would live on in build/ and get into the wheel.
wheel: $(VENV)/test
	rm -rf build dist
	$(BIN)/python -m build --wheel

# Is there a binary wheel of everything for 64-bit Raspberry Pi OS? bookworm has Python 3.11 and
# glibc 2.36, trixie Python 3.13 and glibc 2.41; a glibc takes the wheels of all older ones.
check-aarch64: wheel
	$(call download_aarch64,3.11,36)
	$(call download_aarch64,3.13,41)

download_aarch64 = $(BIN)/python -m pip download --quiet --only-binary :all: \
	--dest build/aarch64-$(1) --python-version $(1) --implementation cp \
	--platform linux_aarch64 --platform manylinux2014_aarch64 \
	$(shell seq --format '--platform manylinux_2_%g_aarch64' $(2) -1 17) dist/*.whl

# A venv that could not be finished would be taken for one the next time.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	echo "Python 3.11 or newer with its venv is needed: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/runtime: $(METADATA) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/demo: $(METADATA) | $(BIN)/python
	@echo "setting up $(VENV), once"
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	touch $@ $(VENV)/runtime

$(VENV)/test: $(METADATA) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@ $(VENV)/runtime $(VENV)/demo

$(TFLITE_VENV)/ready: $(METADATA) tests/make_tflite_venv.sh
	sh tests/make_tflite_venv.sh $(PYTHON) $(TFLITE_VENV)
	touch $@

# Another reader of our models, in an environment of its own: it brings its own versions of all.
$(MEDIAPIPE_VENV)/ready: $(METADATA)
	rm -rf $(MEDIAPIPE_VENV)
	$(PYTHON) -m venv $(MEDIAPIPE_VENV)
	$(MEDIAPIPE_VENV)/bin/python -m pip install --quiet 'mediapipe>=1.2,<2'
	touch $@

# norfair holds numpy below 2, and what else is installed does not.
$(TRACKING_VENV)/ready: $(METADATA)
	rm -rf $(TRACKING_VENV)
	$(PYTHON) -m venv $(TRACKING_VENV)
	$(TRACKING_VENV)/bin/python -m pip install --quiet --editable '.[tracking-benchmark]'
	touch $@

system-packages:
	sh tests/install_system_packages.sh

clean:
	rm -rf $(VENV) $(TFLITE_VENV) $(MEDIAPIPE_VENV) $(TRACKING_VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
