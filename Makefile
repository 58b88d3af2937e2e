# make demo: the main job on real input; make test: the tests; make check: lint, types and tests;
# make standins: install what stands in for AWS in tests (they are skipped without it);
# make chaos: kill control processes and workers for minutes, then look at what came of it (the last line is JSON).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test check lint types chaos standins clean

demo: $(STAMP)
	$(BIN)/cirrus demo demo-output --fresh

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

check: lint types test

CHAOS_PAYLOADS ?= 900
CHAOS_SECONDS ?= 120
CHAOS_CONTROLS ?= 3
CHAOS_OPTIONS ?=

chaos: $(STAMP)
	@$(BIN)/python -m tests.chaos.run --payloads $(CHAOS_PAYLOADS) --seconds $(CHAOS_SECONDS) \
	  --controls $(CHAOS_CONTROLS) $(CHAOS_OPTIONS)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[aws,geo,stactools,dev]'
	@touch $@

standins:
	@PYTHON=$(PYTHON) tests/aws/install_standins.sh

clean:
	rm -rf $(VENV) .standins demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
