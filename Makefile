# Everything a person or a machine does with this project. Needs make and Python 3.11 or newer, nothing else:
# what the project uses beyond that, it installs into .venv/ from the hashed locks in locks/.
# Choose another interpreter with `make run PYTHON=python3.12`.

PYTHON ?= python3
REGION ?= 511725
YEAR   ?= 2023
VENV   := .venv
BIN    := $(VENV)/bin
CKAN   := .venv-ckan
PEERS  := .venv-peers
# Where PostgreSQL is installed, `make test` also pushes to a real CKAN; elsewhere those tests skip, and say so.
POSTGRES := $(wildcard /usr/lib/postgresql/*/bin/postgres /opt/homebrew/opt/postgresql*/bin/postgres)
# `make test ARGS="tests/schemas -x"` narrows a test run; an empty ARGS means the whole suite.
ARGS   ?=

# pip reads its own configuration for where packages come from; the locks say which bytes are accepted.
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
EDITABLE := $(PIP) install --no-build-isolation --no-deps --config-settings editable_mode=compat -e .
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-emit-index-url --no-strip-extras --no-header --no-annotate \
	--custom-compile-command "make lock" $(LOCK_ARGS)
# `make lock LOCK_ARGS=--upgrade` takes the newest versions inside the bounds of pyproject.toml.
LOCK_ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run ui setup-dev setup-ckan setup-peers test check format soak mutation benchmarks system lock clean

help: ## list what can be done
	@echo "Gongkai (公开): make TARGET"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '  %-12s %s\n' "$$name" "$$text"; done

run: $(VENV)/.stamp-run ## install what is needed, then sample returns -> verified open data
	$(BIN)/gongkai sample --if-absent
	$(BIN)/gongkai run --region $(REGION) --year $(YEAR)

ui: $(VENV)/.stamp-run ## open Dagster in the browser
	$(BIN)/gongkai ui

setup-dev: $(VENV)/.stamp-dev ## install what development and the tests need

setup-ckan: $(CKAN)/.stamp ## install the CKAN that the tests push to, in an environment of its own

setup-peers: $(PEERS)/.stamp ## install what the benchmarks compare with, in an environment of its own

test: setup-dev $(if $(POSTGRES),setup-ckan) ## every check, then every test, then a sample of mutants
	@$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -n auto --maxprocesses 2 --dist loadfile $(ARGS)
	$(if $(ARGS),,$(BIN)/python -m tests.mutation)

soak: setup-dev ## the long tests that `make test` leaves out
	$(BIN)/python -m pytest -m soak $(ARGS)

mutation: setup-dev ## every mutant of rules, matcher and localiser (takes long)
	$(BIN)/python -m tests.mutation --all $(ARGS)

benchmarks: setup-dev setup-peers ## measure everything beside its floor and peers, write benchmarks/RESULTS.md (half an hour)
	$(BIN)/python -m benchmarks --write $(ARGS)

check: setup-dev ## style, types, import contracts, dependencies, spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/codespell

format: setup-dev ## let ruff mend what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

system: ## Debian packages that some tests use (database, browser, office, fonts, pdf tools)
	@sh .ci/system

lock: setup-lock ## derive locks/ from pyproject.toml
	$(COMPILE) -o locks/run.txt pyproject.toml locks/build.in
	$(COMPILE) --extra deploy --constraints locks/run.txt -o locks/deploy.txt pyproject.toml locks/build.in
	$(COMPILE) --extra dev --constraints locks/deploy.txt -o locks/dev.txt pyproject.toml locks/build.in
	$(COMPILE) -o locks/ckan.txt locks/ckan.in
	$(COMPILE) --constraints locks/run.txt -o locks/peers.txt locks/peers.in

clean: ## remove what make and the tools made (never data/ or out/)
	rm -rf $(VENV) $(CKAN) $(PEERS) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -rf .import_linter_cache .coverage htmlcov
	find schemas pipelines assets tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf __pycache__

# The stamps make a second call quick; a changed lock, project file or interpreter installs again.
$(VENV)/.stamp-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "需要 Python 3.11 或更新版本。Gongkai needs Python 3.11 or newer; '$(PYTHON)' is" \
			"$$($(PYTHON) --version 2>&1 | head -n 1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.stamp-run: $(VENV)/.stamp-venv locks/run.txt pyproject.toml
	$(PIP) install --require-hashes -r locks/run.txt
	$(EDITABLE)
	@touch $@

$(VENV)/.stamp-dev: $(VENV)/.stamp-venv locks/dev.txt pyproject.toml
	$(PIP) install --require-hashes -r locks/dev.txt
	$(EDITABLE)
	@touch $@ $(VENV)/.stamp-run

# The lock is complete, so nothing is left to resolve (--no-deps): that makes it quick.
$(CKAN)/.stamp: $(VENV)/.stamp-venv locks/ckan.txt
	$(PYTHON) -m venv --clear $(CKAN)
	$(CKAN)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --no-deps -r locks/ckan.txt
	@touch $@

$(PEERS)/.stamp: $(VENV)/.stamp-venv locks/peers.txt
	$(PYTHON) -m venv --clear $(PEERS)
	$(PEERS)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --no-deps -r locks/peers.txt
	@touch $@

# (--no-strip-extras above: pip accepts a hashed lock only if an extra it meets is pinned with that extra.)
# The lock tool alone, at the version locked before: a lock that cannot be installed can still be mended.
.PHONY: setup-lock
setup-lock: $(VENV)/.stamp-venv
	@test -x $(BIN)/uv || $(PIP) install "$$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' locks/dev.txt)"
