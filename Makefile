# make demo       install into .venv (once) and run the whole path on a small network
# make test       every check that ends within minutes
# make test-slow  what is slow by nature: packaging in an environment of its own, whole runs
# make clean      remove the environment, caches and build results (runs/ stays)

PYTHON ?= python3
JOBS ?= 2
OUT ?= runs/demo

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
NOTEBOOKS := $(wildcard notebooks/*.ipynb)

# One thread per process: two threads on busy cores are many times slower than one.
TEST_ENV := OMP_NUM_THREADS=1 PYTHONHASHSEED=0 MPLBACKEND=Agg
CHECKED := scaling_theory empirical tests

.DELETE_ON_ERROR:
.PHONY: demo install test lint test-slow clean

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=python3.12" >&2; exit 2; }
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(INSTALLED)
	$(BIN)/scaling-theory demo --overwrite --out "$(OUT)"
	@echo "The report is at $(OUT)/report.html"

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict $(CHECKED)
	$(BIN)/lint-imports --no-cache

test: lint
	$(TEST_ENV) $(BIN)/python -m pytest -n $(JOBS) -m "not slow" --nbmake tests $(NOTEBOOKS)

test-slow: $(INSTALLED)
	$(TEST_ENV) $(BIN)/python -m pytest -m slow tests

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
