# Eidos: everything is found by folder; to add a file, save it.
#
#   shm/*.c                  libshm.a           the core; only libc
#   procs/lib/**.c           libprocs.a         what the processes share
#   procs/NAME/*.c           bin/eidos-NAME     one binary per folder
#   cli/*.c                  bin/eidosctl
#   tests/unit/test_*.c      tests/test_*       cmocka, one binary each
#   tests/integration/       tests/integration/test_*
#   tests/lib/*.c            linked into every test that uses it (so are tests/unit/lib_*.c)
#   tests/sim/*.c            tests/sim          one binary, sees every process
#   tests/fuzz/fuzz_*.c      fuzz/fuzz_* (clang, libFuzzer) and replay/fuzz_* (runs a corpus)
#   tests/bench/bench_*.c    bench/bench_*      and tests/bench/DIR/*.c -> bench/DIR
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
PREFIX       ?= /usr/local
DESTDIR      ?=

comma := ,
BUILD ?= build$(if $(findstring clang,$(CC)),-clang)$(if $(SAN),-$(subst $(comma),-,$(SAN)))
B     := $(BUILD)

# --- Flags ---------------------------------------------------------------------------------------

CPPFLAGS := -D_GNU_SOURCE -I. -I$(B)/gen
CFLAGS   := -std=gnu17 -O2 -g -march=$(MARCH) -fno-omit-frame-pointer -fstack-protector-strong \
            -Wall -Wextra -Wshadow -Wconversion -Werror
LDFLAGS  := -Wl,--as-needed -Wl,-z,relro,-z,now -pthread
LIBS     := -lmicrohttpd -lsecp256k1 -lnettle -ljansson -lwslay -linih -llz4 -lcurl -lseccomp \
            -lsystemd -lssl -lcrypto -lm

ifeq ($(SAN),)
CPPFLAGS += -D_FORTIFY_SOURCE=2
else
CFLAGS   += -fsanitize=$(SAN) $(if $(findstring undefined,$(SAN)),-fno-sanitize-recover=undefined)
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
bench_DIRS := $(sort $(patsubst tests/bench/%/,%,$(dir $(wildcard tests/bench/*/*.c))))
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
FUZZ    := $(fuzz_SRC:tests/fuzz/%.c=$(B)/fuzz/%)
REPLAY  := $(fuzz_SRC:tests/fuzz/%.c=$(B)/replay/%)
BENCH   := $(bench_SRC:tests/bench/%.c=$(B)/bench/%) $(bench_DIRS:%=$(B)/bench/%)
CORE    := $(B)/libprocs.a $(B)/libshm.a

.PHONY: all tests benches fuzzers replays
all: $(BINS) $(CORE)
tests: $(UNIT) $(INTEG) $(SIM)
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

$(B)/obj/%.o: %.c $(B)/gen/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The default configuration is part of the binary.
$(B)/obj/procs/lib/config_embed.o: $(wildcard conf/*.ini)

%.a:
	@mkdir -p $(@D) && rm -f $@
	ar rcs $@ $^

$(B)/libshm.a: $(call obj,$(shm_SRC))
$(B)/libprocs.a: $(call obj,$(procs_SRC))
$(B)/libtests.a: $(call obj,$(helper_SRC))
$(foreach p,$(PROCS),$(eval $(B)/libfolder-$(p).a: $(call obj,$(wildcard procs/$(p)/*.c))))
$(B)/libfolder-cli.a: $(call obj,$(cli_SRC))

link = @mkdir -p $(@D)$(newline)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) \
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
$(SIM): $(call obj,$(sim_SRC)) $(PROCS:%=$(B)/libfolder-%.a) $(TEST_LIBS)
	$(call link,-lcmocka)
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
