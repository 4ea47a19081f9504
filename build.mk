# What `sam build` runs, once per resource, through BuildMethod: makefile. SAM looks for a file named Makefile in the
# CodeUri and calls its build-<logical id>; the Makefile includes this one. No Docker and no Python 3.13 are needed: uv
# fetches the wheels of the deployed platform.
.PHONY: build-DependenciesLayer

SAM_UV ?= $(firstword $(wildcard $(CURDIR)/.venv/bin/uv) uv)

build-DependenciesLayer:
	"$(SAM_UV)" pip install --quiet --python-version 3.13 --python-platform aarch64-manylinux2014 \
		--only-binary :all: --require-hashes --target "$(ARTIFACTS_DIR)/python" -r requirements.txt

# Bytecode is of the builder's Python and changes with each run: with it every build would look like a new deployment.
build-%:
	tar --exclude='__pycache__' -cf - functions shared | tar -xf - -C "$(ARTIFACTS_DIR)"
