# Two commands are enough: `make quickstart` and `make test`. Needs Python 3.11, git, make and a C compiler.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
DONE := $(VENV)/.installed

# of the machine with the GPU, for gpu-bundle
GPU_PYTHON ?= 3.12
NEWS ?= ../shared/data/news-real.parquet

.PHONY: help setup quickstart test check compat docs gpu-bundle clean

help:
	@echo "make quickstart   set up, then the whole path on the embedded newswire (some minutes)"
	@echo "make test         set up, then the tests"
	@echo "make check        lint, types, documentation, generated references"
	@echo "make compat       opens a checkpoint with transformers 4.56 (downloads it)"
	@echo "make gpu-bundle   .gpu/: what benchmarks/gpu/run.sh needs on a GPU machine without a network"
	@echo "make setup        .venv with pinned versions"

setup: $(DONE)

$(DONE): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null 2>&1 && p=$(PYTHON) || p=python3; \
	  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Dateline needs Python 3.11 or newer"; exit 2; }; \
	  $$p -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $(DONE)

quickstart: setup
	$(BIN)/dateline quickstart

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python scripts/make_cli_reference.py --check
	$(BIN)/sphinx-build -q -W -b html docs docs/_build/html
	@echo "check: all clean"

compat: setup
	$(BIN)/python scripts/check_transformers4.py

gpu-bundle: setup
	@bash benchmarks/gpu/bundle.sh $(BIN)/python $(NEWS) $(GPU_PYTHON)

docs: setup
	$(BIN)/python scripts/make_cli_reference.py
	$(BIN)/sphinx-build -q -W -b html docs docs/_build/html

clean:
	rm -rf build dist docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis
