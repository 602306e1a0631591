# `make demo` and `make test` work on a fresh machine with Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A CPU build of torch: the newest from the registry brings gigabytes of CUDA along.
TORCH ?= torch==2.13.0

.PHONY: demo test check docs bench clean
.DELETE_ON_ERROR:

$(VENV)/base: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -e ".[dashboard]"
	touch $@

$(VENV)/dev: $(VENV)/base
	$(BIN)/pip install --quiet "$(TORCH)"
	$(BIN)/pip install --quiet -e ".[dashboard,fulltext,experiments,cluster,dev]"
	touch $@

demo: $(VENV)/base
	$(BIN)/cats demo $(DEMO)

test: $(VENV)/dev
	$(BIN)/pytest -q --numprocesses auto --dist worksteal

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/dev
	$(BIN)/python docs/make_reference.py
	$(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/dev
	$(BIN)/python tests/benchmarks/annotator.py
	$(BIN)/python tests/benchmarks/mining.py
	$(BIN)/python tests/benchmarks/versions.py
	$(BIN)/python tests/benchmarks/fulltext.py
	$(BIN)/python tests/benchmarks/snapshot.py

clean:
	rm -rf $(VENV) dist
