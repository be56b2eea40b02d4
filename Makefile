# make run and make test need nothing but a Debian 12 (or the like) with make; see make help.

SHELL := /bin/bash
BIN := .venv/bin
.DEFAULT_GOAL := help

.PHONY: help
help:
	@echo 'make run      set everything up and start lobby and relay in the foreground (ARGS="--set lobby.port=7000")'
	@echo 'make test     set everything up and run all checks, unit and integration tests'
	@echo 'make e2e      drive real Widelands clients, with and without agents, and a sample of the NAT matrix (root on Debian; installs them)'
	@echo 'make natlab   try everything with routers of all kinds, in namespaces (root only; installs tools on Debian)'
	@echo 'make natlab-matrix   of that only every network with every other one; both write docs/nat-matrix.md'
	@echo 'make bench    measure relay and lobby beside a reference in C (see bench/README.md)'
	@echo 'make lint     only the checks: style, format, types'
	@echo 'make format   put the code into its format'
	@echo 'make docs     bring the generated part of docs/operators.md up to date'
	@echo 'make clean    remove what these commands made, but not wlnet.toml and var/'

.PHONY: setup-run setup-dev
setup-run:
	@tools/setup.sh run

setup-dev:
	@tools/setup.sh dev

.PHONY: run
run: setup-run
	@tools/run.sh $(ARGS)

.PHONY: lint
lint: setup-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

.PHONY: test-setup
test-setup: setup-dev
	tools/debian_packages.sh tests/integration/stun/packages.txt "STUN's foreign clients"

.PHONY: test
test: lint test-setup
	$(BIN)/pytest tests/unit tests/integration $(ARGS)

.PHONY: e2e-setup
e2e-setup: setup-dev
	tools/debian_packages.sh tests/e2e/packages.txt "end-to-end test"

.PHONY: e2e
e2e: e2e-setup natlab-setup
	$(BIN)/pytest tests/e2e tests/natlab/test_matrix.py -m 'e2e or natlab' $(ARGS)

.PHONY: natlab-setup
natlab-setup: setup-dev
	tools/debian_packages.sh tests/natlab/packages.txt "NAT laboratory"

.PHONY: natlab
natlab: natlab-setup
	$(BIN)/pytest tests/natlab -m natlab --matrix $(ARGS)

.PHONY: natlab-matrix
natlab-matrix: natlab-setup
	$(BIN)/pytest tests/natlab/test_matrix.py -m natlab --matrix $(ARGS)

.PHONY: bench
bench: setup-dev
	$(MAKE) -C bench run

.PHONY: format
format: setup-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: docs
docs: setup-dev
	$(BIN)/python tools/update_reference.py

.PHONY: clean
clean:
	rm -rf .venv build dist artifacts *.egg-info .mypy_cache .ruff_cache .hypothesis .pytest_cache _trial_temp*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -f twisted/plugins/dropin.cache
