# `make` lists the targets. Everything runs from .venv, which is created by python3 (3.11 or newer).

# An existing .venv keeps its Python. To use another one: PYTHON=python3.13 make install
PYTHON ?= $(if $(wildcard .venv/.installed-*),.venv/bin/python,python3)
BIN := .venv/bin
INSTALLED := .venv/.installed-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header
WITHOUT_DJANGO := --override requirements/overrides.txt
ARGS ?=

.DEFAULT_GOAL := help
# The container engine for compose.yaml. To use another one: COMPOSE="nerdctl compose" make ps
COMPOSE ?= $(shell for engine in "docker compose" "podman compose" podman-compose; do \
	$$engine version >/dev/null 2>&1 && echo "$$engine" && break; done)
EVERYTHING := --profile sink --profile monitoring
.PHONY: help run test test-fast bench browser check format messages install migrate csu lock clean engine \
	build run_all down destroy stop restart ps logs

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z_-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' Makefile

run: $(INSTALLED) ## run the whole system on this machine, mails go to a local sink; options: ARGS="--port 9000"
	@$(BIN)/events-face up --mail $(ARGS)

# A test starts many processes, each of which would compile what it imports.
test test-fast: export PYTHONDONTWRITEBYTECODE =

test: $(INSTALLED) ## run the whole test suite; options: ARGS="-k outbox"
	@$(BIN)/pytest -n auto --dist worksteal $(ARGS)

test-fast: $(INSTALLED) ## rules and units in seconds: the tests that start no server and no process
	@$(BIN)/pytest -q -m fast $(ARGS)

bench: $(INSTALLED) ## benchmarks against peers; ONLY=list,lag runs some, QUICK=1 is a smoke test
	@$(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY)) $(ARGS)

browser: $(INSTALLED) ## install a Chromium for the tests of the admin panel
	@$(BIN)/python -m tests.support.chromium

check: $(INSTALLED) ## lint, format, types, import rules, stored events, Containerfile
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.domain.event_shapes
	$(BIN)/hadolint Containerfile

format: $(INSTALLED) ## format the code
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

install: $(INSTALLED) ## create or update .venv

migrate: $(INSTALLED) ## create or upgrade all tables
	@$(BIN)/events-face migrate $(ARGS)

csu: $(INSTALLED) ## create a superuser; ARGS="--username root"
	@$(BIN)/events-face migrate
	@$(BIN)/events-face createsuperuser $(or $(ARGS),--username root)

build: engine ## build the container image
	@$(COMPOSE) build $(ARGS)

run_all: engine ## run the whole system in containers, configured by .env (compose.yaml)
	@test -f .env || { echo "run_all needs .env: copy .env.example, set POSTGRES_PASSWORD and SECRET_KEY" >&2; exit 1; }
	@$(COMPOSE) up --build --detach $(ARGS)

down: engine ## remove the containers; keep the data
	@$(COMPOSE) $(EVERYTHING) down $(ARGS)

destroy: engine ## remove the containers and all their data, history included
	@$(COMPOSE) $(EVERYTHING) down --volumes $(ARGS)

stop: engine ## stop the containers
	@$(COMPOSE) $(EVERYTHING) stop $(ARGS)

restart: engine ## restart the containers; ARGS=api restarts some
	@$(COMPOSE) restart $(ARGS)

ps: engine ## show the status of the containers
	@$(COMPOSE) $(EVERYTHING) ps $(ARGS)

logs: engine ## show the logs of the containers; options: ARGS="--follow api"
	@$(COMPOSE) $(EVERYTHING) logs $(ARGS)

engine:
	@test -n "$(COMPOSE)" || { \
		echo "no container engine: install docker compose or podman compose (make run needs neither)" >&2; exit 1; }

messages: $(INSTALLED) ## bring the catalogues of texts for visitors up to date with the code
	@$(BIN)/python -m tests.languages.messages

lock: $(INSTALLED) ## update the pins of all dependencies; ARGS=--upgrade: newest releases
	$(LOCK) pyproject.toml $(WITHOUT_DJANGO) $(ARGS) -o requirements/runtime.txt
	$(LOCK) pyproject.toml $(WITHOUT_DJANGO) --extra embedded --group dev \
		--constraint requirements/runtime.txt $(ARGS) \
		-o requirements/dev.txt
	echo hatchling | $(LOCK) - --constraint requirements/dev.txt $(ARGS) -o requirements/build.txt
	echo uv | $(LOCK) - $(ARGS) -o requirements/uv.txt
	for pins in $(basename $(wildcard benchmarks/peers/*/requirements.in)); do $(LOCK) $$pins.in $(ARGS) -o $$pins.txt || exit; done

clean: ## remove .venv and all caches; keep .data
	rm -rf .venv .venv-peers .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml requirements/dev.txt requirements/uv.txt Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed; choose one with PYTHON=python3.x make install" \
		"(make clean, if the one .venv was made from is gone)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot create environments: install its venv module" \
		"(on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "Installing into .venv ..."
	@test -e $@ || $(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@VIRTUAL_ENV=.venv $(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes requirements/dev.txt
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q domain runtime projections api workers events_face
	@touch $@
