# Everything a person or CI runs. Needs Python 3.11 or later, git and make; installs the rest into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SAM := .venv-sam

.PHONY: install demo dev test test-all check lint types template unit sam registry lock bench clean

install: $(VENV)/.installed

$(VENV)/.installed: requirements-dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Nightshift needs Python 3.11 or later") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: install
	$(BIN)/nightshift demo

dev: install
	$(BIN)/nightshift dev

# --- tests ------------------------------------------------------------------
test: check unit

check: lint types template

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache

types: install
	$(BIN)/mypy shared functions local

template: install sam
	$(BIN)/python -m local.template.registry --check

unit: install
	$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup

# SAM's own command line, where it can be installed; its checks skip with a reason where it cannot. The lock names every
# package, so pip need not resolve (with hashes it cannot: it takes an extra of a pinned package for an unpinned one).
sam: $(SAM)/.tried

$(SAM)/.tried: requirements-sam.txt
	$(PYTHON) -m venv $(SAM)
	-$(SAM)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-sam.txt
	@touch $@

# Nothing in the tests needs Node.js, Java or Chromium yet: all of them run in `make test`.
test-all: test

# --- upkeep -----------------------------------------------------------------
registry: install
	$(BIN)/python -m local.template.registry

bench: install
	$(BIN)/python -m benchmarks.chunked_deletion
	$(BIN)/python -m benchmarks.fan_out

lock: install
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --strip-extras --no-header pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --strip-extras --no-header pyproject.toml --group dev -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --strip-extras --no-header --group sam -o requirements-sam.txt

clean:
	rm -rf $(VENV) $(SAM) .aws-sam .nightshift

# --- what `sam build` calls -------------------------------------------------
include build.mk
