# Everything needed is set up on the first call, in .venv; later calls reinstall nothing.
PYTHON ?= python3
BIN := .venv/bin
# Marks of what .venv holds: what the product uses, or that and what tests and linters need.
ALONE := .venv/installed
WITH_TOOLS := .venv/installed-with-tools
WITH_SITE := .venv/installed-with-site

# Two of these would install into one .venv at once.
.NOTPARALLEL:
.PHONY: demo test test-slow test-all soak lint format lessons docs dist help

help:
	@echo "make demo   train, score and use a classifier, in about a minute"
	@echo "make test   run the test suite, in a few minutes"
	@echo "make test-slow  what that leaves out: other libraries, every engine, the largest networks, runs that are killed"
	@echo "make test-all  both"
	@echo "make soak   attack a server for longer than test-slow does; half an hour"
	@echo "make lint   check style and types"
	@echo "make format rewrite the code in the project's style"
	@echo "make lessons  run the commands of docs/lessons and write what they print into the pages; minutes"
	@echo "make docs   build the docs site in site/"
	@echo "make dist   build the wheel and the source archive in dist/"

# What the tests need is more than enough for the demo.
demo: $(or $(wildcard $(WITH_TOOLS)),$(ALONE))
	$(BIN)/resnetkit demo

# Two test processes share the cores: idle OpenMP threads sleep at once instead of spinning.
test test-slow test-all soak: export OMP_WAIT_POLICY ?= passive
test test-slow test-all soak: export GOMP_SPINCOUNT ?= 0

test: $(WITH_TOOLS)
	$(BIN)/pytest --numprocesses 2 -m 'not slow' --ignore tests/parity

test-slow: $(WITH_TOOLS)
	$(BIN)/pytest --numprocesses 2 -m slow

test-all: $(WITH_TOOLS)
	$(BIN)/pytest --numprocesses 2

soak: $(WITH_TOOLS)
	SOAK=1 $(BIN)/pytest tests/serving/test_under_attack.py

lint: $(WITH_TOOLS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(WITH_TOOLS)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lessons: $(WITH_TOOLS)
	$(BIN)/python -m tests.lessons

docs: $(WITH_SITE)
	$(BIN)/python -m docs.make_site

# The wheel is built from the source archive: what that lacks is missed at once.
dist: $(WITH_TOOLS)
	rm -rf dist
	$(BIN)/python -m build --outdir dist .

$(ALONE): WANTED := .
$(WITH_TOOLS): WANTED := .[dev]
$(WITH_SITE): WANTED := .[docs]
$(ALONE) $(WITH_TOOLS) $(WITH_SITE): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "resnetkit needs Python 3.11 or newer; name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@echo "setting up .venv (once)…"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '$(WANTED)'
	@touch $@
