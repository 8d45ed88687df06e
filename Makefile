# Every target runs through .venv, which `make setup` builds from python3 (>= 3.11) and a package registry.
#   make setup   make demo   make test   make check   make format   make bench   make docs
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup-stamp
DEMO_DIR ?= runs/demo
# Oversubscribed OpenMP threads make small models ten times slower: one thread unless the caller says otherwise.
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false
export HF_HUB_DISABLE_TELEMETRY ?= 1

.PHONY: setup demo test check format bench docs constraints clean

setup: $(STAMP)

# The stamp is written last: an interrupted installation is taken up again by the next call.
$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) was not found; noisygrpo needs Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "error: noisygrpo needs Python 3.11 or newer, and $(PYTHON) is %d.%d; name another with make PYTHON=..." % v[:2])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "error: '$(PYTHON) -m venv' failed (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo 'installing into $(VENV); this takes a few minutes'
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup
	OMP_NUM_THREADS=2 $(BIN)/noisygrpo train playground --output-dir $(DEMO_DIR) --overwrite

test: setup
	$(BIN)/python -m pytest

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	@set -e; for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python "$$file"; done

docs: setup
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[docs]'
	$(BIN)/mkdocs build --strict --site-dir site

# Renews constraints.txt from what is installed in .venv (after the tests passed there).
constraints: setup
	@head -2 constraints.txt > constraints.tmp
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu//' >> constraints.tmp
	mv constraints.tmp constraints.txt

clean:
	rm -rf build dist site .pytest_cache .ruff_cache .mypy_cache
