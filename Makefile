# Everything runs in .venv, which this file makes. `make` alone lists what there is.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-for-bench

.DEFAULT_GOAL := help
.PHONY: help demo test test-tools soak lint format types bench clean

help: ## List what there is to do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group dev --editable .
	@touch $@

demo: $(STAMP) ## Validate, plan and apply the examples on the embedded service
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

test: lint types $(STAMP) ## Lint, types and all tests
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered --numprocesses=2 -m "not soak"

test-tools: $(STAMP) ## The checks that need more than Python; says what it did not run
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh tests/tools.sh

soak: $(STAMP) ## Hundreds of kills and long random runs
	$(BIN)/python -m pytest -m soak --timeout=7200

lint: $(STAMP) ## Style and common mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## Types, strictly
	$(BIN)/mypy

format: $(STAMP) ## Put the code in its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(BENCH_STAMP): $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group bench
	@touch $@

bench: $(BENCH_STAMP) ## Measure against the peers; prints ratios
	$(BIN)/python -m bench $(ROWS)

clean: ## Remove what was made
	rm -rf $(VENV) .demo dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
