# Everything runs in .venv, which this file makes. `make` alone lists what there is.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
RUNS := $(VENV)/.installed-to-run
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-for-bench
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-tools soak lint format types lock docs bench clean

help: ## List what there is to do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(RUNS): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'taskctl needs Python 3.11 or newer; name one:  make PYTHON=python3.12 $(MAKECMDGOALS)'; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --editable .
	@touch $@

$(STAMP): $(RUNS)
	@$(PIP) --upgrade "pip>=25.1"
	@$(PIP) --group dev
	@touch $@

demo: $(RUNS) ## Validate, plan and apply the examples on the embedded service
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

test: lint types $(STAMP) ## Lint, types and all tests
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered --numprocesses=3 -m "not soak"

test-tools: $(STAMP) ## The checks that need more than Python; says what it did not run
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh tests/tools.sh

soak: $(STAMP) ## Hundreds of kills, long random runs, new examples for all properties
	$(BIN)/python -m pytest -m soak --timeout=7200 --hypothesis-profile=new
	$(BIN)/python -m pytest tests/unit --hypothesis-profile=new

lint: $(STAMP) ## Style and common mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## Types, strictly
	$(BIN)/mypy

docs: $(STAMP) ## Write the reference anew, build the site strictly, into site/
	$(BIN)/python -m tools.reference
	$(BIN)/zensical build --clean --strict

lock: ## Write requirements.txt: the pinned versions, with hashes (needs uv)
	script/lock

format: $(STAMP) ## Put the code in its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(BENCH_STAMP): $(STAMP)
	@$(PIP) --group bench
	@touch $@

bench: $(BENCH_STAMP) ## Measure against the peers; prints ratios
	$(BIN)/python -m bench $(ROWS)

clean: ## Remove what was made
	rm -rf $(VENV) .demo dist build site .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
