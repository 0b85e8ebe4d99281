# Everything a person needs: run, test, check, bench. Each makes .venv first, from the lock files.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" npm

.PHONY: run test check format manual bench bench-full soak fuzz vendor screenshots lock clean

run: $(VENV)/runtime-installed ## start the demonstration on loopback
	$(BIN)/gatepost serve --demo

test: $(VENV)/dev-installed node_modules/installed ## the whole test suite, a file at a time on each core
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder --durations 25 --durations-min 3 || \
		$(BIN)/pytest --last-failed --last-failed-no-failures none # what failed beside others once more, alone

check: $(VENV)/dev-installed node_modules/installed ## lint, types, architecture; the web UI's too
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(NPM) run --silent types
	$(NPM) run --silent lint

format: $(VENV)/dev-installed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

manual: $(VENV)/dev-installed ## docs/reference and docs/man again, out of the declarations and the commands
	$(BIN)/python -m manual

bench: $(VENV)/dev-installed ## the quick measurements, under five minutes
	$(BIN)/python -m bench

bench-full: $(VENV)/dev-installed ## more connections, more rounds, more to measure
	$(BIN)/python -m bench --full

soak: $(VENV)/dev-installed ## bad clients of every kind at once, for three minutes
	$(BIN)/python -m bench.soak

vendor: node_modules/installed ## the web UI's libraries, from what package.json names
	$(BIN)/python packaging/vendor_web_libraries.py

fuzz: $(VENV)/dev-installed ## random objects and methods against a running server, for five minutes
	GATEPOST_FUZZ_SECONDS=300 GATEPOST_FUZZ_SEED=$$(date +%s) $(BIN)/pytest tests/integration/test_api_state_machine.py

screenshots: $(VENV)/dev-installed ## pictures of every page of the web UI, into docs/screenshots
	$(BIN)/python -m tests.browser.screenshots

lock: $(VENV)/dev-installed ## new exact versions for the ranges in pyproject.toml
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes -q \
		--custom-compile-command "make lock" --upgrade -o requirements/runtime.lock
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes -q \
		--custom-compile-command "make lock" --constraint requirements/runtime.lock --upgrade -o requirements/dev.lock

$(VENV)/runtime-installed: pyproject.toml requirements/runtime.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gatepost needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/runtime.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	touch $@

$(VENV)/dev-installed: $(VENV)/runtime-installed requirements/dev.lock
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.lock
	touch $@

node_modules/installed: package.json package-lock.json $(VENV)/dev-installed
	$(NPM) ci --silent --no-fund --no-audit
	touch $@

clean:
	rm -rf $(VENV) node_modules build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
