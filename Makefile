# `make` prints this help. Every target says in one line what it does; CI (.ci/run) calls the same ones.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# A first build takes minutes and shows its progress; later ones are silent.
CARGO_BUILD = cargo build $(if $(wildcard $1),-q)
BUILD = $(call CARGO_BUILD,$(RELEASED)) --release -p passerelle-ingress -p passerelle-worker -p passerelle-ops
TARGET := $(or $(CARGO_TARGET_DIR),target)
RELEASED := $(TARGET)/release/passerelle
# Cargo chooses the features of dependencies by what is asked for. Asked for the programs alone, it compiles nearly all of them
# once more for the tests. One target that needs the dependencies of tests makes both the same build.
PROGRAMS := --workspace --bins --example settings
# What `make up` built, where it did; else what `make demo` and `make test` build.
PASSERELLE = $(if $(wildcard $(RELEASED)),$(BUILD) && $(RELEASED),$(call CARGO_BUILD,$(TARGET)/debug/passerelle) $(PROGRAMS) && $(TARGET)/debug/passerelle)

##@ Start here

help: ## print this help
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z\/-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: tools/redis ## the main job end to end, in a sandbox of its own; stops everything it started
	@$(call CARGO_BUILD,$(TARGET)/debug/demo) $(PROGRAMS)
	@$(TARGET)/debug/demo

play: tools/redis ## a sandbox of both products, the bridge and its console, to play with in a browser until Ctrl-C [FILE=scenario.toml: plays that]
	@$(call CARGO_BUILD,$(TARGET)/debug/passerelle-play) $(PROGRAMS)
	@exec $(TARGET)/debug/passerelle play $(FILE) $(ARGS)

test: tools/redis tools/postgres tools/pgbouncer tools/postfix tools/prometheus tools/systemd tools/browser build/tests ## all tests
	@scripts/test

test-faults: tools/redis tools/postgres ## break real processes on schedule: make test-faults [ROUNDS=20 SEED=17 FILE=… JOBS=2]
	@cargo build -q $(PROGRAMS)
	@$(TARGET)/debug/fault-matrix $(if $(SEED),--seed "$(SEED)",$(if $(FILE),--file "$(FILE)",--rounds $(or $(ROUNDS),20) --from $(or $(FROM),0))) \
	  $(if $(JOBS),--jobs $(JOBS)) $(if $(SEED)$(FILE),,--state .run/fault-matrix.state)

test-images: ## build the images, and run compose.yaml against the sandbox: a kill, new rules, a scale (needs docker compose)
	@cargo build -q $(PROGRAMS)
	@cargo test -q --workspace --test images -- --ignored --nocapture

test-package: ## install, upgrade and purge the Debian package in a fresh system (needs root, and debootstrap)
	@cargo build -q $(PROGRAMS)
	@cargo test -q --workspace --test operating package -- --ignored --nocapture

soak: tools/redis ## load and faults for a long time; says what grows: make soak [MINUTES=30]; table and chart in target/soak
	@cargo build -q $(PROGRAMS)
	@$(TARGET)/debug/soak --minutes $(or $(MINUTES),30)

##@ Run

run: tools/redis ## the whole bridge in one process, with the settings of .env: ingress, one worker, console
	@$(BUILD)
	@$(RELEASED) all --own-redis

up: tools/redis ## a whole bridge in the background, with the settings of .env: make up [WORKERS=4]; logs in .run/log; what dies is started again
	@$(BUILD)
	@$(RELEASED) up --workers $(or $(WORKERS),1)

restart: ## restart what `make up` started, one process after the other: for new settings, secrets or versions
	@$(BUILD)
	@$(RELEASED) restart

status: ## what of it runs
	@$(RELEASED) status

down: ## stop what `make up` started; what is in hand is finished
	@$(RELEASED) down

##@ Set up

init: tools/redis ## set the bridge up, step by step: logins, settings, tables, spaces, webhooks, a row to try it [ARGS="--tables make --dry-run"]
	@$(PASSERELLE) init --own-redis $(ARGS)

check-rules: ## whether bridge.toml and its templates are right [ARGS=--live: and fit the real tables, fields and spaces]
	@$(PASSERELLE) check $(ARGS)

preview: ## the page that a rule makes of a row, and what a sync would change: make preview ROW=projet/42 [ARGS=--watch]
	@$(PASSERELLE) preview $(ROW) $(ARGS)

provision: ## make the fields and webhooks in Baserow that the rules need: make provision URL=https://… [ARGS=--dry-run]
	@$(PASSERELLE) provision $(if $(URL),--url "$(URL)") $(ARGS)

doctor: ## everything that the bridge needs, looked at once, with what to do [ARGS=--json]
	@$(PASSERELLE) doctor $(ARGS)

##@ Operate (see docs/RUNBOOK.md)

console: ## what the bridge does, and why, in a browser [ARGS="user add NAME --role operator"]
	@$(PASSERELLE) console $(ARGS)

trace: ## the story of an event or a row: make trace ID=<event id | t2/r5>
	@$(PASSERELLE) trace $(if $(ID),"$(ID)",--help)

stats: ## the queue and all outcomes in numbers [ARGS=--watch]
	@$(PASSERELLE) stats $(ARGS)

notices: ## what people were told [ARGS="--state failed" | "retry <id>"]
	@$(PASSERELLE) notices $(ARGS)

reload: ## has all processes read bridge.toml and its templates again; wrong ones are not taken
	@$(PASSERELLE) reload $(ARGS)

workers: ## which workers are alive, and what they have in hand
	@$(PASSERELLE) workers $(ARGS)

jobs: ## jobs one by one, and what each waits for [ARGS="--table projet --state held" | "projet/42"]
	@$(PASSERELLE) jobs $(ARGS)

run-now: ## a waiting job now: make run-now ROW=projet/42 WHY="…", or TABLE=projet ARGS=--held [ARGS=--dry-run]
	@$(PASSERELLE) run-now $(if $(WHY),$(if $(ROW),"$(ROW)") $(if $(TABLE),--table "$(TABLE)") --why "$(WHY)",--help) $(ARGS)

acts: ## what operators have done, and why [ARGS="--limit 20"]
	@$(PASSERELLE) acts $(ARGS)

sync: ## sync one row now: make sync ROW=projet/42 [WHY="…" ARGS=--wait]
	@$(PASSERELLE) sync $(if $(ROW),"$(ROW)",--help) $(if $(WHY),--why "$(WHY)") $(ARGS)

reconcile: ## find rows that differ from their pages, and sync them; goes on after Ctrl-C [WHY="…" ARGS="--dry-run --table projet --from-start"]
	@$(PASSERELLE) reconcile $(if $(WHY),--why "$(WHY)") $(ARGS)

pause: ## stop taking jobs: make pause WHY="…" [ARGS="--queue mail"]
	@$(PASSERELLE) pause $(if $(WHY),--why "$(WHY)",--help) $(ARGS)

resume: ## take jobs again: make resume WHY="…"
	@$(PASSERELLE) resume $(if $(WHY),--why "$(WHY)",--help) $(ARGS)

gates: ## outage mode by target; ARGS='stop docmost:write --why "…"' to act by hand
	@$(PASSERELLE) gates $(ARGS)

dead-list: ## dead letters of all queues: make dead-list [ARGS="--queue mail --reason permanent"]
	@$(PASSERELLE) dead list $(ARGS)

dead-show: ## one dead letter: make dead-show ID=<letter>
	@$(PASSERELLE) dead show $(if $(ID),"$(ID)",--help)

# Which letters: by their ids, or all of a table or a reason.
LETTERS = $(foreach letter,$(ID),"$(letter)") $(if $(TABLE)$(REASON),--all $(if $(TABLE),--table "$(TABLE)") $(if $(REASON),--reason "$(REASON)")) \
	$(if $(WHY),--why "$(WHY)") $(ARGS) $(if $(ID)$(TABLE)$(REASON)$(ARGS),,--help)

dead-replay: ## replay dead letters: make dead-replay ID=<letter>, or TABLE=2 REASON=permanent WHY="…" [ARGS=--dry-run]
	@$(PASSERELLE) dead replay $(LETTERS)

dead-export: ## write dead letters out as JSON lines [ARGS="--to letters.jsonl"]
	@$(PASSERELLE) dead export $(ARGS)

dead-discard: ## discard dead letters: make dead-discard ID=<letter> WHY="…", or TABLE=2 REASON=permanent [ARGS=--dry-run]
	@$(PASSERELLE) dead discard $(LETTERS)

##@ Develop

check: fmt lint size tidy ## format check, lints, sizes, leftovers: quick enough for every commit

fmt: ## check the formatting
	@cargo fmt --all --check

lint: ## clippy without a single warning
	@cargo clippy -q --workspace --all-targets -- -D warnings

size: ## files and functions within the sizes that keep them readable
	@scripts/size

tidy: ## no unused dependency, no snapshot without a test, no typo, no fault in a shell script
	@scripts/tidy

# Private items are documented, so links to them resolve: that lint is about published documentation.
docs: ## the API documentation, without a single warning, and every link of the hand-written pages
	@RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" cargo doc -q --workspace --lib --bin bench --example settings --no-deps --document-private-items
	@scripts/links

settings: ## write .env.example, docs/SETTINGS.md, docs/METRICS.md, bridge.schema.json and scenario.schema.json from their tables and types
	@cargo build -q $(PROGRAMS)
	@$(TARGET)/debug/examples/settings
	@$(TARGET)/debug/passerelle-play --schema >scenario.schema.json

pictures: tools/redis tools/browser ## take the pictures of docs/CONSOLE.md anew
	@cargo build -q $(PROGRAMS)
	@cargo test -q --workspace --test console pictures -- --ignored

console-figures: tools/redis tools/postgres ## what the console's pages cost with a million events (release build)
	@cargo test -q --release -p passerelle-console --test console figures -- --ignored --nocapture --test-threads=1

deny: ## licences, bans and sources of the dependencies (needs cargo-deny)
	@cargo deny check bans licenses sources

bench: tools/redis ## measure against the limits of this machine (release build)
	@cargo build -q --release -p passerelle-ingress -p passerelle-worker -p passerelle-ops -p passerelle-sandbox -p passerelle-bench
	@$(TARGET)/release/bench

MINUTES ?= 20
fuzz: ## feed a reader with damaged inputs: make fuzz TARGET=payload|push|shortener|proof|baserow_answer|docmost_answer|rules [MINUTES=20]
	@test -n "$(TARGET)" || { echo 'name a TARGET: make help' >&2; exit 1; }
	@FUZZ_SECONDS=$$(($(MINUTES) * 60)) nice -n 19 cargo test -q -p passerelle-ingress -p passerelle-worker --lib --release "fuzz_$(TARGET)" -- --nocapture

deb: ## the Debian packages, from a release build: the bridge, and passerelle-play, which plays scenarios
	@$(BUILD)
	@cargo build -q --release -p passerelle-sandbox -p system-tests --bin passerelle-sandbox --bin passerelle-play
	@scripts/deb $(TARGET)/release $(TARGET)
	@scripts/deb $(TARGET)/release $(TARGET) xz passerelle-play

ci: check docs demo test ## what .ci/run runs

build/programs:
	@cargo build -q $(PROGRAMS)

build/tests:
	@cargo build -q --workspace --all-targets

##@ Tools

tools: tools/redis tools/postgres tools/pgbouncer tools/postfix tools/prometheus tools/systemd tools/browser ## find or install the servers and the browser that the tests start

tools/redis:
	@scripts/tools redis

tools/postgres:
	@scripts/tools postgres

tools/pgbouncer:
	@scripts/tools pgbouncer

tools/postfix:
	@scripts/tools postfix

tools/browser:
	@scripts/tools browser

tools/prometheus:
	@scripts/tools prometheus

tools/systemd:
	@scripts/tools systemd

clean: ## remove what was built, and the logs of what has run; the data stay. Refuses while something runs
	@run='$(or $(RUN_FOLDER),.run)'; \
	if $(RELEASED) idle --help >/dev/null 2>&1; then run=$$($(RELEASED) idle $(TARGET)); \
	elif compgen -G "$$run/*.pid" >/dev/null; then echo 'something may still run: make down, with the programs that started it' >&2; exit 1; fi; \
	rm -rf $(TARGET) "$${run:-.run}"

.PHONY: help demo play test test-faults test-images test-package soak run up restart status down init check-rules reload preview provision doctor console gates trace acts stats notices workers jobs run-now sync reconcile pause resume dead-list dead-show dead-replay dead-export dead-discard check fmt lint size tidy docs settings pictures console-figures deny bench fuzz deb ci \
	build/programs build/tests tools tools/redis tools/postgres tools/pgbouncer tools/postfix tools/prometheus tools/systemd tools/browser clean
