/* main.c: messages/s of the order book, regime by regime and shape by shape.
 *
 *   book [seed [orders [NAME]]]      default 1, 400000 new orders a flow, all; else those with NAME
 *
 * Every flow runs in rounds; in a round each build of the book runs it once, so that a noisy
 * machine is noisy for all. Of each piece of a flow the median of the rounds counts (`best`: of the
 * product, the least).
 * The last line is `worst <M messages/s> <flow>` of the product over all flows. */
#include "tests/bench/book/shapes.h"
#include "tests/bench/book/variants.h"

#include <linux/perf_event.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROUNDS   5U
#define ACCOUNTS 1000U

typedef struct drive_result drive_fn(const struct flow *, void *, const struct drive_how *);

static const struct {
    const char *name;
    drive_fn *drive;
    bool narrow; /* cannot hold prices out of 2^18 ticks */
} builds[] = {{"product", product_drive, false},
              {"bare", bare_drive, false},
              {"btree", btree_drive, false},
              {"ladder", ladder_drive, true}};

static double worst = 1e9;
static char worst_name[32];
static void *arena;

static int by_value(const void *a, const void *b)
{
    u64 x = *(const u64 *)a, y = *(const u64 *)b;
    return x < y ? -1 : x > y;
}

/* Shared memory on huge pages where the machine gives them, else on ordinary ones, said so. */
static void map_arena(void)
{
    int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE;
    arena = mmap(NULL, DRIVE_BYTES, PROT_READ | PROT_WRITE, flags | MAP_HUGETLB, -1, 0);
    const char *pages = "2 MiB";
    if (arena == MAP_FAILED) {
        arena = mmap(NULL, DRIVE_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
        pages = "4 KiB (no huge pages to be had: figures are lower for it)";
    }
    CHECK(arena != MAP_FAILED);
    printf("arena: %lu MiB shared, pages of %s\n", DRIVE_BYTES >> 20, pages);
}

static void pin(void)
{
    cpu_set_t all, one;
    if (sched_getaffinity(0, sizeof(all), &all) != 0) return;
    u32 cpu = CPU_SETSIZE - 1;
    while (cpu > 0 && !CPU_ISSET(cpu, &all)) cpu--;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    printf("pinned: %s, cpu %u\n", sched_setaffinity(0, sizeof(one), &one) == 0 ? "yes" : "no",
           cpu);
}

/* ---- counters of the processor, where the machine gives them ---- */

static const struct {
    const char *name;
    u64 config;
} counters[] = {{"cycles", PERF_COUNT_HW_CPU_CYCLES},
                {"instructions", PERF_COUNT_HW_INSTRUCTIONS},
                {"cache misses", PERF_COUNT_HW_CACHE_MISSES},
                {"branch misses", PERF_COUNT_HW_BRANCH_MISSES}};

static void count_hardware(const struct flow *f)
{
    printf("  per message:");
    for (u32 i = 0; i < COUNT_OF(counters); i++) {
        struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE,
                                       .size = sizeof(attr),
                                       .config = counters[i].config,
                                       .exclude_kernel = 1};
        int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0UL);
        u64 whole = 0, before = 0;
        if (fd < 0) {
            printf(" %s -", counters[i].name);
            continue;
        }
        struct drive_how how = {.from = f->n};
        bool ok = read(fd, &before, sizeof(before)) == sizeof(before);
        product_drive(f, arena, &how); /* the whole of it, with making the books */
        ok = ok && read(fd, &whole, sizeof(whole)) == sizeof(whole);
        printf(" %s %.1f", counters[i].name, ok ? (double)(whole - before) / (double)f->n : 0.0);
        close(fd);
    }
    puts("");
}

/* ---- latency per type of message ---- */

static int by_u32(const void *a, const void *b)
{
    u32 x = *(const u32 *)a, y = *(const u32 *)b;
    return x < y ? -1 : x > y;
}

static void latencies(const struct flow *f, u64 from, double ns_per_cycle)
{
    static const char *const names[] = {"new", "cancel", "amend"};
    u32 *cycles = calloc(f->n, sizeof(*cycles)), *sorted = calloc(f->n, sizeof(*sorted));
    CHECK(cycles && sorted);
    product_drive(f, arena, &(struct drive_how){.from = from, .cycles = cycles});
    printf("  ns p50/p99/p99.9:");
    for (u8 kind = 0; kind < (u8)FLOW_KINDS; kind++) {
        u64 n = 0;
        for (u64 i = from; i < f->n; i++) {
            if (f->m[i].kind == kind) sorted[n++] = cycles[i];
        }
        if (!n) continue;
        qsort(sorted, n, sizeof(*sorted), by_u32);
        u64 p50 = n / 2, p99 = n * 99 / 100, p999 = n * 999 / 1000;
        printf(" %s %.0f/%.0f/%.0f", names[kind], sorted[p50] * ns_per_cycle,
               sorted[p99] * ns_per_cycle, sorted[p999] * ns_per_cycle);
    }
    puts(" (with the clock's own cost)");
    free(sorted);
    free(cycles);
}

static double cycle_ns(const struct flow *f)
{
    u32 *cycles = calloc(f->n, sizeof(*cycles));
    CHECK(cycles);
    struct drive_result r = product_drive(f, arena, &(struct drive_how){.cycles = cycles});
    u64 sum = 1;
    for (u64 i = 0; i < f->n; i++) sum += cycles[i];
    free(cycles);
    return (double)r.ns / (double)sum; /* near enough: nearly all the time is in the messages */
}

/* ---- one flow through all builds ---- */

/* A build's times: ns[round][piece]. */
struct timing {
    u64 *ns[ROUNDS];
    u64 units, checksum;
};

static struct timing timing_new(u64 pieces)
{
    struct timing t = {0};
    for (u32 r = 0; r < ROUNDS; r++) CHECK((t.ns[r] = calloc(pieces, sizeof(u64))));
    return t;
}

static void timing_free(struct timing *t)
{
    for (u32 r = 0; r < ROUNDS; r++) free(t->ns[r]);
}

static void time_round(struct timing *t, u32 round, drive_fn *drive, const struct flow *f,
                       struct drive_how how)
{
    how.pieces = t->ns[round];
    struct drive_result r = drive(f, arena, &how);
    t->units = f->sweeps ? r.events : f->n - how.from;
    t->checksum = r.checksum;
}

/* M messages/s if each piece takes what it did in the round of this rank, 0 = the fastest. */
static double rate(const struct timing *t, u64 pieces, u32 rank)
{
    u64 sum = 0;
    for (u64 p = 0; p < pieces; p++) {
        u64 ns[ROUNDS];
        for (u32 r = 0; r < ROUNDS; r++) ns[r] = t->ns[r][p];
        qsort(ns, ROUNDS, sizeof(ns[0]), by_value);
        sum += ns[rank];
    }
    return (double)t->units / (double)sum * 1e3;
}

#define ONE_BY_ONE COUNT_OF(builds) /* of the product */

static void run_flow(const struct flow *f, u64 from, bool narrow, double ns_per_cycle)
{
    struct timing t[COUNT_OF(builds) + 1];
    u64 pieces = (f->n - from) / DRIVE_PIECE + 1;
    for (u32 v = 0; v <= ONE_BY_ONE; v++) t[v] = timing_new(pieces);
    for (u32 r = 0; r < ROUNDS; r++) {
        for (u32 v = 0; v <= ONE_BY_ONE; v++) {
            bool each = v == ONE_BY_ONE;
            if (!each && builds[v].narrow && !narrow) continue;
            time_round(&t[v], r, each ? product_drive : builds[v].drive, f,
                       (struct drive_how){.from = from, .batch = !each});
        }
    }
    printf("%-14s %8lu messages%s", f->name, f->n - from, f->sweeps ? " (rates: fills/s)" : "");
    for (u32 v = 0; v <= ONE_BY_ONE; v++) {
        if (!t[v].units) continue;
        printf("  %s %.1f", v == ONE_BY_ONE ? "one by one" : builds[v].name,
               rate(&t[v], pieces, ROUNDS / 2));
        bool same = t[v].checksum == t[0].checksum || v == 1; /* bare does not look at accounts */
        if (!same) printf(" (OTHER BOOK)");
        CHECK(same);
    }
    double median = rate(&t[0], pieces, ROUNDS / 2);
    printf("  best %.1f\n", rate(&t[0], pieces, 0));
    for (u32 v = 0; v <= ONE_BY_ONE; v++) timing_free(&t[v]);
    if (median < worst) {
        worst = median;
        snprintf(worst_name, sizeof(worst_name), "%s", f->name);
    }
    latencies(f, from, ns_per_cycle);
    count_hardware(f);
}

int main(int argc, char **argv)
{
    u64 seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
    u32 orders = argc > 2 ? (u32)strtoul(argv[2], NULL, 0) : 400000;
    if (orders < 1000 || orders > DRIVE_ORDERS) {
        fprintf(stderr, "book: orders must be in [1000, %u]\n", DRIVE_ORDERS);
        return 2;
    }
    const char *only = argc > 3 ? argv[3] : NULL;
    printf("seed %lu, %u new orders a flow, M messages/s, medians of %u rounds, piece by piece\n",
           seed, orders, ROUNDS);
    pin();
    map_arena();
    double ns_per_cycle = 0;
    for (u32 i = 0; i < flow_regimes_count; i++) {
        if (only && !strstr(flow_regimes[i].name, only)) continue;
        struct flow f = flow_make(&flow_regimes[i], orders, ACCOUNTS, seed);
        if (ns_per_cycle == 0) ns_per_cycle = cycle_ns(&f);
        run_flow(&f, 0, flow_regimes[i].outlier == 0, ns_per_cycle);
        flow_free(&f);
    }
    for (u32 i = 0; i < shapes_count; i++) {
        u64 from;
        if (only && !strstr(shape_name(i), only)) continue;
        struct flow f = shape_make(i, orders, seed, &from);
        run_flow(&f, from, false, ns_per_cycle);
        flow_free(&f);
    }
    printf("worst %.1f %s\n", worst, worst_name);
    return 0;
}
