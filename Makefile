# make run    a demo call on http://localhost:8080
# make test   everything, in real browsers and on a real PostgreSQL
# make lint   formatting, rules, types
# make bench  the figures of docs/figures.md
# make setup  all tools into .venv

PYTHON ?= python3
PYTEST_ARGS ?=

# Where a machine forbids it: what Python compiled is kept, for the tests start the server a hundred times.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
LOCKED := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
OURSELVES := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .

BROWSERS := chromium=chromium firefox-esr=firefox-esr
SERVERS := /usr/lib/postgresql/*/bin/postgres=postgresql
TOOLS := age=age ffmpeg=ffmpeg sqlite3=sqlite3 npm=npm node=nodejs /usr/sbin/nft=nftables turnserver=coturn espeak-ng=espeak-ng ip=iproute2

# Calls between browsers need the machine to themselves: they run alone, after all that may run two at a time.
ALONE := $(patsubst %,tests/browser/test_%.py,bad_quarter call call_firefox fault_cut ladder new_address page_return pill recording_proof review turn)

.PHONY: run setup test lint format bench clean

run: $(VENV)/.run
	@TEDUH_LOG_LEVEL=$${TEDUH_LOG_LEVEL:-WARNING} $(BIN)/teduh serve --demo

setup: $(VENV)/.dev node_modules/.done

test: setup $(VENV)/s3/.done
	@scripts/debian $(BROWSERS) $(SERVERS) $(TOOLS)
	@$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder $(patsubst %,--ignore=%,$(ALONE)) $(PYTEST_ARGS)
	@$(BIN)/python -m pytest $(ALONE) $(PYTEST_ARGS)

lint: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@node_modules/.bin/tsc --noEmit

format: $(VENV)/.dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: setup
	@$(BIN)/python -m bench

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "teduh needs Python 3.11 or newer: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2> /dev/null || scripts/debian "/nowhere=python3-venv"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: constraints/runtime.txt constraints/build.txt pyproject.toml | $(BIN)/python
	@echo "Installing what teduh runs on into $(VENV)"
	@$(LOCKED) -r constraints/runtime.txt -r constraints/build.txt
	@$(OURSELVES)
	@touch $@

$(VENV)/.dev: constraints/dev.txt $(VENV)/.run
	@echo "Installing what teduh is built and tested with into $(VENV)"
	@$(LOCKED) -r constraints/dev.txt
	@touch $@

# A program that tests run against, as PostgreSQL is: what it needs must not bind what teduh runs on.
$(VENV)/s3/.done: constraints/s3.txt | $(BIN)/python
	@echo "Installing the S3 server that the tests use into $(VENV)/s3"
	@$(PYTHON) -m venv $(VENV)/s3
	@$(VENV)/s3/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints/s3.txt
	@touch $@

node_modules/.done: package.json
	@scripts/debian npm=npm node=nodejs
	@echo "Installing what the pages are checked with into node_modules"
	@npm install --no-package-lock --no-audit --no-fund --silent
	@touch $@

clean:
	rm -rf $(VENV) node_modules build *.egg-info
