# Everything a person or CI runs. Needs Python 3.11 or later, git and make; installs the rest into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SAM := .venv-sam
BENCH := .venv-bench

.PHONY: install demo dev test test-all soak pgbouncer check lint types template unit sam registry lock bench peers clean

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

# Nothing in the tests needs Node.js, Java or Chromium yet. PgBouncer is Debian's package: without root or apt its tests
# skip with a reason. In run level 1 the package starts no service.
test-all: pgbouncer test

# Ten thousand events among faults: `make soak EVENTS=1000 NIGHTSHIFT_SEED=7` for fewer, or for the same again.
EVENTS ?= 10000
soak: install
	$(BIN)/python -m tests.end_to_end.sabotage.soak --events $(EVENTS)

pgbouncer:
	-command -v pgbouncer || test -x /usr/sbin/pgbouncer || RUNLEVEL=1 apt-get install --yes --no-install-recommends pgbouncer

# --- upkeep -----------------------------------------------------------------
registry: install
	$(BIN)/python -m local.template.registry

# Each prints its table and the machine; all run, also after one that missed its bar.
BENCHMARKS := cold_start engine_cpu local_stack chunked_deletion fan_out

bench: install peers
	@missed=; for each in $(BENCHMARKS); do echo; $(BIN)/python -m benchmarks.$$each || missed="$$missed $$each"; done; \
	if [ -n "$$missed" ]; then echo "a bar was missed by:$$missed"; exit 1; fi

# What the benchmarks compare with: other engines, and the packages exactly as the deployed layer has them. Where they
# cannot be installed the benchmarks say so and do without.
peers: $(BENCH)/.tried

$(BENCH)/.tried: requirements-bench.txt requirements.txt
	$(PYTHON) -m venv $(BENCH)
	-$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-bench.txt
	rm -rf $(BENCH)/layer
	-$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --target $(BENCH)/layer -r requirements.txt
	@touch $@

lock: install
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --strip-extras --no-header pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --strip-extras --no-header pyproject.toml --group dev -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --strip-extras --no-header --group sam -o requirements-sam.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --strip-extras --no-header --group bench -o requirements-bench.txt

clean:
	rm -rf $(VENV) $(SAM) $(BENCH) .aws-sam .nightshift

# --- what `sam build` calls -------------------------------------------------
include build.mk
