/* bench_replay: how fast an exchange comes back from disk, step by step and whole.
 *
 *   read       the command log alone: files, checksums, shapes
 *   matching   read and match;  market: and make market data
 *   replay     and trading: all there is to a replay
 *   two        the same with two threads
 *   start      recover_start, as `eidosctl up` does it, without a snapshot
 *   snapshot   recover_start again: the newest snapshot and nothing after it
 *   up         the program, until it serves: without a snapshot, and with one; where the time went
 *
 *   bench_replay [seed] [commands] [accounts] [resting] [directory] ["steps"] [markets]
 *
 * A directory that is named stays, and is used again when it exists; else one is made and removed.
 * Of `up` the processor time is not known here. What was written is still in the page cache, as
 * after a crash of processes. */
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "procs/lib/recover.h"
#include "procs/lib/replay.h"
#include "shm/err.h"
#include "tests/lib/flow.h"
#include "tests/lib/history.h"

static const struct history_plan ordinary = {.seed = 1,
                                             .commands = 2000000,
                                             .accounts = 100000,
                                             .resting = 200000,
                                             .segment_bytes = 64UL << 20};

static char dir[200] = "/tmp/eidos-replay-XXXXXX";
static struct topo_params params;
static const char *wanted = "read matching market replay two start snapshot up";

static bool is_wanted(const char *step)
{
    return strstr(wanted, step) != NULL;
}

struct times {
    double wall, cpu; /* seconds; cpu: of this process */
};

static double clock_s(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct times now(void)
{
    return (struct times){clock_s(CLOCK_MONOTONIC), clock_s(CLOCK_PROCESS_CPUTIME_ID)};
}

static _Noreturn void die(void)
{
    fprintf(stderr, "bench_replay: %s\n", err_text());
    exit(1);
}

static void show(const char *what, u64 commands, struct times begin)
{
    struct times end = now();
    double wall = end.wall - begin.wall, cpu = end.cpu - begin.cpu;
    printf("%-9s %7.2f s, processor %7.2f s", what, wall, cpu);
    if (commands)
        printf("; commands/s: %.2f M, %.2f M a processor second", (double)commands / wall / 1e6,
               (double)commands / cpu / 1e6);
    printf("\n");
    fflush(stdout);
}

static void show_read(void)
{
    struct logdir d;
    struct logfile_reader r;
    const struct rec *rec;
    if (logdir_open(&d, dir, false)) die();
    struct times begin = now();
    if (logfile_open(&r, &d, LOG_COMMAND, 0, UINT64_MAX) != LOGFILE_END) die();
    while (logfile_next(&r, &rec) == LOGFILE_RECORD) {
    }
    show("read", r.seq, begin);
    logfile_close(&r);
    logdir_close(&d);
}

/* Read, and apply to some of the machines. */
static void show_part(const char *what, bool trading, bool matching, bool market, u32 threads)
{
    struct logdir d;
    struct logfile_reader files;
    static struct replica r;
    const struct rec *rec;
    struct replay p;
    struct replica_config config = {.params = &params,
                                    .trading = trading,
                                    .matching_count = matching,
                                    .market = market,
                                    .pool = true};
    if (logdir_open(&d, dir, false) || replica_open(&r, &config)) die();
    struct times begin = now();
    if (replay_begin(&p, &r, threads)) die();
    if (logfile_open(&files, &d, LOG_COMMAND, 0, UINT64_MAX) != LOGFILE_END) die();
    while (logfile_next(&files, &rec) == LOGFILE_RECORD)
        if (replay_put(&p, rec)) die();
    if (replay_end(&p, 0)) die();
    show(what, r.seq, begin);
    logfile_close(&files);
    replica_close(&r);
    logdir_close(&d);
}

static void show_start(const char *what)
{
    struct recover_options options = {.dir = dir,
                                      .params = &params,
                                      .segment_bytes = ordinary.segment_bytes,
                                      .snapshots_keep = 10,
                                      .tail_commands = RECOVER_TAIL,
                                      .threads = replay_threads(2)};
    struct recovered found;
    struct times begin = now();
    if (recover_start(&options, &found)) die();
    show(what, found.seq - found.snapshot_seq, begin);
    printf("          checking %.2f s, loading %.2f, replaying %.2f, writing a snapshot %.2f\n",
           1e-9 * (double)found.check_ns, 1e-9 * (double)found.load_ns,
           1e-9 * (double)found.replay_ns, 1e-9 * (double)found.save_ns);
}

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *format, ...)
{
    char command[1500];
    va_list ap;
    va_start(ap, format);
    vsnprintf(command, sizeof command, format, ap);
    va_end(ap);
    if (system(command) == 0) return; /* of our own making */
    fprintf(stderr, "bench_replay: this failed: %s\n", command);
    exit(1);
}

static void show_up(const char *what, u64 commands)
{
    const char *bin = getenv("EIDOS_BIN");
    if (!bin) bin = "build/bin";
    struct times begin = now();
    run("%s/eidosctl up --detach --dir %s --set trading.accounts_max=%u "
        "--set trading.balances_max=%u --set trading.orders_max=%lu --set matching.orders_max=%lu "
        "--set api.port=0 --set ops.port=0 2>%s/up.log",
        bin, dir, (u32)params.accounts_max, (u32)params.balances_max, (u64)params.orders_max,
        (u64)params.resting_max, dir);
    show(what, commands, begin);
    run("sed -n 's/.*\"msg\":\"\\(recovered\\|started in\\)\\(.*\\)\"}$/          \\1\\2/p' "
        "%s/up.log",
        dir);
    run("%s/eidosctl down --dir %s >/dev/null", bin, dir);
}

int main(int argc, char **argv)
{
    struct history_plan plan = ordinary;
    struct history_made made;
    if (argc > 1) plan.seed = strtoull(argv[1], NULL, 10);
    if (argc > 2) plan.commands = strtoull(argv[2], NULL, 10);
    if (argc > 3) plan.accounts = (u32)strtoul(argv[3], NULL, 10);
    if (argc > 4) plan.resting = (u32)strtoul(argv[4], NULL, 10);
    if (argc > 5) snprintf(dir, sizeof dir, "%s", argv[5]);
    if (argc > 6) wanted = argv[6];
    if (argc > 7) plan.markets = (u32)min_u64(strtoull(argv[7], NULL, 10), FLOW_MARKETS_MAX);
    history_params(&plan, &params);
    bool own = argc <= 5;
    if (own) CHECK(mkdtemp(dir));
    if (own || access(dir, F_OK)) {
        struct times begin = now();
        history_make(dir, &plan, &made);
        show("make", made.commands, begin);
        printf("%lu commands (%lu MB), %lu account records, %lu match records, %lu open orders, "
               "%u accounts\n",
               made.commands, made.command_bytes >> 20, made.account_records, made.match_records,
               made.open, plan.accounts);
    }
    if (is_wanted("read")) show_read();
    if (is_wanted("matching")) show_part("matching", false, true, false, 1);
    if (is_wanted("market")) show_part("market", false, true, true, 1);
    if (is_wanted("replay")) show_part("replay", true, true, true, 1);
    if (is_wanted("two")) show_part("two", true, true, true, 2);
    if (is_wanted("start")) {
        run("rm -rf %s/snapshots", dir);
        show_start("start");
    }
    if (is_wanted("snapshot")) show_start("snapshot");
    if (is_wanted("up")) {
        run("rm -rf %s/snapshots", dir);
        show_up("up", plan.commands);
        show_up("up again", 0);
    }
    if (own) run("rm -rf %s", dir);
    return 0;
}
