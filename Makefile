# Everything a developer runs. `make demo` and `make test` need Python 3.11 or newer (with venv) and make, no more.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Tests run in parallel, a process for each core.
JOBS ?= auto

.PHONY: help demo test clients fuzz lint format docs images bench serve clean

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

# The official clients, which the tests drive the server with: the Python SDK wants an older protobuf than the server
# takes, so it has an environment of its own. Node's are left out where there is no npm, or nothing to install from.
CLIENTS := $(VENV)-clients

$(CLIENTS)/python.stamp: tests/clients/requirements.txt | $(BIN)/python
	@echo "Installing the official Python clients into $(CLIENTS) …"
	$(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/clients/requirements.txt
	@touch $@

$(CLIENTS)/node.stamp: tests/clients/node/package.json | $(CLIENTS)/python.stamp
	@if command -v npm >/dev/null; then \
		echo "Installing the official Node clients into tests/clients/node …"; \
		cd tests/clients/node && npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts \
			|| echo "npm could not install them: their tests will be skipped"; \
	fi
	@touch $@

clients: $(CLIENTS)/python.stamp $(CLIENTS)/node.stamp ## Install the official clients that tests use

# Tests that can run on SQLite and on PostgreSQL run on both; DATABASES=one: on one of them, half of the tests on each.
DATABASES ?= both

test: $(VENV)/dev.stamp clients ## Run all tests
	CLIENTS_VENV=$(abspath $(CLIENTS)) $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --databases $(DATABASES)

# Calls of each operation of the API's description; FUZZ_SEED=n makes others.
EXAMPLES ?= 100

fuzz: $(VENV)/dev.stamp ## Call the API by its own description, many times over; EXAMPLES=n
	FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/fuzz -p no:xdist -q

lint: $(VENV)/dev.stamp ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/dev.stamp ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/dev.stamp ## Write the pages that come from the code: settings, commands, RPCs
	$(BIN)/python -m labelwright.cli.reference docs

images: $(VENV)/dev.stamp ## Take the pictures of the pages in docs/images, with the Chromium that is there
	$(BIN)/python docs/images/take.py

bench: $(VENV)/dev.stamp ## Measure speed; prints JSON
	$(BIN)/python benchmarks/pipeline.py
	$(BIN)/python benchmarks/api.py
	$(BIN)/python benchmarks/review.py

clean: ## Remove what make made
	rm -rf $(VENV) $(CLIENTS) tests/clients/node/node_modules demo build dist .mypy_cache .ruff_cache .pytest_cache
