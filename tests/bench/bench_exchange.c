/* bench_exchange: orders per second through trading, matching and journal as separate processes,
 * with durability = disk, without signatures: this program stands where verify and api stand. The
 * records have their real size, evidence included. An order counts when its answer is here and
 * durable.
 * Beside it stands what the same disk takes of plain 1 MiB writes, each followed by fdatasync, into
 * new files too: where the two meet, the disk is the limit.
 *   bench_exchange [seed] [seconds of a round] [directory] */
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shm/err.h"
#include "shm/metrics.h"
#include "tests/lib/flow.h"
#include "tests/lib/instance.h"

#define ACCOUNTS     2000U
#define PLAIN_BLOCKS 512U
#define READY        (1U << 18) /* messages made ahead, used round and round with new nonces */
#define ROUNDS       5U
#define WINDOW       65536U /* orders on their way at most */

static const struct topo_params params = {
    .api = 1,
    .verify = 1,
    .matching = 1,
    .accounts_max = 4096,
    .balances_max = 16384,
    .nonce_windows_max = 8192,
    .transfers_max = 256,
    .orders_max = 1UL << 20,
    .resting_max = 1UL << 20,
    .command_bytes = 16UL << 20,
    .match_bytes = 8UL << 20,
    .account_bytes = 32UL << 20,
    .ring_bytes = 8UL << 20,
    .recent_trades = 1000,
    .markets_max = 16,
    .candles = MARKET_CANDLES_FEWEST,
    .history_rows = 1024,
};

/* The flow's book grows; its rules are not what is measured. */
static const char *const limits[] = {"--set", "limits.resting_orders_per_market=1000000", "--set",
                                     "limits.open_orders_per_market=1000000", NULL};

static struct instance instance;
static struct segment as_verify, as_api, as_ops;
static struct ring_tx orders;
static struct ring_rx replies;
static struct msg_order *ready;
static u32 *account_of;
static u64 nonces[ACCOUNTS];
static u64 sent, answered, refused, newest;

static u64 now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000000000UL + (u64)t.tv_nsec;
}

static void attach(struct segment *s, u32 role)
{
    if (segment_attach(s, instance.dir, role, 0)) {
        fprintf(stderr, "bench_exchange: %s\n", err_text());
        exit(1);
    }
}

static void make_ready(u64 seed)
{
    struct flow f;
    u8 wallet[WALLET_BYTES];
    flow_init(&f, seed, ACCOUNTS);
    ready = calloc(READY, sizeof *ready);
    account_of = calloc(READY, sizeof *account_of);
    CHECK(ready && account_of);
    for (u32 i = 0; i < READY; i++) {
        flow_order(&f, &ready[i]);
        for (u32 a = 0; a < ACCOUNTS; a++) {
            flow_wallet(a, wallet);
            if (!memcmp(wallet, ready[i].wallet, sizeof wallet)) account_of[i] = a;
        }
    }
    flow_free(&f);
}

static void credit_all(void)
{
    struct flow f = {.accounts = ACCOUNTS};
    struct ring_tx tx;
    segment_ring_tx(&as_ops, ROLE_TRADING, 0, NULL, &tx);
    for (u32 i = 0; i < ACCOUNTS * 3; i++) {
        struct msg_credit m, *at;
        flow_credit(&f, i, &m);
        while (!(at = ring_alloc(&tx, sizeof m))) cpu_pause();
        *at = m;
        ring_push(&tx, sizeof m);
        ring_publish(&tx);
    }
    const struct proc_block *trading = segment_proc(&as_ops, ROLE_TRADING, 0);
    while (atomic_load_explicit(&trading->metrics[METRIC_TRADING_BALANCES], memory_order_relaxed) <
           ACCOUNTS * 3)
        cpu_pause();
}

/* Put orders into the ring while there is room; returns how many. */
static u32 send_some(void)
{
    u32 count = 0;
    for (; count < 256 && sent - answered < WINDOW; count++) {
        struct msg_order *at = ring_alloc(&orders, sizeof *at);
        if (!at) break;
        u32 i = (u32)(sent % READY);
        *at = ready[i];
        at->nonce = ++nonces[account_of[i]];
        at->head.request = sent + 1;
        memcpy(at->evidence.digest, &sent, sizeof sent);
        ring_push(&orders, sizeof *at);
        sent++;
    }
    ring_publish(&orders);
    return count;
}

static u32 take_some(void)
{
    const struct msg_reply_order *m;
    u32 count = 0;
    for (; count < 1024 && (m = ring_peek(&replies)); count++) {
        newest = m->seq;
        refused += m->code != 0;
        answered++;
        ring_pop(&replies, m->head.length);
    }
    ring_release(&replies);
    return count;
}

/* Processor time a process has used, in us; user or system. */
static u64 cpu_us(pid_t pid, bool kernel)
{
    char path[64], line[512];
    unsigned long user = 0, sys = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    CHECK(f && fgets(line, sizeof line, f));
    fclose(f);
    const char *end = strrchr(line, ')');
    CHECK(end &&
          sscanf(end + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) == 2);
    return (kernel ? sys : user) * 1000000UL / (u64)sysconf(_SC_CLK_TCK);
}

struct usage {
    u64 user[4], sys[4];
};

static void read_usage(struct usage *u)
{
    for (u32 i = 0; i < 4; i++) {
        pid_t pid = i < instance.count ? instance.procs[i].pid : getpid();
        u->user[i] = cpu_us(pid, false);
        u->sys[i] = cpu_us(pid, true);
    }
}

static void print_usage(const struct usage *a, const struct usage *b, double count)
{
    static const char *const names[] = {"journal", "trading", "matching", "this generator"};
    printf("processor time per order, user + system, us:");
    for (u32 i = 0; i < 4; i++)
        printf(" %s %.2f + %.2f%s", names[i], (double)(b->user[i] - a->user[i]) / count,
               (double)(b->sys[i] - a->sys[i]) / count, i < 3 ? "," : "\n");
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Plain writes to a new file, each synced: MB/s. */
static double measure_disk(void)
{
    static u8 block[1U << 20];
    char path[256];
    snprintf(path, sizeof path, "%s/plain", instance.dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0);
    memset(block, 0x5a, sizeof block);
    u64 begin = now();
    for (u32 i = 0; i < PLAIN_BLOCKS; i++)
        CHECK(write(fd, block, sizeof block) == (ssize_t)sizeof block && fdatasync(fd) == 0);
    double rate = (double)PLAIN_BLOCKS * sizeof block * 1e3 / (double)(now() - begin);
    close(fd);
    unlink(path);
    return rate;
}

static u64 journal_bytes(void)
{
    const struct proc_block *journal = segment_proc(&as_ops, ROLE_JOURNAL, 0);
    return atomic_load_explicit(&journal->metrics[METRIC_JOURNAL_BYTES], memory_order_relaxed);
}

/* Orders answered and durable per second, over `seconds`. */
static double measure(double seconds, const struct durable *durable)
{
    u64 begin = now(), from = answered;
    while ((double)(now() - begin) < seconds * 1e9) {
        u32 work = send_some() + take_some();
        if (!work) nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    }
    while (atomic_load_explicit(&durable->seq, memory_order_acquire) < newest) cpu_pause();
    return (double)(answered - from) * 1e9 / (double)(now() - begin);
}

int main(int argc, char **argv)
{
    u64 seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 1.0, rates[ROUNDS];
    instance_open(&instance, argc > 3 ? argv[3] : ".", &params);
    instance_start(&instance, ROLE_JOURNAL, 0, NULL);
    instance_start(&instance, ROLE_TRADING, 0, limits);
    instance_start(&instance, ROLE_MATCHING, 0, NULL);
    attach(&as_verify, ROLE_VERIFY);
    attach(&as_api, ROLE_API);
    attach(&as_ops, ROLE_OPS);
    segment_ring_tx(&as_verify, ROLE_TRADING, 0, NULL, &orders);
    segment_ring_rx(&as_api, ROLE_TRADING, 0, &replies);
    const struct durable *durable = segment_object(&as_api, "durable");
    make_ready(seed);
    credit_all();
    measure(seconds / 2, durable);
    u64 seq = atomic_load(&durable->seq), from = answered;
    struct usage before, after;
    read_usage(&before);
    for (u32 i = 0; i < ROUNDS; i++) {
        u64 bytes = journal_bytes(), begin = now();
        rates[i] = measure(seconds, durable);
        printf("round %u: %.0f orders/s, journal %.0f MB/s\n", i + 1, rates[i],
               (double)(journal_bytes() - bytes) * 1e3 / (double)(now() - begin));
    }
    read_usage(&after);
    print_usage(&before, &after, (double)(answered - from));
    qsort(rates, ROUNDS, sizeof rates[0], by_value);
    printf("commands %lu, orders %lu, refused %lu\n", atomic_load(&durable->seq) - seq, answered,
           refused);
    printf("trading + matching + journal, durable on disk: median %.0f orders/s\n",
           rates[ROUNDS / 2]);
    printf("plain 1 MiB writes to the same disk, each synced: %.0f MB/s\n", measure_disk());
    segment_detach(&as_verify);
    segment_detach(&as_api);
    segment_detach(&as_ops);
    instance_close(&instance);
    free(ready);
    free(account_of);
    return 0;
}
