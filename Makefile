# Everything a fresh clone needs: `make demo` and `make test` ask only for python3 (3.11 or newer) and make.

PYTHON ?= python3
SEEDS ?= 1000
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test check bench simulate chaos clean

demo: $(READY)  ## the whole job on localhost: tickets become tasks, tasks complete
	$(BIN)/bridge demo --exit-when-done

test: $(READY)  ## every test
	$(BIN)/pytest --numprocesses auto --dist worksteal

check: $(READY)  ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)  ## speed, memory and loss beside baselines of the same run, and which targets hold
	$(BIN)/python -m benchmarks

simulate: $(READY)  ## the sync core in SEEDS worlds of faults; the shortest story of one that breaks an invariant
	$(BIN)/python -m tests.simulation --seeds $(SEEDS)

chaos: $(READY)  ## a thousand tickets on a bad day, ten times in a row on each engine: some hours
	set -e; for seed in 1 2 3 4 5 6 7 8 9 10; do \
	  BRIDGE_CHAOS_TICKETS=1000 BRIDGE_CHAOS_SEED=$$seed $(BIN)/pytest -rP --durations=0 tests/test_chaos.py; done

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The lock's hashes are checked; the project itself is installed in place, with the build tool that the lock brought.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "bridge needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
