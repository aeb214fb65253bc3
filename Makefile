# Each target sets up what it needs: a virtual environment in .venv with the packages of requirements.txt (make app)
# or requirements-dev.txt (everything else). When nothing has changed since, set-up does nothing.
#
#   make app ARGS="--port 8000"       flags for app.py, pytest or the benchmarks
#   make test PYTHON=python3.12       another Python (3.11 or later)
#   make app PIP_ARGS="..."           extra flags for pip install

PYTHON ?= python3
ARGS ?=
PIP_ARGS ?=

VENV := .venv
RUN := $(VENV)/bin/python
# What is type-checked; tests are run instead.
SOURCES := app.py training explorer benchmarks docs

# The stamps carry the Python version in their names, so another Python finds none and makes the environment anew.
PYTHON_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
VENV_STAMP := $(VENV)/.made-with-$(PYTHON_VERSION)
APP_STAMP := $(VENV)/.app-$(PYTHON_VERSION)
DEV_STAMP := $(VENV)/.dev-$(PYTHON_VERSION)

# Set while pip writes packages. Found at the next start, it means that pip was killed half way.
INSTALLING := $(VENV)/.installing
IS_WHOLE := $(shell test -x $(RUN) && test ! -e $(INSTALLING) && echo yes)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help app test lint format bench clean force

help: ## Lists these targets
	@echo "Latent Explorer: make TARGET [ARGS=\"...\"] [PYTHON=python3.12]"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-10s %s\n", $$1, $$2 }'

app: $(APP_STAMP) ## Starts the app and prints its address
	@$(RUN) app.py $(ARGS)

# Files of tests side by side, on as many cores as there are, four at most; ARGS="-n 0" for one after the other.
test: $(DEV_STAMP) ## Runs all tests, the browser tests too where a Chromium is found
	@$(RUN) -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile $(ARGS)

lint: $(DEV_STAMP) ## Checks style, formatting and types
	@status=0; \
	  $(RUN) -m ruff check . || status=1; \
	  $(RUN) -m ruff format --check . || status=1; \
	  $(RUN) -m mypy $(wildcard $(SOURCES)) || status=1; \
	  exit $$status

format: $(DEV_STAMP) ## Formats the code and applies the safe fixes of the style check
	@$(RUN) -m ruff check --fix-only --quiet .
	@$(RUN) -m ruff format .

bench: $(DEV_STAMP) ## Times the app, sampling and training; writes benchmarks/RESULTS.md
	@$(RUN) -m benchmarks $(ARGS)

clean: ## Removes the virtual environment and all caches; keeps runs/ and checkpoints/
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .gradio
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

ifneq ($(IS_WHOLE),yes)
$(VENV_STAMP): force
endif

$(VENV_STAMP):
	@test -n "$(PYTHON_VERSION)" || { echo "No Python at '$(PYTHON)': install Python 3.11 or later," \
	  "or name one, as in: make $(MAKECMDGOALS) PYTHON=/usr/bin/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "'$(PYTHON)' is Python $(PYTHON_VERSION), and 3.11 or later is needed: install one," \
	  "or name one, as in: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments: its venv module is missing." \
	  "On Debian or Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }
	@echo "Making $(VENV) with Python $(PYTHON_VERSION)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --upgrade pip
	@touch $@

# A pip that fails has rolled back, and the environment is as good as before; one that was killed leaves the mark.
define install
	@echo "Installing the packages of $(1) (some minutes the first time)"
	@touch $(INSTALLING)
	@$(RUN) -m pip install --quiet --progress-bar off $(PIP_ARGS) -r $(1) || { rm -f $(INSTALLING); exit 1; }
	@rm -f $(INSTALLING)
endef

$(APP_STAMP): $(VENV_STAMP) requirements.txt
	$(call install,requirements.txt)
	@touch $@

$(DEV_STAMP): $(VENV_STAMP) requirements.txt requirements-dev.txt
	$(call install,requirements-dev.txt)
	@touch $(APP_STAMP) $@
