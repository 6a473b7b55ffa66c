# make demo       install into .venv (once) and run the whole path on a small network
# make test       every check that ends within minutes
# make test-slow  what is slow by nature: packaging in an environment of its own, whole runs
# make bench      what measuring and sweeps cost, beside peers (make peers installs these apart)
# make evidence   predicted and measured learning rates of three models, 20 minutes
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
.PHONY: demo install test lint test-slow bench peers evidence clean

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

bench: $(INSTALLED)
	$(TEST_ENV) $(BIN)/python -m empirical.bench

# Libraries that measuring is compared with: in an environment of their own, without the packages
# that would replace torch by another build.
peers: constraints.txt
	"$(PYTHON)" -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	  torch numpy scipy tqdm einops opt-einsum pydantic safetensors
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  curvlinops-for-pytorch==3.0.1 hessian-eigenthings==1.0.0a5 opacus==1.6.0 \
	  backpack-for-pytorch==1.7.1 linear_operator==0.6.1 jaxtyping==0.3.11 einconv==0.1.0 \
	  unfoldNd==0.2.3

evidence: $(INSTALLED)
	$(TEST_ENV) $(BIN)/python -m examples.three_models --jobs 2 --csv notebooks/data/three_models.csv

clean:
	rm -rf $(VENV) .venv-peers build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
