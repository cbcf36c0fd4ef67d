# Every target sets itself up from nothing in a virtual environment of its own.
# PyPI's torch for Linux is a CUDA build of several GB. The CPU build instead:
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make demo
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
NNUNET := $(VENV)/.nnunetv2

.PHONY: demo test test-slow lint bench train clean

demo: $(INSTALLED)
	$(BIN)/bmx demo --out demo-output

test: $(INSTALLED)
	$(BIN)/python -m pytest -q

test-slow: $(INSTALLED) $(NNUNET)
	$(BIN)/python -m pytest -q -m slow --maxfail=3

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(INSTALLED)
	$(BIN)/python benchmarks/accuracy.py

# The recipe that made the weights in bmx/models/simulated from their predecessors.
train: $(INSTALLED)
	$(BIN)/python benchmarks/train_shipped.py

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,lint]'
	touch $@

# The real nnU-Net beside the pinned torch; where it can't be had, its test skips and says so.
$(NNUNET): tests/models/nnunetv2.txt $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r $< && touch $@ || \
		echo "nnunetv2 can't be installed here: its test will skip" >&2

clean:
	rm -rf $(VENV) demo-output runs .mypy_cache .ruff_cache .pytest_cache .hypothesis
