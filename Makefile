# `make` alone shows what there is. Everything is set up when it is first needed.
.DEFAULT_GOAL := help
PYTHON ?= python3
SOURCE ?=
COUNTRIES ?=
TARGET ?= local
PYTEST ?=
# Two tests at a time; PYTEST="-n 0 …" makes it one, as a bare `pytest` does.
PARALLEL := -n 2 --dist worksteal
export SOURCE COUNTRIES
# Each of many processes would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE
# uv is the one on PATH, else the one that `make setup` put into .local/uv.
UV := PATH="$$PATH:$(CURDIR)/.local/uv/bin" uv

.PHONY: help setup run test mutation scenarios cli-check up workspace deploy parity bench lint format clean

help: ## show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | \
		awk -F '\t' '{ printf "  make %-11s %s\n", $$1, $$2 }'

setup: ## install uv (if missing), Python 3.12 and the three locked environments
	@$(PYTHON) scripts/environments.py

run: ## run the pipeline end to end [SOURCE=<fsspec url>] [COUNTRIES="Switzerland,Norway"]
	@$(PYTHON) scripts/run.py run

up: ## the same, left running: Airflow UI and workspace pages, until Ctrl-C
	@$(PYTHON) scripts/run.py up

workspace: setup ## the local workspace alone, in the foreground
	@$(UV) run --no-sync local-workspace serve

deploy: setup ## deploy the bundle: TARGET=local|dev|staging|prod
	@$(PYTHON) scripts/deploy.py $(TARGET)

test: setup ## the tests, the end-to-end run through a real Airflow among them
	@$(PYTHON) scripts/tests.py --ignore tests/airflow $(PARALLEL) $(PYTEST)

mutation: setup ## changes the job runs' decisions one by one, and lists the changes that no test notices: 15 minutes
	@$(UV) run --no-sync --with 'mutmut==3.8.*' mutmut run --max-children 2
	@$(UV) run --no-sync --with 'mutmut==3.8.*' mutmut results

scenarios: setup ## what happens when Airflow, the network or the workspace fail: minutes, also run by CI
	@$(UV) run --no-sync pytest tests/airflow $(PARALLEL) $(PYTEST)

cli-check: setup ## the Databricks CLI on PATH against a fresh workspace [RECORD=1: what it sends becomes tests]
	@PYTHONPATH=tests:tests/local_workspace $(UV) run --no-sync python -m cli.check $(if $(RECORD),--record)

bench: setup ## what it costs: each benchmark prints its ratio to an alternative
	@for script in benchmarks/[a-z]*.py; do \
		case $$script in */measuring.py) continue;; esac; \
		echo "$$script" && $(UV) run --no-sync python $$script || exit 1; \
	done

parity: setup ## the pipeline's tests on OSS Spark 4.0 + Delta 4.0 (needs Java 17 and Maven Central)
	@PATH="$$PATH:$(CURDIR)/.local/uv/bin" $(PYTHON) scripts/parity.py $(PYTEST)

lint: setup ## ruff and mypy
	@$(UV) run --no-sync ruff check . && $(UV) run --no-sync ruff format --check . && $(UV) run --no-sync mypy
	@$(UV) run --no-sync mypy --python-executable airflow/.venv/bin/python airflow/plugins/databricks_repair airflow/dags

format: setup ## format the code
	@$(UV) run --no-sync ruff check --fix --quiet . ; $(UV) run --no-sync ruff format .

clean: ## remove everything that was installed, built or written here
	rm -rf .local .venv airflow/.venv engines/.venv engines/.venv-spark dist mutants .databricks .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
