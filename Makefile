# Everything needed is set up on the first call, in .venv; later calls reinstall nothing.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: demo test test-all lint format lessons help

help:
	@echo "make demo   train, score and use a classifier, in about a minute"
	@echo "make test   run the test suite, in a few minutes"
	@echo "make test-all  all of it: other libraries, every engine, the largest networks, runs that are killed"
	@echo "make lint   check style and types"
	@echo "make format rewrite the code in the project's style"
	@echo "make lessons  run the commands of docs/lessons and write what they print into the pages; minutes"

demo: $(INSTALLED)
	$(BIN)/resnetkit demo

# Two test processes share the cores: idle OpenMP threads sleep at once instead of spinning.
test test-all: export OMP_WAIT_POLICY ?= passive
test test-all: export GOMP_SPINCOUNT ?= 0

test: $(INSTALLED)
	$(BIN)/pytest --numprocesses 2 -m 'not slow' --ignore tests/parity

test-all: $(INSTALLED)
	$(BIN)/pytest --numprocesses 2

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lessons: $(INSTALLED)
	$(BIN)/python -m tests.lessons

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "resnetkit needs Python 3.11 or newer; name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@echo "setting up .venv (once)…"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@
