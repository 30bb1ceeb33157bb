# Eidos: everything is found by folder; to add a file, save it.
#
#   shm/*.c                  libshm.a           the core; only libc
#   procs/lib/**.c           libprocs.a         what the processes share
#   procs/NAME/*.c           bin/eidos-NAME     one binary per folder
#   cli/*.c                  bin/eidosctl
#   tests/unit/test_*.c      tests/test_*       cmocka, one binary each
#   tests/integration/       tests/integration/test_*
#   tests/lib/*.c            linked into every test that uses it (so are tests/unit/lib_*.c)
#   tests/model/driver.c     tests/model_driver the machines behind the naive model's operations
#   tests/sim/*.c            tests/sim          one binary, sees every process
#   tests/interleave/*.c     tests/interleave   every interleaving of the code of shm/ (see explore.h)
#   tests/fuzz/fuzz_*.c      fuzz/fuzz_* (clang, libFuzzer) and replay/fuzz_* (runs a corpus)
#   tests/bench/bench_*.c    bench/bench_*      and tests/bench/DIR/*.c -> bench/DIR
#   tests/bench/public/      eidos_adapter.so   for a benchmark elsewhere; not part of `all`
#
# A test, fuzzer or bench that bears the name of a process (test_trading_holds.c) is linked with
# that folder's objects too. All of this lies below $(BUILD); `make help` lists the targets.

.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules

# --- What can be set on the command line ---------------------------------------------------------

ifeq ($(origin CC),default)
CC := gcc
endif
SAN          ?=#        address | undefined | thread | address,undefined
MARCH        ?= native# built where it runs; for binaries that travel: MARCH=x86-64-v3
JOBS         ?= $(shell nproc)
SEED         ?= 1
FUZZ_SECONDS ?= 60#     for each fuzz target
FUZZ_SEED    ?= 0#      of its mutations; 0: another one each time
PREFIX       ?= /usr/local
DESTDIR      ?=
LIMIT        ?= 600#    seconds for one integration test
V            ?=#        1 shows whole commands

comma := ,
BUILD ?= build$(if $(findstring clang,$(CC)),-clang)$(if $(SAN),-$(subst $(comma),-,$(SAN)))
B     := $(BUILD)

# --- Flags ---------------------------------------------------------------------------------------

CPPFLAGS := -D_GNU_SOURCE -I. -I$(B)/gen
CFLAGS   := -std=gnu17 -O2 -g -march=$(MARCH) -fno-omit-frame-pointer -fstack-protector-strong \
            -Wall -Wextra -Wshadow -Wconversion -Werror
LDFLAGS  := -rdynamic -Wl,--as-needed -Wl,-z,relro,-z,now -pthread
LIBS     := -lmicrohttpd -lsecp256k1 -lnettle -ljansson -lwslay -linih -llz4 -lcurl -lseccomp \
            -lsystemd -lssl -lcrypto -lm

ifeq ($(SAN),)
CPPFLAGS += -D_FORTIFY_SOURCE=2
else
CFLAGS   += -fsanitize=$(SAN) $(if $(findstring undefined,$(SAN)),-fno-sanitize-recover=undefined)
ifeq ($(SAN)$(findstring clang,$(CC)),thread)
CFLAGS   += -Wno-tsan# gcc's race detector does not see fences, and says so each time
endif
LDFLAGS  += -fsanitize=$(SAN)
endif

# --- What there is -------------------------------------------------------------------------------

PROCS      := $(filter-out lib,$(patsubst procs/%/,%,$(dir $(wildcard procs/*/*.c))))
PROCS      := $(sort $(PROCS))
shm_SRC    := $(wildcard shm/*.c)
procs_SRC  := $(wildcard procs/lib/*.c procs/lib/*/*.c)
cli_SRC    := $(wildcard cli/*.c)
helper_SRC := $(wildcard tests/lib/*.c tests/unit/lib_*.c)
sim_SRC    := $(wildcard tests/sim/*.c)
unit_SRC   := $(wildcard tests/unit/test_*.c)
integ_SRC  := $(wildcard tests/integration/test_*.c)
fuzz_SRC   := $(wildcard tests/fuzz/fuzz_*.c)
bench_SRC  := $(wildcard tests/bench/bench_*.c)
public_SRC := tests/bench/public/adapter.c
bench_DIRS := $(sort $(patsubst tests/bench/%/,%,$(dir $(filter-out $(public_SRC),$(wildcard tests/bench/*/*.c)))))
ALL_SRC    := $(wildcard shm/*.c procs/*/*.c procs/lib/*/*.c cli/*.c tests/*/*.c tests/bench/*/*.c)
ALL_HDR    := $(wildcard shm/*.h procs/*/*.h procs/lib/*/*.h cli/*.h tests/*/*.h tests/bench/*/*.h)

obj     = $(patsubst %.c,$(B)/obj/%.o,$(1))
# The process folders whose name the program $(1) bears: test_trading_holds -> trading.
named   = $(foreach p,$(PROCS) cli,$(if $(filter $(p) $(p)_%,$(patsubst test_%,%,$(patsubst \
          fuzz_%,%,$(patsubst bench_%,%,$(1))))),$(B)/libfolder-$(p).a))

BINS    := $(PROCS:%=$(B)/bin/eidos-%) $(if $(cli_SRC),$(B)/bin/eidosctl)
UNIT    := $(unit_SRC:tests/unit/%.c=$(B)/tests/%)
INTEG   := $(integ_SRC:tests/integration/%.c=$(B)/tests/integration/%)
SIM     := $(if $(sim_SRC),$(B)/tests/sim)
INTERLEAVE := $(if $(SAN),,$(B)/tests/interleave)
FUZZ    := $(fuzz_SRC:tests/fuzz/%.c=$(B)/fuzz/%)
REPLAY  := $(fuzz_SRC:tests/fuzz/%.c=$(B)/replay/%)
BENCH   := $(bench_SRC:tests/bench/%.c=$(B)/bench/%) $(bench_DIRS:%=$(B)/bench/%)
CORE    := $(B)/libprocs.a $(B)/libshm.a

.PHONY: all tests benches fuzzers replays
all: $(BINS) $(CORE)
tests: $(UNIT) $(INTEG) $(SIM) $(INTERLEAVE) $(B)/tests/model_driver
benches: $(BENCH)
fuzzers: $(FUZZ)
replays: $(REPLAY)

# --- How it is built -----------------------------------------------------------------------------

# Rewritten only when they change, so that new flags or a new commit rebuild what they touch.
FLAGS_NOW   := $(CC) $(CPPFLAGS) $(CFLAGS)
COMMIT_NOW  := $(shell git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
VERSION     := 0.1.0
$(shell mkdir -p $(B)/gen; \
    echo '$(FLAGS_NOW)' | cmp -s - $(B)/gen/flags || echo '$(FLAGS_NOW)' >$(B)/gen/flags; \
    printf '#define EIDOS_VERSION "$(VERSION)"\n#define EIDOS_COMMIT "$(COMMIT_NOW)"\n' \
        >$(B)/gen/version.new.$$$$; \
    cmp -s $(B)/gen/version.new.$$$$ $(B)/gen/version.h \
        && rm $(B)/gen/version.new.$$$$ || mv $(B)/gen/version.new.$$$$ $(B)/gen/version.h)

# $(call say,verb) prints "verb target"; V=1 prints the command instead.
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $@;)

$(B)/obj/%.o: %.c $(B)/gen/flags
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The default configuration is part of the binary.
$(B)/obj/procs/lib/config_embed.o: $(wildcard conf/*.ini)
$(B)/obj/procs/api/docs_embed.o: schema/openapi.json

%.a:
	@mkdir -p $(@D)
	$(call say,ar)rm -f $@.new && ar rcs $@.new $^ && mv $@.new $@

$(B)/libshm.a: $(call obj,$(shm_SRC))
$(B)/libprocs.a: $(call obj,$(procs_SRC))
$(B)/libtests.a: $(call obj,$(helper_SRC))
$(foreach p,$(PROCS),$(eval $(B)/libfolder-$(p).a: $(call obj,$(wildcard procs/$(p)/*.c))))
$(B)/libfolder-cli.a: $(call obj,$(cli_SRC))

link = @mkdir -p $(@D)$(newline)$(call say,ld)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) \
       -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(1) $(LIBS)
define newline


endef

$(foreach p,$(PROCS),$(eval $(B)/bin/eidos-$(p): $(call obj,$(wildcard procs/$(p)/*.c))))
$(B)/bin/eidosctl: $(call obj,$(cli_SRC))
$(BINS): $(CORE)
	$(call link)

TEST_LIBS := $(B)/libtests.a $(CORE)
.SECONDEXPANSION:
$(UNIT): $(B)/tests/%: $(B)/obj/tests/unit/%.o $$(call named,$$*) $(TEST_LIBS)
	$(call link,-lcmocka)
$(INTEG): $(B)/tests/integration/%: $(B)/obj/tests/integration/%.o $$(call named,$$*) $(TEST_LIBS)
	$(call link,-lcmocka)
$(B)/tests/model_driver: $(call obj,tests/model/driver.c) $(TEST_LIBS)
	$(call link)
$(SIM): $(call obj,$(sim_SRC)) $(PROCS:%=$(B)/libfolder-%.a) $(TEST_LIBS)
	$(call link,-lcmocka)
# The code under the explorer is compiled for the race detector, and linked without its runtime.
explored_SRC := $(addprefix shm/,log.c ring.c signal.c proc.c) \
                $(addprefix tests/interleave/,ring.c sleep.c log.c log_world.c takeover.c)
explorer_SRC := $(addprefix tests/interleave/,main.c explore.c explore_hooks.c)
explored_OBJ := $(explored_SRC:%.c=$(B)/explored/%.o)
$(explored_OBJ): $(B)/explored/%.o: %.c $(B)/gen/flags
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(CPPFLAGS) -U_FORTIFY_SOURCE -DRACY_READ= -Dabort=explore_abort \
	    -Dsyscall=explore_syscall -Dwrite=explore_write -Dgetpid=explore_getpid $(CFLAGS) \
	    -fsanitize=thread $(if $(findstring clang,$(CC)),,-Wno-tsan) -MMD -MP -c -o $@ $<
$(B)/tests/interleave: $(explored_OBJ) $(call obj,$(explorer_SRC)) $(B)/libshm.a
	$(call link)
-include $(explored_OBJ:.o=.d)

$(FUZZ): $(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $$(call named,$$*) $(CORE)
	$(call link,-fsanitize=fuzzer)
$(REPLAY): $(B)/replay/%: $(B)/obj/tests/fuzz/%.o $(B)/obj/tests/fuzz/replay_main.o \
        $$(call named,$$*) $(CORE)
	$(call link)
$(bench_SRC:tests/bench/%.c=$(B)/bench/%): $(B)/bench/%: $(B)/obj/tests/bench/%.o \
        $$(call named,$$*) $(TEST_LIBS)
	$(call link)
$(bench_DIRS:%=$(B)/bench/%): $(B)/bench/%: \
        $$(call obj,$$(wildcard tests/bench/$$*/*.c)) $$(call named,$$*) $(TEST_LIBS)
	$(call link)

-include $(patsubst %.c,$(B)/obj/%.d,$(ALL_SRC))

# --- What can be asked for -----------------------------------------------------------------------

.PHONY: help run test test-long bench bench-book bench-public fuzz sim sim-long lint docs install clean
.PHONY: check-unit check-model check-mt check-replay check-sim check-integration check-e2e check-conformance \
        lint-format lint-tidy lint-cppcheck lint-size lint-shell lint-ops

run:
	scripts/install-deps.sh run
	$(MAKE) -j$(JOBS) --no-print-directory all
	$(B)/bin/eidosctl configure init
	exec $(B)/bin/eidosctl up --dev

test:
	scripts/install-deps.sh test
	JOBS=$(JOBS) scripts/test.sh short

test-long:
	scripts/install-deps.sh test
	JOBS=$(JOBS) SEED=$(SEED) FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/test.sh long

RUN := @EIDOS_BIN=$(abspath $(B)/bin) scripts/run-tests.sh
check-unit: $(UNIT)
	$(RUN) -j$(JOBS) $(sort $(UNIT))
check-model: $(B)/tests/model_driver
	$(RUN) -j$(JOBS) -t 300 $(wildcard tests/model/test_*.py) \
	    "tests/model/run.py --driver $(B)/tests/model_driver --seeds 1..500 --out $(B)" \
	    "tests/model/run.py --driver $(B)/tests/model_driver --seeds 501..1000 --out $(B)"
check-mt: $(filter %_mt,$(UNIT))
	$(RUN) -j1 $(sort $^)
check-replay: $(REPLAY)
	$(RUN) -j$(JOBS) $(foreach f,$(REPLAY),"$(f) tests/fuzz/corpus/$(f:$(B)/replay/fuzz_%=%)")
check-sim: $(SIM)
	$(RUN) -j$(JOBS) -t 300 $(SIM) "$(SIM) --mutants"
.PHONY: check-interleave
check-interleave: $(INTERLEAVE)
	$(RUN) -j1 -t 300 $(INTERLEAVE)
check-integration: $(INTEG) $(BINS)
	$(RUN) -j1 -t $(LIMIT) $(sort $(INTEG))
check-e2e: $(BINS)
	$(RUN) -j1 -t $(LIMIT) tests/e2e/run.sh
check-conformance: $(BINS)
	$(RUN) -j1 -t $(LIMIT) "tests/conformance/run.sh test_openapi.py" \
	    "tests/conformance/run.sh test_websocket.py" "tests/conformance/run.sh test_klines.py"

fuzz:
	$(MAKE) -j$(JOBS) CC=clang SAN=fuzzer-no-link,address,undefined BUILD=build-fuzz fuzzers
	mkdir -p $(fuzz_SRC:tests/fuzz/fuzz_%.c=build-fuzz/corpus/%)
	@scripts/run-tests.sh -j$(JOBS) -t $$(($(FUZZ_SECONDS) + 120)) $(foreach f,$(fuzz_SRC:tests/fuzz/fuzz_%.c=%),\
	    "build-fuzz/fuzz/fuzz_$(f) -max_total_time=$(FUZZ_SECONDS) -seed=$(FUZZ_SEED) \
	    -artifact_prefix=build-fuzz/$(f)- \
	    build-fuzz/corpus/$(f) tests/fuzz/corpus/$(f)")

sim: $(SIM)
	$(B)/tests/sim $(SEED)

sim-long: $(SIM) # about an hour
	$(B)/tests/sim --seeds $(SEED)..$$(($(SEED) + 15000))

bench: $(BENCH) $(BINS)
	@set -e; for b in $(BENCH); do echo "== $$b"; EIDOS_BIN=$(B)/bin $$b $(SEED); done

bench-book: $(B)/bench/book
	@$(B)/bench/book $(SEED)

# The book in the public matching-engine-benchmark, of which a checkout lies at HARNESS.
HARNESS ?=
ME_API  ?= $(HARNESS)/api#   where its matching_engine_api.h is
AGAINST ?=#                  other engines there: cpptrader llc993
ROUNDS  ?= 5
bench-public: $(B)/eidos_adapter.so
	@tests/bench/public/compare.py $(HARNESS) $(ROUNDS) $(SEED) eidos=$< $(AGAINST)
$(B)/eidos_adapter.so: $(public_SRC) $(wildcard shm/book*.c shm/book*.h) shm/err.c
	@test -f $(ME_API)/matching_engine_api.h || { echo 'bench-public: there is no' \
	    '$(ME_API)/matching_engine_api.h; clone the benchmark as tests/bench/public/README.md tells, and' \
	    'say where: make bench-public HARNESS=dir' >&2; exit 1; }
	@mkdir -p $(@D)
	$(call say,cc)$(CC) -D_GNU_SOURCE -std=gnu17 -O3 -march=$(MARCH) -fPIC -fvisibility=hidden -shared -I. \
	    -I$(ME_API) -Wall -Wextra -Wshadow -Wconversion -Werror -o $@ $(filter %.c,$^)

# clang-tidy leaves a stamp per file, so that only what changed is looked at again: the file, or a
# header it includes. gen/ counts as the system's, lest each commit's version.h be such a change. Its
# static analyzer gives up a function after so many states. By its own limit, 225,000, it takes twice
# the time; of 655 defects put in it told three more. So test-long looks by that one, and here files
# do where the lower one leaves places out (clang --analyze with debug.Stats tells).
TIDY_NODES ?= 100000
TIDY_LIMIT = -Xclang -analyzer-config -Xclang max-nodes=$(TIDY_NODES)
deep_SRC := $(addprefix shm/,book_accounts.c market_read.c) cli/top_text.c \
            $(addprefix procs/lib/,config_markets.c run.c) tests/unit/test_json.c \
            tests/lib/history.c $(addprefix tests/bench/bench_,exchange.c market.c)
$(deep_SRC:%.c=$(B)/lint/%.tidy): TIDY_NODES := 225000
lint: lint-format lint-tidy lint-cppcheck lint-size lint-shell lint-ops
lint-format:
	@clang-format --dry-run -Werror $(ALL_SRC) $(ALL_HDR)
linted_SRC := $(filter-out $(public_SRC),$(ALL_SRC))
lint-tidy: $(linted_SRC:%.c=$(B)/lint/%.tidy)
$(B)/lint/%.tidy: %.c .clang-tidy
	@mkdir -p $(@D)
	$(call say,tidy)$(CC) -MM -MP -MT $@ -MF $(@:.tidy=.d) $(CPPFLAGS) -isystem $(B)/gen -std=gnu17 $< && \
	    { clang-tidy --quiet $< -- $(CPPFLAGS) -std=gnu17 $(TIDY_LIMIT) 2>$@.err || { cat $@.err; exit 1; }; }
	@touch $@
-include $(linted_SRC:%.c=$(B)/lint/%.d)
lint-cppcheck: # what it keeps of each file is also how it sees beyond one
	@mkdir -p $(B)/lint/cppcheck
	@cppcheck --quiet -j$(JOBS) --std=c11 --enable=warning,performance,portability --inline-suppr \
	    --cppcheck-build-dir=$(B)/lint/cppcheck --suppressions-list=.cppcheck --error-exitcode=1 \
	    -D_GNU_SOURCE -D__x86_64__ -I. $(ALL_SRC)
lint-size:
	@wc -l $(ALL_SRC) $(ALL_HDR) | awk '$$2 != "total" && $$1 > 800 \
	    { print $$2 ": " $$1 " lines; split it, the limit is 800"; bad = 1 } END { exit bad }'
lint-ops:
	@scripts/check-ops.sh
lint-shell:
	@shellcheck .ci/run $(wildcard scripts/*.sh tests/*/*.sh)

docs: $(B)/bin/eidosctl # what is made from the sources; a unit test compares
	$(B)/bin/eidosctl metrics --reference >docs/metrics.md

install: all
	install -Dt $(DESTDIR)$(PREFIX)/bin $(BINS)
	install -m 644 -Dt $(DESTDIR)/etc/eidos conf/eidos.ini conf/markets.ini
	install -m 644 -Dt $(DESTDIR)/etc/eidos/prometheus conf/prometheus/*.yml
	install -m 644 -Dt $(DESTDIR)/etc/eidos/grafana conf/grafana/eidos.json
	install -d $(DESTDIR)/etc/systemd/system
	for u in systemd/*.service; do sed 's,@PREFIX@,$(PREFIX),g' $$u \
	    >$(DESTDIR)/etc/systemd/system/$$(basename $$u); done
	install -m 644 -D systemd/eidos.sysctl $(DESTDIR)/etc/sysctl.d/60-eidos.conf
	install -m 644 -D systemd/eidos.tmpfiles $(DESTDIR)/etc/tmpfiles.d/eidos.conf
	install -m 644 -D systemd/eidos.sysusers $(DESTDIR)/etc/sysusers.d/eidos.conf

clean:
	rm -rf build build-*

help:
	@echo 'make            build into build/, binaries in build/bin'
	@echo 'make run        install what is missing, build, prepare the host, run the exchange here'
	@echo 'make test       everything that fits in 25 minutes; closing line: N passed, N failed'
	@echo 'make test-long  that, and long fuzzing, simulation, kill and load runs'
	@echo 'make check-unit | check-model | check-mt | check-replay | check-sim | check-integration | check-e2e | check-conformance   one part of it'
	@echo 'make lint       clang-format, clang-tidy, cppcheck, shellcheck, file sizes, alerts and dashboard'
	@echo 'make bench      all figures;  make bench-book SEED=n  the order book alone'
	@echo 'make bench-public HARNESS=dir SEED=n  the book in the public benchmark (tests/bench/public/README.md)'
	@echo 'make fuzz       every fuzzer for FUZZ_SECONDS=$(FUZZ_SECONDS); FUZZ_SEED=n to repeat one'
	@echo 'make sim        the simulator with SEED=$(SEED);  make sim-long  an hour of seeds from there'
	@echo 'make docs       docs/metrics.md from shm/metrics.def'
	@echo 'make install    to PREFIX=$(PREFIX) below DESTDIR'
	@echo 'make clean      remove build/ and build-*/'
	@echo 'Variables: CC=gcc|clang  SAN=address,undefined|thread  MARCH=$(MARCH)  JOBS=$(JOBS)  BUILD=dir  V=1'
