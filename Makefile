# One front door for developers. Prerequisites: Go and make.

GO      ?= go
PKGS    ?= ./...
SEED    ?=
BIN     := bin/granary
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X granary/cli.version=$(VERSION)

.PHONY: run build test unit vet lint fmt cross race fuzz formal histories lives crash powerloss ioerr bitflip partition slowlink badpeers eclipse sim bench long browser peers clients clean

## run: build and start the main job, a demo chain with its page (Ctrl-C stops it)
run: build
	$(BIN) up

## build: the one binary, bin/granary
build:
	@mkdir -p bin
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/granary

## test: everything a change must pass
test: vet lint cross unit

unit:
	$(GO) test -timeout 20m $(PKGS)

vet:
	$(GO) vet $(PKGS)

## lint: staticcheck and gofumpt, both pinned in go.mod (the lint tests run with unit)
lint:
	$(GO) tool staticcheck $(PKGS)
	@out=$$($(GO) tool gofumpt -l .); if [ -n "$$out" ]; then \
		echo "not gofumpt-ed (run: make fmt):"; echo "$$out"; exit 1; fi

fmt:
	$(GO) tool gofumpt -w .

## cross: the binary builds for arm64
cross:
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) build -o /dev/null ./cmd/granary
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) vet ./cmd/... ./base/...

## race: the tests under the race detector; needs a C compiler
race:
	@command -v $${CC:-cc} >/dev/null 2>&1 || { echo "make race needs a C compiler (install gcc or clang, or set CC)"; exit 1; }
	CGO_ENABLED=1 $(GO) test -race -timeout 60m $(PKGS)

## fuzz: every fuzz target for FUZZTIME each
FUZZTIME ?= 20s
fuzz:
	@for pkg in $$($(GO) list $(PKGS)); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
		done; done

## long: the tests that take hours in their long form (kills, power cuts, histories)
long:
	GRANARY_LONG=1 $(GO) test -timeout 6h $(PKGS)

## browser: the page in a real Chromium; fails where there is none
browser:
	@command -v chromium >/dev/null 2>&1 || { \
		command -v apt-get >/dev/null 2>&1 && apt-get update -qq && apt-get install -y -qq chromium >/dev/null; }
	@command -v chromium >/dev/null 2>&1 || { echo "chromium is not here and could not be installed"; exit 1; }
	GRANARY_REQUIRE_BROWSER=1 $(GO) test -count=1 -run 'Browser' ./door/web/... ./test/...

## peers: unmodified Bitcoin and Lightning nodes, built from the module proxy, held against ours; fails where they cannot be built
LND := 0.20.1-beta
peers:
	@mkdir -p bin/peers
	$(GO) build -o bin/peers/btcd github.com/btcsuite/btcd
	$(GO) build -o bin/peers/addblock github.com/btcsuite/btcd/cmd/addblock
	@bin/peers/lnd --version 2>/dev/null | grep -qF 'version $(LND) ' && test -x bin/peers/lncli || $(MAKE) bin/peers/lnd
	GRANARY_REQUIRE_PEERS=1 $(GO) test -count=1 -v -timeout 30m ./test/peers/...

# lnd's go.mod replaces modules, which go install refuses: a copy of its module is built instead.
.PHONY: bin/peers/lnd
bin/peers/lnd:
	rm -rf bin/peers/lnd-src
	mkdir -p bin/peers/lnd-src
	cd bin/peers/lnd-src && $(GO) mod init unused 2>/dev/null && \
		dir=$$($(GO) mod download -json github.com/lightningnetwork/lnd@v$(LND) | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$$/\1/p') && \
		test -n "$$dir" && rm go.mod && cp -R "$$dir/." . && chmod -R u+w .
	cd bin/peers/lnd-src && $(GO) build -buildvcs=false -o .. ./cmd/lnd ./cmd/lncli
	rm -rf bin/peers/lnd-src

## clients: unmodified JSON-RPC clients, installed from Debian and npm, against the door; fails where there are none
clients:
	@command -v litecoin-cli >/dev/null 2>&1 && /usr/bin/python3 -c 'import bitcoin.rpc' 2>/dev/null || \
		{ command -v apt-get >/dev/null 2>&1 && apt-get update -qq && \
		apt-get install -y -qq --no-install-recommends litecoind python3-bitcoinlib >/dev/null; }
	@command -v npm >/dev/null 2>&1 || \
		{ command -v apt-get >/dev/null 2>&1 && apt-get update -qq && apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null; }
	@command -v npm >/dev/null 2>&1 || { echo "npm is not here and could not be installed"; exit 1; }
	@mkdir -p bin/clients && cp test/clients/package.json test/clients/package-lock.json bin/clients/
	cd bin/clients && npm ci --ignore-scripts --omit=optional --no-audit --no-fund
	GRANARY_REQUIRE_CLIENTS=1 $(GO) test -count=1 -run 'TestCoreCommandLine|TestPythonBitcoinlib' ./door/rpc
	GRANARY_REQUIRE_CLIENTS=1 $(GO) test -count=1 ./test/clients

## formal: a model of the goods rules, every state of it visited; installs spin from Debian, fails where it cannot
formal:
	@command -v spin >/dev/null 2>&1 && command -v gcc >/dev/null 2>&1 || \
		{ command -v apt-get >/dev/null 2>&1 && apt-get update -qq && \
		apt-get install -y -qq --no-install-recommends spin gcc libc6-dev >/dev/null; }
	@command -v spin >/dev/null 2>&1 && command -v gcc >/dev/null 2>&1 || { echo "spin or gcc is not here and could not be installed"; exit 1; }
	GRANARY_REQUIRE_FORMAL=1 $(GO) test -count=1 -v -timeout 20m ./test/formal

## histories: HISTORIES random histories over all records, rules and naive model side by side, from seed SEED on
HISTORIES ?= 100000
histories:
	GRANARY_HISTORIES=$(HISTORIES) GRANARY_SEED=$(or $(SEED),1) $(GO) test -count=1 -v -timeout 6h -run '^TestRandomHistories$$' ./rules/goods

## lives: LIVES whole lives on the real engine, each taken apart by reorganisations of every depth from 1 to 150
LIVES ?= 5
lives:
	GRANARY_LONG=1 GRANARY_LIVES=$(LIVES) GRANARY_SEED=$(or $(SEED),7) GRANARY_LIFE_BLOCKS=1500 $(GO) test -count=1 -v -timeout 2h ./test/plays

# What must not break, in the long forms; the short ones run with "make test".
# SEED repeats a run. Those on networks of whole nodes need Linux, root, ip and tc.
FIRE := GRANARY_LONG=1 GRANARY_REQUIRE_NETNS=1 $(if $(SEED),GRANARY_SEED=$(SEED)) $(GO) test -count=1 -v -timeout 6h

## crash: 500 kills of a node that syncs and reorganises, of the chain engine and of the store
crash:
	$(FIRE) -run '^TestCrash$$' ./test/fire
	$(FIRE) -run '^TestKills?$$' ./chain ./store

## powerloss: thousands of power cuts that lose what was not synced
powerloss:
	$(FIRE) -run 'PowerCut' ./store ./p2p/addr

## ioerr: failing syncs, full and read-only disks
ioerr:
	$(FIRE) -run '^(TestDiskErrors|TestFailedStaysFailed|TestFullDisk)$$' ./store ./chain

## bitflip: flipped bits in every file
bitflip:
	$(FIRE) -run '^(TestBitFlips|TestFlippedBitsAreFound|TestDamagedDump)$$' ./store ./p2p/addr ./mempool

## partition: ten nodes in network namespaces, cut in two thirty times
partition: tools-net
	$(FIRE) -run '^TestPartition$$' ./test/fire

## slowlink: full blocks over a line of 16 kbit/s
slowlink: tools-net
	$(FIRE) -run '^TestSlowLink$$' ./test/fire

## badpeers: every kind of hostile peer beside an honest one, for a minute each
badpeers:
	$(FIRE) -run '^TestBadPeers$$' ./test/fire

## eclipse: poisoned address books and restarts
eclipse:
	$(FIRE) -run 'Poisoned|Eclipse|Anchor' ./p2p ./p2p/addr

.PHONY: tools-net
tools-net:
	@command -v ip >/dev/null 2>&1 && command -v tc >/dev/null 2>&1 || \
		{ command -v apt-get >/dev/null 2>&1 && apt-get update -qq && \
		apt-get install -y -qq --no-install-recommends iproute2 >/dev/null; }

## sim: SCENARIOS networks in one process from seed SEED on, cut, split and killed; then one seed REPEATS times, the same trace each time
SCENARIOS ?= 100
REPEATS ?= 20
sim:
	GRANARY_SCENARIOS=$(SCENARIOS) GRANARY_SEED=$(or $(SEED),1) GRANARY_BLOCKS=300 $(GO) test -count=1 -v -timeout 2h -run '^TestScenarios$$' ./sim
	GRANARY_REPEATS=$(REPEATS) GRANARY_SEED=$(or $(SEED),3) $(GO) test -count=1 -v -timeout 1h -run '^TestSameSeedSameTrace$$' ./sim

## bench: Go benchmarks; the side-by-side import is "granary bench import"
bench:
	$(GO) test -run '^$$' -bench . -benchmem $(PKGS)

clean:
	rm -rf bin
