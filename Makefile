# Two commands for users: `make demo` and `make test`. Both make the environment in .venv first.
# `make test` runs the quick tests and `make test-all` every test; .ci/run takes turns with the slow ones
# (`make test-turn`; `make turn` before a submission advances them, tests/selection.py tells how).
PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
PIP    := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt
TORCH_INDEX := https://download.pytorch.org/whl/cpu

.PHONY: demo test test-all test-turn turn seconds env gpaw check bench bench-env clean

env: $(VENV)/.made

# torch first: its CPU build is not on every index; where it is missing, torch's own index has it
$(VENV)/.made: pyproject.toml constraints.txt
	@echo "making the environment in $(VENV) (about two minutes, 2.3 GB)"
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch || $(PIP) --extra-index-url $(TORCH_INDEX) torch
	$(PIP) -e '.[dev]'
	@touch $@

# an engine of labels that is compiled: plain C++, without MPI, BLAS and libxc of its own
gpaw: env $(VENV)/.gpaw

$(VENV)/.gpaw: $(VENV)/.made
	printf '%s\n' "mpi = False" "compiler = 'g++'" "nolibxc = True" "noblas = True" \
	    "libraries = []" > $(VENV)/gpaw-siteconfig.py
	GPAW_CONFIG=$(abspath $(VENV))/gpaw-siteconfig.py $(PIP) -e '.[gpaw]'
	@touch $@

demo: env
	$(BIN)/ilmlip run experiments/quickstart.yaml

test: env
	$(PYTEST) -m 'not slow' $(ARGS)

test-all: env
	$(PYTEST) $(ARGS)

test-turn: env
	$(PYTEST) --turn $(ARGS)

turn: env
	$(BIN)/python tests/selection.py turn

# after `make test-all`: how long the tests of each file took, and the fifths made equal again
seconds: env
	$(BIN)/python tests/selection.py record

check: env
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy ilmlip hydra_plugins

bench: env bench-env
	$(BIN)/python -m benchmarks

# what ilmlip is compared with, apart from its own environment: benchmarks/.others
bench-env: env
	$(BIN)/python -m benchmarks.others

clean:
	rm -rf $(VENV) store mlflow.db
