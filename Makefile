# `make` alone lists what there is. Needs GNU make 3.81 or later (macOS has it) and Python 3.11 or later.

PYTHON ?= python3
DATA = data.yaml
PHOTOS =
NAMES =
RESULTS =
WORKBOOK =
OUT =

# Recipes read these from their environment, as "$$PHOTOS": no path is ever pasted into a command, whatever it holds.
export DATA PHOTOS NAMES RESULTS WORKBOOK OUT

READY = .venv/.ready
LABEL_READY = .venv/.ready-label
VENV_PYTHON = .venv/bin/python
CROPSORT = $(VENV_PYTHON) -m pipeline

# For commands that have a default of their own.
DATA_IF_GIVEN = $(if $(filter command,$(origin DATA)),--data "$$DATA")

# What is named draw_ makes something that is shipped, and measures nothing.
BENCHMARKS = $(filter-out benchmarks/draw_%,$(wildcard benchmarks/[a-z]*.py))

.DEFAULT_GOAL := help
.PHONY: help setup doctor label train check predict report correct evaluate sample init import test test-slow lint format lock bench clean photos-given results-given workbook-given

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile
	@echo 'Settings: DATA=data.yaml  PHOTOS=folder  NAMES="a, b"  RESULTS=folder  WORKBOOK=file  OUT=folder  PYTHON=python3; a $$ in a path is written $$$$'

setup: ## Make .venv and install the packages that requirements.lock names (done by itself where needed)
	@$(PYTHON) -m pipeline setup

doctor: ## Say what is wrong with this machine and its packages, each with its remedy; fetches nothing
	@$(PYTHON) -m pipeline doctor $(DATA_IF_GIVEN)

label: $(LABEL_READY) ## Open LabelImg on the photos of DATA, with its classes; fetches LabelImg the first time
	@$(CROPSORT) label --data "$$DATA"

train: $(READY) ## Train the detector and the classifier that DATA describes
	@$(CROPSORT) train --data "$$DATA"

check: $(READY) ## Say what is wrong with the photos and labels of DATA, with a page of pictures in OUT where given
	@$(CROPSORT) check --data "$$DATA" $${OUT:+--out "$$OUT"}

predict: photos-given $(READY) ## Sort the subjects in PHOTOS (a folder, pattern, list or URL) into a spreadsheet, in OUT where given
	@$(CROPSORT) predict --data "$$DATA" $${OUT:+--out "$$OUT"} -- "$$PHOTOS"

report: results-given $(READY) ## Write the report of the results in the folder RESULTS anew; the workbook to OUT (out.xlsx) where given
	@$(CROPSORT) report $${OUT:+--out "$$OUT"} -- "$$RESULTS"

correct: workbook-given $(READY) ## Make training data for DATA of the corrections in WORKBOOK, a report's; asks before it changes anything
	@$(CROPSORT) correct --data "$$DATA" -- "$$WORKBOOK"

evaluate: $(READY) ## Score the trained pair on the test photos of DATA
	@$(CROPSORT) evaluate --data "$$DATA"

sample: $(READY) ## Draw a small labelled data set to try everything on, in OUT (sample, where none is given)
	@$(CROPSORT) sample -- "$${OUT:-sample}"

init: photos-given $(READY) ## Write a data.yaml for the folder PHOTOS; NAMES="apple, pear" where nothing is labelled yet
	@$(CROPSORT) init $(DATA_IF_GIVEN) $${NAMES:+--names "$$NAMES"} -- "$$PHOTOS"

import: photos-given $(READY) ## Copy the phone photos in the folder PHOTOS as upright JPEGs, to OUT where given
	@$(CROPSORT) import $${OUT:+--out "$$OUT"} -- "$$PHOTOS"

test: lint ## Lint, then the fast tests
	@OMP_NUM_THREADS=1 $(VENV_PYTHON) -m pytest -n auto --maxprocesses 4 -m "not slow and not gpu"

test-slow: $(READY) ## The tests that train something or open what was written in its program
	@$(VENV_PYTHON) -m pytest -n auto --maxprocesses 2 --dist loadfile -m slow

lint: $(READY) ## Check style, layout and types
	@$(VENV_PYTHON) -m ruff check .
	@$(VENV_PYTHON) -m ruff format --check .
	@$(VENV_PYTHON) -m mypy $(wildcard pipeline tests benchmarks hubconf.py)

format: $(READY) ## Lay the code out, and mend what can be mended without asking
	@$(VENV_PYTHON) -m ruff check --fix-only --quiet .
	@$(VENV_PYTHON) -m ruff format .

lock: $(READY) ## Write both locks anew from pyproject.toml; versions stay where they still fit
	@$(VENV_PYTHON) -m uv --version >/dev/null 2>&1 || $(VENV_PYTHON) -m pip install --quiet uv
	@$(VENV_PYTHON) -m uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--quiet -o requirements.lock
	@$(VENV_PYTHON) -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['label'], sep='\n')" \
		| $(VENV_PYTHON) -m uv pip compile - --universal --python-version 3.11 --generate-hashes \
		--quiet -o requirements-label.lock

bench: $(READY) ## Measure what the README's figures say, on DATA where given
	@set -e; for benchmark in $(BENCHMARKS); do $(VENV_PYTHON) "$$benchmark" $(DATA_IF_GIVEN); done

clean: ## Remove caches and build outputs; .venv, weights, runs and reports stay
	@rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	@find pipeline tests benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# Stands before $(READY): who forgot PHOTOS hears it before 6 GB are fetched.
photos-given:
	@: $(if $(PHOTOS),,$(error PHOTOS is empty - expected a folder of photos - make $(MAKECMDGOALS) PHOTOS="my photos"))

results-given:
	@: $(if $(RESULTS),,$(error RESULTS is empty - expected the folder of a report - make $(MAKECMDGOALS) RESULTS=reports/photos))

workbook-given:
	@: $(if $(WORKBOOK),,$(error WORKBOOK is empty - expected a corrected report.xlsx - make $(MAKECMDGOALS) WORKBOOK=reports/photos/report.xlsx))

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -m pipeline setup

$(LABEL_READY): requirements-label.lock $(READY)
	@$(PYTHON) -m pipeline setup --label
