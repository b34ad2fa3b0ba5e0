# Every target sets up what it needs: a .venv with pinned packages and, where there is no display, a virtual one.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
SETUP := PYTHON="$(PYTHON)" VENV="$(VENV)" sh .ci/setup

# Linux without a display gets a virtual screen; macOS always has one.
SCREEN := $(shell [ "$$(uname)" = Linux ] && [ -z "$$DISPLAY$$WAYLAND_DISPLAY" ] && echo 'xvfb-run -a -s "-screen 0 1600x1000x24"')

.PHONY: help demo app test check bench samples setup
.DEFAULT_GOAL := help

help:
	@echo "make demo     see a brain MRI with its tumour segmented"
	@echo "make app      open the window with the workbench"
	@echo "make test     run the tests"
	@echo "make check    run the linters, the types and the import rules"
	@echo "make bench    measure"
	@echo "make samples  write the synthetic sample cases again"

# .ci/setup is quick when nothing changed: it compares pyproject.toml and constraints.txt with what is installed.
setup:
	@$(SETUP)

# Without a display the demo draws on a virtual one by itself, and writes a picture.
demo: setup
	@$(BIN)/brainseg demo

app: setup
	@[ -z '$(SCREEN)' ] || { echo "There is no display for a window. Run make demo to get a picture of it." >&2; exit 1; }
	@$(BIN)/brainseg app

# One process for each core, each with a virtual screen of its own. Files go to them in the order of tests/conftest.py.
test: setup
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/npe2 validate --imports napari_brainseg

bench: setup
	@$(SCREEN) $(BIN)/python -m benchmarks

samples: setup
	@$(BIN)/python -m napari_brainseg.cases.sample_files
