# Machines need root. Everything that takes long is built once into $KUBEWRIGHT_CACHE (/var/cache/kubewright).
export KUBEWRIGHT_CACHE ?= /var/cache/kubewright
export CGO_ENABLED ?= 0
BED := $(KUBEWRIGHT_CACHE)/bin/bed
NODE ?=
ARGS ?=
RUN ?= .
TOOL ?= kubewright
CONTROL_PLANES ?= 1
WORKERS ?= 1
NODES ?= 200
ROUNDS ?= 1
FUZZTIME ?= 30s
SEED ?= 1
PART ?=
CUTS ?= 10
PAIRS ?= 10

.PHONY: help up vm down status shell kubectl build test test-unit e2e fuzz test-faults test-power bench bench-join vet lint bed

help: ## what there is
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

build: ## bin/kubewright
	go build -trimpath -ldflags "-s -w" -o bin/kubewright ./cmd/kubewright

bed:
	@mkdir -p $(KUBEWRIGHT_CACHE)/bin && go build -o $(BED) ./test/bed/cmd/bed

up: bed ## disposable machines with a cluster that kubewright made (CONTROL_PLANES=3 WORKERS=2; TOOL=kubeadm: that kubeadm made; CONFIG=file)
	@$(BED) up --tool $(TOOL) --control-planes $(CONTROL_PLANES) --workers $(WORKERS) $(if $(CONFIG),--config $(CONFIG))

vm: bed ## the same in a virtual machine with a Debian kernel and cgroup v2, gone afterwards; slow where it is emulated
	@$(BED) vm --tool $(TOOL) $(if $(CONFIG),--config $(CONFIG))

down: bed ## nothing of it is left
	@$(BED) down

status: bed ## what is up
	@$(BED) status

shell: bed ## a shell in a machine (NODE=w1)
	@$(BED) shell $(NODE)

kubectl: bed ## kubectl with the cluster that is up (ARGS="get nodes")
	@$(BED) kubectl $(ARGS)

test: vet components test-race e2e ## everything: vet, unit, golden and script tests with the race detector, real machines

test-unit: ## unit, golden and script tests: no root, no components
	go test ./...

# Before the tests: some of them give the same input to real kubeadm, where there is one.
.PHONY: components
components: bed
	@$(BED) build

.PHONY: test-race
test-race:
	CGO_ENABLED=1 go test -race -timeout 20m ./...

e2e: components ## tests on real machines (RUN=TestInit; ROUNDS=10: how often TestJoinAtOnce and TestResetAgain repeat)
	KUBEWRIGHT_E2E=1 KUBEWRIGHT_ROUNDS=$(ROUNDS) go test -p 1 -count=1 -timeout 80m -run '$(RUN)' ./test/bed ./test/e2e/...

# Inputs that are found go to testdata/fuzz of their package: keep them with what mends it.
fuzz: ## feeds each reader damaged input for a while (FUZZTIME=30s, RUN=FuzzHistory), one after another
	@for package in $$(git grep -l '^func Fuzz' -- '*_test.go' | xargs -n 1 dirname | sort -u); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\)(.*/\1/p' $$package/*_test.go | grep -e '$(RUN)'); do \
			echo "$$package $$target"; \
			nice go test -run "^$$target\$$" -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x -parallel 1 ./$$package || exit 1; \
		done; \
	done

test-faults: components ## kills init, join and reset at more than a hundred points on real machines, fills disks, and prints a table (SEED=2 PART=1/4)
	KUBEWRIGHT_E2E=1 KUBEWRIGHT_FAULTS=all KUBEWRIGHT_FAULTS_SEED=$(SEED) KUBEWRIGHT_FAULTS_PART=$(PART) \
		go test -p 1 -count=1 -v -timeout 240m -run '$(if $(filter .,$(RUN)),TestFaults,$(RUN))' ./test/e2e

test-power: bed ## power cuts of a virtual machine while init runs in it (CUTS=10 SEED=number); an hour or more where it is emulated
	@$(BED) power --cuts $(CUTS) --seed $(SEED)

bench: ## init and joins beside kubeadm's and the floor, in turns on one machine (PAIRS=10); report in test/bench/out
	go run ./test/bench/cmd/bench all --pairs $(PAIRS)

bench-join: ## requests and times of joins: one by each tool, many at once (NODES=200); report in test/bench/out
	go run ./test/bench/cmd/bench join --nodes $(NODES)

vet: ## go vet and gofmt
	go vet ./...
	go vet -tags faults ./cmd/...
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }

lint: ## golangci-lint, where it is installed
	golangci-lint run ./...
