/* The topology: what the table says, against what design and limits demand. */
#include "shm/topo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "shm/err.h"
#include "tests/lib/small_topo.h"

static const struct topo_params small = {SMALL_TOPO, .api = 2, .verify = 2, .matching = 2};
static struct topo t;

static void build(void)
{
    assert_int_equal(topo_build(&t, &small), 0);
}

static void processes_in_order(void **state)
{
    static const char *const names[] = {"ops",        "journal",  "trading", "matching@0",
                                        "matching@1", "market",   "history", "snapshot",
                                        "verify@0",   "verify@1", "api@0",   "api@1"};
    (void)state;
    build();
    assert_int_equal(t.proc_count, COUNT_OF(names));
    for (u32 i = 0; i < COUNT_OF(names); i++) assert_string_equal(t.procs[i].name, names[i]);
    assert_int_equal(topo_proc(&t, ROLE_MATCHING, 1), 4);
    assert_int_equal(topo_proc(&t, ROLE_MATCHING, 2), -1);
}

/* Who may map what, by process: R reads, W writes. Anything not named is out of sight. */
static void everyone_sees_what_it_should(void **state)
{
    static const struct {
        const char *proc, *writes, *reads;
    } rows[] = {
        {"trading",
         "proc.trading log.command log.account ledger orders rules ring.trading.api@0 "
         "ring.trading.api@1 ring.trading.ops",
         "log.match@0 log.match@1 durable ring.verify@0.trading ring.verify@1.trading "
         "ring.ops.trading"},
        {"matching@1", "proc.matching@1 log.match@1 books@1 trace.matching@1",
         "log.command durable"},
        {"journal", "proc.journal durable trace.journal",
         "log.command log.account log.match@0 log.match@1"},
        {"market", "proc.market market", "log.match@0 log.match@1 rules durable"},
        {"history", "proc.history history", "log.account durable"},
        {"snapshot", "proc.snapshot", "durable"},
        {"verify@0", "proc.verify@0 guard@0 ring.verify@0.trading trace.verify@0",
         "rules ring.api@0.verify@0 ring.api@1.verify@0"},
        {"api@1", "proc.api@1 limits@1 ring.api@1.verify@0 ring.api@1.verify@1 trace.api@1",
         "limits@0 ledger orders rules market history durable log.account log.match@0 log.match@1 "
         "ring.trading.api@1"},
        {"ops", "proc.ops ring.ops.trading", "rules durable ring.trading.ops"},
    };
    (void)state;
    build();
    for (u32 i = 0; i < COUNT_OF(rows); i++) {
        u32 proc = 0;
        while (strcmp(t.procs[proc].name, rows[i].proc) != 0) proc++;
        for (u32 r = 0; r < t.region_count; r++) {
            char word[REGION_NAME_BYTES + 2], writes[512], reads[512];
            snprintf(word, sizeof word, " %s ", t.regions[r].name);
            snprintf(writes, sizeof writes, " %s ", rows[i].writes);
            snprintf(reads, sizeof reads, " %s ", rows[i].reads);
            enum topo_access expected = strstr(writes, word)               ? TOPO_WRITE
                                        : strstr(reads, word)              ? TOPO_READ
                                        : t.regions[r].kind == REGION_PROC ? TOPO_READ
                                                                           : TOPO_NONE;
            if (topo_access(&t, r, (int)proc) != expected)
                fail_msg("%s and %s: access %d, expected %d", rows[i].proc, t.regions[r].name,
                         topo_access(&t, r, (int)proc), expected);
        }
    }
}

static const struct topo_region *named(const char *name)
{
    int i = topo_region(&t, name);
    assert_true(i >= 0);
    return &t.regions[i];
}

/* A standby reads what its primary reads or writes; of arenas each has a copy of its own. */
static void a_standby_sees_what_its_primary_does(void **state)
{
    (void)state;
    struct topo_params p = small;
    p.standbys = STANDBY_TRADING | STANDBY_MATCHING;
    assert_int_equal(topo_build(&t, &p), 0);
    u32 later = 0, twins = 0;
    for (u32 proc = 0; proc < t.proc_count; proc++) {
        u32 role = t.procs[proc].role;
        if (!role_is_standby(role)) continue;
        int primary = topo_proc(&t, role_of_standby(role), t.procs[proc].instance);
        for (u32 r = 0; r < t.region_count; r++) {
            enum topo_access own = topo_access(&t, r, (int)proc),
                             theirs = topo_access(&t, r, primary);
            if (t.regions[r].owner == proc) {
                assert_int_equal(own, TOPO_WRITE);
                assert_int_equal(theirs, TOPO_READ);
                continue;
            }
            assert_int_equal(own, theirs == TOPO_WRITE ? TOPO_LATER : theirs);
            later += own == TOPO_LATER;
            twins += own == TOPO_TWIN;
        }
    }
    assert_int_equal(later, 3 + 1 + 2 + 1 + 2 * 3); /* logs, rules, rings, blocks, traces */
    assert_int_equal(twins, 2 * 2 + 2 * 2);
    const struct topo_region *first = named("ledger"), *second = named("ledger.b");
    assert_ptr_equal(&t.regions[first->twin], second);
    assert_ptr_equal(&t.regions[second->twin], first);
    assert_true(first < second && first->object_bytes == second->object_bytes);
    assert_int_equal(named("rules")->twin, NO_INSTANCE);
    assert_int_equal(topo_region(&t, "market.b"), -1);
}

static void too_many_processes_are_refused(void **state)
{
    (void)state;
    struct topo_params p = small;
    p.api = 16, p.verify = 16, p.matching = PROC_LOGS_MAX - 2;
    p.standbys = STANDBY_TRADING | STANDBY_MATCHING;
    assert_int_equal(topo_build(&t, &p), -1);
    assert_string_equal(err_text(), "more than 64 processes: less workers, or no standbys");
}

static u64 bit(u32 role, u32 instance)
{
    return 1UL << topo_proc(&t, role, instance);
}

static void gates_and_sleepers(void **state)
{
    (void)state;
    build();
    u64 journal = bit(ROLE_JOURNAL, 0), trading = bit(ROLE_TRADING, 0);
    u64 api = bit(ROLE_API, 0) | bit(ROLE_API, 1);
    u64 matching = bit(ROLE_MATCHING, 0) | bit(ROLE_MATCHING, 1);
    assert_int_equal(named("log.command")->gates, journal | matching);
    assert_int_equal(named("log.account")->gates, journal);
    assert_int_equal(named("log.match@1")->gates, journal | trading);
    assert_int_equal(named("log.command")->sleepers, journal | matching);
    assert_int_equal(named("log.account")->sleepers, 0);
    assert_int_equal(named("log.match@0")->sleepers, trading);
    assert_int_equal(named("durable")->sleepers, api | bit(ROLE_MARKET, 0));
    assert_int_equal(named("ring.trading.api@1")->sleepers, bit(ROLE_API, 1));
    assert_int_equal(named("log.command")->log, LOG_COMMAND);
    assert_int_equal(named("log.account")->log, LOG_ACCOUNT);
    assert_int_equal(named("log.match@1")->log, LOG_MATCH(1));
    assert_int_equal(named("ledger")->log, NO_INSTANCE);
}

/* Each process's inputs are numbered 0, 1, 2, ... */
static void ring_inputs_are_dense(void **state)
{
    (void)state;
    build();
    for (u32 p = 0; p < t.proc_count; p++) {
        u64 seen = 0;
        u32 count = 0;
        for (u32 r = 0; r < t.region_count; r++)
            if (t.regions[r].consumer == p) seen |= 1UL << t.regions[r].input, count++;
        assert_int_equal(seen, (1UL << count) - 1);
    }
    int ring = topo_ring(&t, ROLE_VERIFY, 1, ROLE_TRADING, 0);
    assert_string_equal(t.regions[ring].name, "ring.verify@1.trading");
    assert_int_equal(topo_ring(&t, ROLE_TRADING, 0, ROLE_VERIFY, 1), -1);
    assert_int_equal(topo_ring(&t, ROLE_API, 0, ROLE_TRADING, 0), -1);
}

/* The largest of everything fits all fixed tables (CHECKs would abort). */
static void the_largest_fits(void **state)
{
    (void)state;
    struct topo_params p = small;
    p.api = 16, p.verify = 16, p.matching = PROC_LOGS_MAX - 2;
    assert_int_equal(topo_build(&t, &p), 0);
    assert_true(t.proc_count <= TOPO_PROCS_MAX && t.region_count <= TOPO_REGIONS_MAX);
}

static void impossible_numbers_are_named(void **state)
{
    (void)state;
    struct topo_params p = small;
    p.api = 17;
    assert_int_equal(topo_build(&t, &p), -1);
    assert_string_equal(err_text(), "api = 17 is out of range; allowed: 1 to 16");
    p = small, p.verify = 0;
    assert_int_equal(topo_build(&t, &p), -1);
    assert_string_equal(err_text(), "verify = 0 is out of range; allowed: 1 to 16");
    p = small, p.ring_bytes = (1 << 16) + 8;
    assert_int_equal(topo_build(&t, &p), -1);
    assert_string_equal(err_text(), "ring_bytes = 65544 is not a power of two");
    p = small, p.accounts_max = 1UL << 40;
    assert_int_equal(topo_build(&t, &p), -1);
    assert_string_equal(err_text(),
                        "accounts_max = 1099511627776 is out of range; allowed: 1 to 268435456");
}

static void the_hash_sees_any_change(void **state)
{
    (void)state;
    build();
    u64 hash = topo_hash(&t);
    build();
    assert_true(topo_hash(&t) == hash);
    struct topo_params p = small;
    p.orders_max++;
    topo_build(&t, &p);
    assert_true(topo_hash(&t) != hash);
    build();
    t.regions[3].readers ^= 1;
    assert_true(topo_hash(&t) != hash);
    build();
    t.regions[t.region_count - 1].name[0] ^= 1;
    assert_true(topo_hash(&t) != hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processes_in_order),
        cmocka_unit_test(everyone_sees_what_it_should),
        cmocka_unit_test(gates_and_sleepers),
        cmocka_unit_test(ring_inputs_are_dense),
        cmocka_unit_test(the_largest_fits),
        cmocka_unit_test(impossible_numbers_are_named),
        cmocka_unit_test(the_hash_sees_any_change),
        cmocka_unit_test(a_standby_sees_what_its_primary_does),
        cmocka_unit_test(too_many_processes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
