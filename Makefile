SHELL := /bin/bash
VENV := .venv
PORT ?= 5439
RUSTDOCFLAGS_STRICT := -D warnings

NODE_CLIENTS := tests/clients/node

.PHONY: help setup setup-demo venv node build release demo oracle test test-rust test-oracle test-clients lint doc bench soak deny clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

setup: ## install what is missing: PostgreSQL, a C compiler, libclang, Python, Java, Node, ODBC, the clients' drivers
	@scripts/setup postgresql cc libclang python java node odbc
	@$(MAKE) --no-print-directory venv node

setup-demo:
	@scripts/setup postgresql cc

venv: $(VENV)/.installed

$(VENV)/.installed: tests/clients/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

node: $(NODE_CLIENTS)/node_modules/.installed

$(NODE_CLIENTS)/node_modules/.installed: $(NODE_CLIENTS)/package-lock.json
	npm ci --prefix $(NODE_CLIENTS) --no-audit --no-fund --silent
	@touch $@

build: ## debug build
	cargo build --locked

release: ## release build
	cargo build --locked --release

demo: setup-demo release ## the gate on a private PostgreSQL with sample data (PORT=5439)
	target/release/tollgate demo --port $(PORT)

lint: ## formatting and clippy
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

doc: ## API documentation, broken links are errors
	RUSTDOCFLAGS="$(RUSTDOCFLAGS_STRICT)" cargo doc --locked --no-deps --document-private-items

test: setup lint doc test-rust test-oracle test-clients test-fuzz ## everything that CI runs

test-rust: ## unit, integration and documentation tests
	@if cargo nextest --version >/dev/null 2>&1; then \
	  cargo nextest run --locked && cargo test --locked --doc; \
	else \
	  cargo test --locked; \
	fi
	cargo test --locked --package tollgate-relay

test-oracle: ## some thousand texts understood as PostgreSQL's parser does
	cargo test --locked --package tollgate-oracle

test-clients: build venv node ## psql, pgbench and the drivers of Python, Java and Node through a running demo
	TOLLGATE_BIN=$${TOLLGATE_BIN:-target/debug/tollgate} $(VENV)/bin/python -m pytest tests/clients

oracle: ## 200,000 texts understood as PostgreSQL's parser does (ARGS="--seed 2 --texts 1000000")
	@scripts/setup postgresql cc libclang
	cargo run --locked --release --package tollgate-oracle -- $(ARGS)

test-fuzz: ## ten seconds of each fuzz target
	scripts/fuzz 10

fuzz: ## an hour of each fuzz target, or as long as said (SECONDS=60)
	scripts/fuzz $(or $(SECONDS),3600)

bench: setup-demo release ## through nothing, a raw relay, pgbouncer and Tollgate (ARGS="--tests all --write")
	cargo build --locked --release --package tollgate-relay
	python3 benches/proxy/run.py $(ARGS)

soak: venv ## two minutes of many clients, cancels, kills and restarts (ARGS="--minutes 60")
	@scripts/setup postgresql cc
	cargo build --locked --release
	$(VENV)/bin/python benches/soak/run.py $(ARGS)

deny: ## licences, advisories and sources of the dependencies (needs cargo-deny)
	cargo deny check

clean: ## what was built and installed here
	cargo clean
	rm -rf $(VENV) $(NODE_CLIENTS)/node_modules
