# `make demo` and `make test` do all set-up: they need Python 3.11 or newer, make and a package index.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
unfinished := $(wildcard $(VENV)/unfinished)
CACHES := .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint format clean

help: ## Say what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s%s\n", $$1, $$2 }' Makefile

demo: $(VENV)/installed ## Compare attention maps on a drawn cohort with known truth
	$(BIN)/foveola demo

test: $(VENV)/installed-dev ## Run all tests and the examples in the docstrings
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

lint: $(VENV)/installed-dev ## Check format, style, types and the direction of imports
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy --strict
	$(BIN)/lint-imports

format: $(VENV)/installed-dev ## Mend format and style where a machine can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## Remove the environment and all caches; runs/ stays
	rm -rf $(VENV) $(CACHES) dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/installed: pyproject.toml $(BIN)/python $(unfinished)
	$(call install,.)
	@touch $@

$(VENV)/installed-dev: pyproject.toml $(BIN)/python $(unfinished)
	$(call install,.[dev])
	@touch $(VENV)/installed $@

# Not there, gone with the Python behind it, or newer because that was replaced: then the environment is looked at again.
$(BIN)/python: ;

# Installs $(1). An environment that does not work, or in which an install was killed, is made anew first; one in which it
# failed, for want of a network perhaps, is as it was before.
define install
	@$(BIN)/python -m pip --version >/dev/null 2>&1 && [ ! -e $(VENV)/unfinished ] || { $(new-environment); }
	@touch $(VENV)/unfinished
	$(BIN)/python -m pip install --no-input --disable-pip-version-check --editable '$(1)'; \
		status=$$?; [ $$status -gt 128 ] || rm -f $(VENV)/unfinished; exit $$status
endef

define new-environment
$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("expected Python 3.11 or newer, got " \
	+ sys.version.split()[0] + ", in $(PYTHON); name another one: make PYTHON=python3.13 $(MAKECMDGOALS)")' \
	&& $(PYTHON) -m venv --clear $(VENV)
endef
