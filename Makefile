# Everything a developer runs. `make demo` and `make test` need Python 3.11 or newer (with venv) and make, no more.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Tests run in parallel, a process for each core.
JOBS ?= auto

.PHONY: help demo test lint format docs bench serve clean

help: ## Show this help
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Labelwright needs Python 3.11 or newer; {sys.executable} is {v[0]}.{v[1]}. Name another one: make PYTHON=python3.12")'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "This Python has no venv. On Debian and Ubuntu: sudo apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# A stamp each: installed again when the requirements change.
$(VENV)/demo.stamp: pyproject.toml | $(BIN)/python
	@echo "Installing Labelwright and the demo's photos into $(VENV) …"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[demo]'
	@touch $@

$(VENV)/dev.stamp: pyproject.toml | $(BIN)/python
	@echo "Installing Labelwright and what its tests need into $(VENV) …"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/demo.stamp

demo: $(VENV)/demo.stamp ## Label real photos with the tutorial's workflow, and write demo/report.html
	$(BIN)/labelwright demo --out demo

serve: $(VENV)/demo.stamp ## Start a server on your data folder
	$(BIN)/labelwright serve

test: $(VENV)/dev.stamp ## Run all tests
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

lint: $(VENV)/dev.stamp ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/dev.stamp ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/dev.stamp ## Write the pages that come from the code: settings, commands, RPCs
	$(BIN)/python -m labelwright.cli.reference docs

bench: $(VENV)/dev.stamp ## Measure speed; prints JSON
	$(BIN)/python benchmarks/pipeline.py

clean: ## Remove what make made
	rm -rf $(VENV) demo build dist .mypy_cache .ruff_cache .pytest_cache
