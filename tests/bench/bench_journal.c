/* bench_journal.c: what the journal carries on this disk.
 *
 * One process plays trading: it appends cmd_order records (304 bytes, evidence included) to a
 * command log as fast as the journal gives room back; the journal writes and syncs in groups of at
 * most the size given. Printed per group size: records/s, MB/s, time of one sync, and what one
 * record alone waits until it is durable. Sizes take turns; medians. Then, at a steady pace, what a
 * batch waits that begins a new file, beside one that does not: 0.9 ms against 0.3 (99.9 % of the
 * others: 1.0) on the machine this was written on, once in a file. That is the syncs of the old
 * file, the new head and the name, which a recycled file would need too; space and zeros are there
 * before (logfile_prepare). So retired files are removed, not used again. Arguments: seed (not
 * used), directory.
 */
#include "procs/journal/journal.h"
#include "shm/err.h"

#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_BYTES (64UL << 20)
#define SEGMENT   (256UL << 20)
#define ROUNDS    3U
#define ROUND_NS  400000000UL
#define SINGLES   200U

#define PACED_SEGMENT (1UL << 20)
#define PACED_BATCH   32U       /* records */
#define PACED_NS      2000000UL /* from batch to batch: 5 MB/s, a new file every 0.2 s */
#define PACED_BATCHES 6000U

static const u64 groups[] = {16UL << 10, 64UL << 10, 256UL << 10, 1UL << 20, 4UL << 20};

struct result {
    double records, megabytes, sync_us, single_us;
};

static struct log *logs;
static struct log_writer writer;
static _Atomic u64 cursor;
static struct durable durable;

static u64 clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000000000UL + (u64)t.tv_nsec;
}

static void begin_log(void)
{
    memset(logs, 0, log_footprint(LOG_BYTES));
    durable = (struct durable){0};
    atomic_store(&cursor, 0);
    log_new(logs, LOG_BYTES, 0);
    log_join_writer(&writer, logs);
    CHECK(log_add_gate(&writer, &cursor) == 0);
}

static void append(void)
{
    struct cmd_order *c = log_begin(&writer, CMD_ORDER, sizeof *c);
    memset((u8 *)c + sizeof c->head, (int)(writer.seq & 0xff), sizeof *c - sizeof c->head);
    log_commit(&writer, c, writer.seq + 1, writer.seq + 1);
}

static void fill(void)
{
    while (log_room(&writer, sizeof(struct cmd_order))) append();
    log_publish(&writer);
}

static void turn(struct journal *j)
{
    if (journal_turn(j, clock_ns()) < 0) {
        fprintf(stderr, "bench_journal: %s\n", err_text());
        exit(1);
    }
}

static struct result measure(const char *dir, u64 group)
{
    static struct journal j;
    struct log_reader r;
    log_join_reader(&r, logs);
    r.cursor = &cursor;
    CHECK(journal_open(&j, dir, &durable, true, SEGMENT, group, &logfile_io_real) == 0);
    if (journal_add(&j, LOG_COMMAND, &r, NULL)) {
        fprintf(stderr, "bench_journal: %s\n", err_text());
        exit(1);
    }
    u64 begin = clock_ns(), end;
    do {
        fill();
        u64 target = writer.seq - (LOG_BYTES / 2) / sizeof(struct cmd_order);
        while (atomic_load(&durable.seq) < target) turn(&j);
        end = clock_ns();
    } while (end - begin < ROUND_NS);
    double seconds = (double)(end - begin) / 1e9;
    struct result result = {.records = (double)j.records / seconds,
                            .megabytes = (double)j.bytes / seconds / 1e6,
                            .sync_us = (double)j.sync_ns / (double)j.syncs / 1e3};
    while (atomic_load(&durable.seq) < writer.seq) turn(&j);
    begin = clock_ns();
    for (u32 i = 0; i < SINGLES; i++) {
        append();
        log_publish(&writer);
        turn(&j);
    }
    result.single_us = (double)(clock_ns() - begin) / SINGLES / 1e3;
    CHECK(journal_close(&j) == 0);
    return result;
}

static int by_value(const void *a, const void *b)
{
    u64 x = *(const u64 *)a, y = *(const u64 *)b;
    return x < y ? -1 : x > y;
}

static void print_waits(const char *what, u64 *waits, u32 count)
{
    qsort(waits, count, sizeof *waits, by_value);
    if (count)
        printf("%-22s %6u %10lu %10lu %10lu %10lu\n", what, count, waits[count / 2] / 1000,
               waits[(u64)count * 99 / 100] / 1000, waits[(u64)count * 999 / 1000] / 1000,
               waits[count - 1] / 1000);
}

/* Batches at a steady pace, turned idle in between as the process is. */
static void measure_new_files(const char *dir)
{
    static struct journal j;
    static u64 plain[PACED_BATCHES], fresh[PACED_BATCHES];
    u32 plain_count = 0, fresh_count = 0;
    char paced[300];
    struct log_reader r;
    snprintf(paced, sizeof paced, "%s/paced", dir);
    begin_log();
    log_join_reader(&r, logs);
    r.cursor = &cursor;
    CHECK(journal_open(&j, paced, &durable, true, PACED_SEGMENT, 1UL << 20, &logfile_io_real) ==
              0 &&
          journal_add(&j, LOG_COMMAND, &r, NULL) == 0);
    u64 due = clock_ns();
    for (u32 i = 0; i < PACED_BATCHES; i++, due += PACED_NS) {
        while (clock_ns() < due) {
            turn(&j);
            nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
        }
        u64 begin = clock_ns(), first = j.logs[0].file.first;
        for (u32 k = 0; k < PACED_BATCH; k++) append();
        log_publish(&writer);
        while (atomic_load(&durable.seq) < writer.seq) turn(&j);
        u64 took = clock_ns() - begin;
        if (j.logs[0].file.first != first) fresh[fresh_count++] = took;
        else plain[plain_count++] = took;
    }
    CHECK(journal_close(&j) == 0);
    printf("%u records every %lu ms, files of %lu MiB; us until durable\n", PACED_BATCH,
           PACED_NS / 1000000, PACED_SEGMENT >> 20);
    printf("%-22s %6s %10s %10s %10s %10s\n", "", "count", "median", "99 %", "99.9 %", "most");
    print_waits("in the same file", plain, plain_count);
    print_waits("beginning a new file", fresh, fresh_count);
}

static int by_records(const void *a, const void *b)
{
    const struct result *x = a, *y = b;
    return x->records < y->records ? -1 : x->records > y->records;
}

int main(int argc, char **argv)
{
    char dir[256], command[300];
    static struct result results[COUNT_OF(groups)][ROUNDS];
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof one, &one);
    snprintf(dir, sizeof dir, "%s/eidos-bench-XXXXXX", argc > 2 ? argv[2] : "/var/tmp");
    CHECK(mkdtemp(dir));
    logs = aligned_alloc(4096, align_up(log_footprint(LOG_BYTES), 4096));
    CHECK(logs);
    begin_log();
    for (u32 round = 0; round < ROUNDS; round++)
        for (u32 g = 0; g < COUNT_OF(groups); g++) results[g][round] = measure(dir, groups[g]);
    printf("%zu-byte records, medians of %u rounds in %s\n", sizeof(struct cmd_order), ROUNDS, dir);
    printf("%10s %12s %10s %10s %14s\n", "group KiB", "records/s", "MB/s", "sync us",
           "one alone, us");
    for (u32 g = 0; g < COUNT_OF(groups); g++) {
        qsort(results[g], ROUNDS, sizeof results[g][0], by_records);
        const struct result *m = &results[g][ROUNDS / 2];
        printf("%10lu %12.0f %10.0f %10.0f %14.0f\n", groups[g] >> 10, m->records, m->megabytes,
               m->sync_us, m->single_us);
    }
    measure_new_files(dir);
    free(logs);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command); /* a path of our own making */
}
