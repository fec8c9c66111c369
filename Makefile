# Everything runs in .venv, which this file creates. `make` alone lists the targets.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
RUNS := $(VENV)/.installed-to-run
RELEASE := $(VENV)/release
LOCKED := requirements.txt requirements-postgresql.txt
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-for-bench
FUZZ_STAMP := $(VENV)/.installed-for-fuzz
TOOLS_STAMP := $(VENV)/.installed-for-tools
AUDIT_STAMP := $(VENV)/.installed-for-audit
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

LINT := $(BIN)/ruff check . && $(BIN)/ruff format --check .
TYPES := $(BIN)/mypy

# Tests and benchmarks start thousands of processes: without bytecode, each compiles the package.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-tools soak fuzz lint format types lock docs bench release audit clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(RUNS): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'taskctl needs Python 3.11 or newer. Name one:  make PYTHON=python3.12 $(MAKECMDGOALS)'; exit 1; }
	@echo 'Installing taskctl into $(VENV), once; this takes about half a minute.'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --editable .
	@touch $@

$(STAMP): $(RUNS)
	@echo 'Installing the development tools into $(VENV), once; this takes about a minute.'
	@$(PIP) --upgrade "pip>=25.1"
	@$(PIP) --group dev
	@touch $@

demo: $(RUNS) ## Validate, plan and apply the examples on the embedded service
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

# Lint and types run beside the tests, and are shown after them. In a fresh clone, pytest first
# compiles all test modules, once instead of in each worker.
test: $(STAMP) ## Lint, types and tests; COVER=1 also measures coverage
	@mkdir -p .cache; \
	{ $(LINT); lint=$$?; $(TYPES) && exit $$lint; } >.cache/checks 2>&1 & checks=$$!; \
	trap 'kill $$checks 2>/dev/null' EXIT; \
	test -d tests/unit/__pycache__ || $(BIN)/python -m pytest --collect-only >/dev/null; \
	failed=; \
	$(BIN)/python -m pytest $(if $(COVER),--cov --cov-report=term:skip-covered) \
		--numprocesses=auto -m "not soak and not tools" || failed="$$failed tests"; \
	wait $$checks || failed="$$failed lint/types"; \
	cat .cache/checks; \
	if [ "$$failed" ]; then echo "make test: FAILED:$$failed"; exit 1; fi; \
	echo 'make test: passed'

$(TOOLS_STAMP): $(STAMP)
	@$(PIP) --group tools
	@touch $@

test-tools: $(TOOLS_STAMP) ## Checks that need more than Python; reports what it did not run
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh tests/tools.sh

soak: $(STAMP) ## Hundreds of kills, long random runs, new examples; reports what it did not run
	@failed=; \
	$(BIN)/python -m pytest --numprocesses=auto tests/unit --hypothesis-profile=new || failed=1; \
	$(BIN)/python -m tests.tools_engines "$(CURDIR)/.cache/servers" \
		--numprocesses=auto -m soak --hypothesis-profile=new || failed=1; \
	test -z "$$failed"

$(FUZZ_STAMP): $(STAMP)
	@$(PIP) --group fuzz
	@touch $@

TIME ?= 300
fuzz: $(FUZZ_STAMP) ## Fuzz with coverage guidance for TIME seconds; TARGETS= limits it
	$(BIN)/python -m tests.fuzz $(TIME) $(TARGETS)

lint: $(STAMP) ## Style and common mistakes
	$(LINT)

types: $(STAMP) ## Types, strictly
	$(TYPES)

docs: $(STAMP) ## Generate the reference and the pictures, build the site into site/
	$(BIN)/python -m tools.reference
	$(BIN)/zensical build --clean --strict

lock: ## Write the requirements files: the pinned versions, with hashes (needs uv)
	script/lock

format: $(STAMP) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Peers with what comes with them; check-jsonschema of the group dev has taskctl's YAML parser.
$(BENCH_STAMP): $(STAMP)
	@$(PIP) --group bench
	@test -x $(VENV)/peers/bin/python || $(BIN)/python -m venv $(VENV)/peers
	@$(VENV)/peers/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt check-jsonschema
	@! command -v npm >/dev/null || npm install --silent --no-fund --prefix $(VENV)/peers/node ajv-cli@5.0.0
	@touch $@

bench: $(BENCH_STAMP) ## Compare the speed with similar tools; prints ratios
	PATH="$(CURDIR)/.cache/servers/bin:$$PATH" $(BIN)/python -m bench $(ROWS)

# Only with files whose hashes are pinned, and without what tests and linters bring.
$(RELEASE)/.installed: $(LOCKED)
	@$(PYTHON) -m venv --clear $(RELEASE)
	@$(RELEASE)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		$(addprefix --requirement ,$(LOCKED))
	@touch $@

release: $(RELEASE)/.installed ## Build the files of a release into dist/, twice, and compare them
	$(RELEASE)/bin/python -m tools.release

$(AUDIT_STAMP): $(STAMP)
	@$(PIP) --group audit
	@touch $@

audit: $(AUDIT_STAMP) ## Look up known vulnerabilities of all pinned packages (needs the network)
	$(BIN)/python -m tools.audit

clean: ## Remove everything that make created
	rm -rf $(VENV) .demo dist build site .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
