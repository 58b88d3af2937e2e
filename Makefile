# make install: what the other targets need, in .venv; make demo: the main job on real input; make test: the tests; make check: lint, types and tests;
# make docs: the site of docs/ in site/; any warning is an error;
# make standins: install what stands in for AWS in tests (they are skipped without it);
# make chaos: kill control processes and workers for minutes, then look at what came of it (the last line is JSON).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test check lint types docs chaos standins clean

install: $(STAMP)

demo: $(STAMP)
	$(BIN)/cirrus demo demo-output --fresh

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

# NO_MKDOCS_2_WARNING quiets an announcement of the theme's makers, which is about none of our pages.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

check: lint types docs test

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
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[aws,deploy,geo,stactools,docs,dev]'
	@touch $@

standins:
	@PYTHON=$(PYTHON) tests/aws/install_standins.sh

clean:
	rm -rf $(VENV) .standins demo-output site .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
