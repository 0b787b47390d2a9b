# Two cores are enough for everything here.  `make` alone lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
UV := uv==0.13.9
NOTEBOOKS := $(wildcard notebooks/*.ipynb)
# tests.lean keeps a grammar package out that JupyterLab brings and that compiles for seconds at every start.
PYTEST := $(BIN)/python -m pytest -q -p tests.lean -n 2 --dist loadfile
NBVAL := --nbval --nbval-current-env --nbval-sanitize-with tests/notebooks/sanitize.cfg --nbval-cell-timeout=120
FORK := JUPYTER_DEFAULT_PROVISIONER_NAME=runbook-fork
PARAMETERS := $(if $(filter-out 0,$(LIVE)),-p sandbox.traffic=live)

.PHONY: help demo lab test test-full lint types tests nbval bench refresh simulated faults lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

demo: $(READY)  ## the whole walk, headless, in one sandbox world (LIVE=1: with real traffic)
	@$(BIN)/runbook demo $(PARAMETERS)

lab: $(READY)  ## JupyterLab on copies of the notebooks, in one shared sandbox world
	@$(BIN)/runbook lab $(PARAMETERS)

test: lint types nbval tests  ## linter, types, notebooks and tests: at most 20 minutes on 2 cores

test-full: lint types nbval  ## everything of `make test`, and the long runs
	@$(PYTEST) -p no:nbval tests

lint: $(READY)  ## ruff: rules and format
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check . && echo "lint: ok"

types: $(READY)  ## mypy on the package
	@$(BIN)/mypy --no-error-summary && echo "types: ok"

tests: $(READY)  ## unit, sandbox and headless tests
	@$(PYTEST) -p no:nbval -m "not long" tests

nbval: $(READY)  ## every committed notebook, run again and compared with its outputs
	@$(if $(NOTEBOOKS),$(FORK) $(PYTEST) $(NBVAL) $(NOTEBOOKS),echo "nbval: there is no notebook yet")

bench: $(READY)  ## all benchmarks, or one: make bench NAME=walk
	@$(BIN)/python -m tests.benchmarks $(NAME)

refresh: $(READY)  ## run every notebook again and write its outputs, byte for byte the same each time
	@$(BIN)/runbook refresh

simulated: $(READY)  ## write the page of what the sandbox simulates anew
	@$(BIN)/python -m tests.simulated

faults: $(READY)  ## write the page of the faults that can be played anew
	@$(BIN)/python -m tests.faults

lock: $(READY)  ## resolve the lock file anew, for Python 3.11 to 3.13
	@$(BIN)/pip install -q $(UV)
	@(echo "# Made by \`make lock\` from pyproject.toml.  Do not edit."; \
	  $(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --upgrade \
	    --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet) > $(VENV)/requirements.lock
	@mv $(VENV)/requirements.lock requirements.lock

clean:  ## remove the environment, the runs and all caches
	@rm -rf $(VENV) runs build dist "$${XDG_CACHE_HOME:-$$HOME/.cache}/runbook-lib" .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	@find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

define NO_PYTHON
Python 3.11, 3.12 or 3.13 with its venv module is needed, and none was found on PATH.
  seen:   $(shell python3 --version 2>&1 || echo no python3)
  next:   install one (Debian and Ubuntu: apt-get install python3 python3-venv; macOS: brew install python@3.13),
          or name one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)
endef
export NO_PYTHON
PYTHONS := $(PYTHON) python3 python3.13 python3.12 python3.11
FITS := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))

$(READY): requirements.lock pyproject.toml
	@for python in $(PYTHONS); do "$$python" -c '$(FITS)' 2>/dev/null && break || python=; done; \
	[ -n "$$python" ] || { echo "$$NO_PYTHON" >&2; exit 2; }; \
	echo "Making $(VENV) with $$("$$python" --version) from requirements.lock (once, a minute or two)" >&2; \
	$(BIN)/python -c '$(FITS)' 2>/dev/null || "$$python" -m venv --clear $(VENV); \
	PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install -qq --require-hashes --no-deps -r requirements.lock; \
	PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install -qq --no-deps --no-build-isolation -e .; \
	$(BIN)/python -m compileall -q runbook_lib; \
	touch $(READY)
