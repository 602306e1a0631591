# `make demo` and `make test` work on a fresh machine with Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A CPU build of torch: the newest from the registry brings gigabytes of CUDA along.
TORCH ?= torch==2.13.0

.PHONY: demo test check docs bench experiments study lock clean
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
	$(BIN)/python tests/benchmarks/training.py
	$(BIN)/python tests/benchmarks/dashboard.py
	$(BIN)/python tests/benchmarks/trends.py
	$(BIN)/python tests/benchmarks/coverage.py
	$(BIN)/python tests/benchmarks/review.py

# The table of docs/experiments.md; needs the image sets of ../shared.
experiments: $(VENV)/dev
	$(BIN)/python tests/benchmarks/source_grid.py
	$(BIN)/python tests/benchmarks/source_grid.py --scratch

# The study in data/pmlr, made again from the papers beside the repository and the decisions of its
# reviewers. Draws are those that they read: strata are of the first one, so that both stand here.
STUDY := build/study
GIVEN := $(STUDY)-given
STUDY_TITLE := Medical imaging in the Proceedings of Machine Learning Research
study: $(VENV)/base
	rm -rf $(STUDY) $(GIVEN)
	$(BIN)/cats init $(STUDY)
	sed -i 's/^title = .*/title = "$(STUDY_TITLE)"/; /^topics = \[/,/^\]/d' $(STUDY)/protocol.toml
	$(BIN)/cats mine -C $(STUDY) --from ../shared/corpus/works.jsonl.gz
	$(BIN)/cats annotate -C $(STUDY)
	$(BIN)/cats review -C $(STUDY) --draw 200 --seed 2026
	$(BIN)/cats review -C $(STUDY) --draw 500
	$(BIN)/cats import data/pmlr/decisions.jsonl -C $(STUDY)
	$(BIN)/cats trends findings -C $(STUDY)
	$(BIN)/cats trends -C $(STUDY) --by all
	$(BIN)/cats trends -C $(STUDY) --by all --of unnamed --among transfer
	$(BIN)/cats review -C $(STUDY) --agreement
	$(BIN)/cats export -C $(STUDY) --without-text $(GIVEN)
	$(BIN)/cats export -C $(GIVEN) --decisions $(GIVEN)/decisions.jsonl  # without notes
	$(BIN)/cats export -C $(STUDY) --prisma $(GIVEN)/prisma
	$(BIN)/cats report $(GIVEN)/report.html -C $(GIVEN)
	-$(BIN)/cats report $(GIVEN)/report.pdf -C $(GIVEN)  # where there is a Chromium
	find data/pmlr -mindepth 1 -not -name README.md -delete
	rm -rf $(GIVEN)/cache
	cp -r $(GIVEN)/. data/pmlr/
	rm -rf $(STUDY) $(GIVEN)

# The versions that the Dockerfile installs.
lock: $(VENV)/dev
	$(BIN)/pip install --quiet uv
	echo '# What the team server of the Dockerfile installs; made again by `make lock`.' > requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra dashboard --extra fulltext --quiet \
		--python-version 3.12 --no-emit-index-url --no-annotate --no-header >> requirements.lock

clean:
	rm -rf $(VENV) dist
