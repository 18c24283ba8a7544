# Two commands for users: `make demo` and `make test`. Both make the environment in .venv first.
PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin
TESTS  ?= not slow
WORKERS ?= 2
PIP    := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt
TORCH_INDEX := https://download.pytorch.org/whl/cpu

.PHONY: demo test slow env gpaw check bench bench-env clean

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
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m '$(TESTS)' $(ARGS)

check: env
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy ilmlip hydra_plugins

bench: env bench-env
	$(BIN)/python -m benchmarks

# what ilmlip is compared with, apart from its own environment: benchmarks/.others
bench-env: env
	$(BIN)/python -m benchmarks.others

clean:
	rm -rf $(VENV) store mlflow.db
