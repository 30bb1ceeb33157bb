#include "cli/drill.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/ops.h"
#include "procs/lib/wire.h"
#include "shm/err.h"
#include "shm/rules.h"

#define LOOK_NS  100000L /* between two looks */
#define LEAST_S  6U      /* a drill in less has no load to speak of */
#define PATIENCE 120000U /* ms for the load to end */

static const struct drill_kind *const kinds[] = {
    &drill_matching, &drill_trading, &drill_hang, &drill_journal, &drill_all_down, &drill_disk_full,
};

static void nap_ns(long ns)
{
    nanosleep(&(struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000}, NULL);
}

int drill_wait(struct drill *d, bool (*done)(struct drill *d), u32 limit_ms, const char *what)
{
    u64 until_ns = cli_monotonic_ns() + limit_ms * 1000000UL;
    while (!done(d)) {
        if (cli_monotonic_ns() > until_ns)
            return err_set("%s: not within %u s", what, limit_ms / 1000);
        nap_ns(LOOK_NS);
    }
    return 0;
}

u64 drill_durable(const struct drill *d)
{
    const struct durable *durable = segment_object(&d->segment, "durable");
    return atomic_load_explicit(&durable->seq, memory_order_acquire);
}

int drill_probe(struct drill *d, u64 *seq)
{
    static struct segment own;
    struct ops ops = {0};
    u16 code = 0;
    const struct rules *rules = segment_object(&d->segment, "rules");
    struct msg_mode m = {.head = {.length = sizeof m, .kind = MSG_MODE}, .market = NO_MARKET};
    m.mode = (u8)rules->mode;
    if (segment_attach(&own, d->segment.boot.dir, ROLE_OPS, 0)) return -1;
    int failed = ops_open(&ops, &own, &d->segment) || ops_ask(&ops, &m.head, &code, seq);
    ops_close(&ops);
    segment_detach(&own);
    if (failed) return -1;
    return code ? err_set("the probe was refused: %u %s", code, wire_message(code)) : 0;
}

pid_t drill_spawn(char *const argv[], int out_fd)
{
    pid_t pid = fork();
    if (pid) return pid;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(out_fd, STDOUT_FILENO);
    dup2(out_fd, STDERR_FILENO);
    execv("/proc/self/exe", argv);
    _exit(127);
}

/* --- The load ----------------------------------------------------------------------------------*/

static int load_begin(struct drill *d, u64 seconds, u64 wallets)
{
    char time[24], count[24], dir[CONFIG_TEXT_MAX], rate[24];
    snprintf(time, sizeof time, "%lu", seconds);
    snprintf(count, sizeof count, "%lu", wallets);
    snprintf(rate, sizeof rate, "%lu", 5 * wallets);
    snprintf(dir, sizeof dir, "%s", d->cli.source.dir.s);
    char *argv[] = {"eidosctl", "demo",   "--json", "--seconds", time, "--wallets",
                    count,      "--rate", rate,     "--dir",     dir,  NULL};
    d->load_fd = memfd_create("demo", MFD_CLOEXEC);
    if (d->load_fd < 0) return err_sys("memfd_create");
    d->load = drill_spawn(argv, d->load_fd);
    return d->load > 0 ? 0 : err_sys("starting the load");
}

static bool load_is_over(struct drill *d)
{
    int status;
    return waitpid(d->load, &status, WNOHANG) == d->load;
}

/* Wait for its end and read what it says of it. */
static int load_end(struct drill *d)
{
    static char text[1 << 16];
    if (drill_wait(d, load_is_over, PATIENCE, "the load should have ended")) return -1;
    d->load = 0;
    ssize_t n = pread(d->load_fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    d->clients = json_loads(text, 0, NULL);
    return d->clients ? 0 : err_set("the load failed: %s", text);
}

static u64 number(const struct drill *d, const char *name)
{
    return (u64)json_integer_value(json_object_get(d->clients, name));
}

/* What the clients saw must be latency and nothing else, and all of it must be there. */
static void judge_clients(struct drill *d)
{
    if (!d->clients) return;
    if (number(d, "wrong"))
        snprintf(d->why, sizeof d->why, "%lu answers were not true: %s", number(d, "wrong"),
                 json_string_value(json_array_get(json_object_get(d->clients, "faults"), 0)));
    else if (number(d, "errors"))
        snprintf(d->why, sizeof d->why, "%lu requests never got an answer", number(d, "errors"));
    else if (number(d, "found") != number(d, "acked"))
        snprintf(d->why, sizeof d->why, "%lu orders were acknowledged, %lu found again",
                 number(d, "acked"), number(d, "found"));
    else if (!json_is_true(json_object_get(d->clients, "conserved")))
        snprintf(d->why, sizeof d->why, "the tokens are not all there");
}

static void judge(struct drill *d)
{
    const struct drill_times *t = &d->times;
    u64 took_ms = t->served_ns > t->struck_ns ? (t->served_ns - t->struck_ns) / 1000000 : 0;
    judge_clients(d);
    if (!d->why[0] && d->after < d->before)
        snprintf(d->why, sizeof d->why, "command %lu was on disk, and now %lu is the last",
                 d->before, d->after);
    if (!d->why[0] && d->kind->limit_ms && took_ms > d->kind->limit_ms)
        snprintf(d->why, sizeof d->why, "service after %lu ms; %u ms are promised", took_ms,
                 d->kind->limit_ms);
    d->passed = !d->why[0];
}

/* --- The report and the record -----------------------------------------------------------------*/

static void print_span(const char *what, u64 from_ns, u64 to_ns, const char *means)
{
    if (!to_ns) return;
    u64 us = (to_ns - from_ns) / 1000;
    printf("  %-12s after %6lu.%03lu ms   %s\n", what, us / 1000, us % 1000, means);
}

static void print(const struct drill *d)
{
    const struct drill_times *t = &d->times;
    printf("%s: %s\n", d->kind->name, d->did);
    print_span("detected", t->struck_ns, t->detected_ns, "somebody knew");
    print_span("taken over", t->struck_ns, t->taken_ns, "another was ready in its place");
    print_span("service", t->struck_ns, t->served_ns, "what came next went through");
    print_span("whole", t->struck_ns, t->whole_ns, "everybody is back");
    if (d->clients) {
        printf("  %-12s %lu orders, %lu acknowledged, %lu refused, %lu sent again, %lu without an "
               "answer\n",
               "clients", number(d, "orders"), number(d, "acked"), number(d, "rejected"),
               number(d, "resent"), number(d, "errors"));
        if (number(d, "limited"))
            printf("  %-12s %lu of those sent again were over a limit of rates: less load than "
                   "meant\n",
                   "", number(d, "limited"));
        printf("  %-12s %lu us median, %lu us 99th percentile, %lu us the slowest\n", "",
               number(d, "p50_us"), number(d, "p99_us"), number(d, "max_us"));
        printf("  %-12s %lu of %lu acknowledged orders found again, balances are what they filled, "
               "tokens %s\n",
               "nothing lost", number(d, "found"), number(d, "acked"),
               json_is_true(json_object_get(d->clients, "conserved")) ? "conserved"
                                                                      : "NOT CONSERVED");
    }
    printf("  %-12s command %lu was on disk at the strike, %lu is now\n", "log", d->before,
           d->after);
    printf("  %-12s %s\n", d->passed ? "PASSED" : "FAILED", d->why);
}

static void put_span(json_t *o, const char *name, u64 from_ns, u64 to_ns)
{
    if (to_ns) json_object_set_new(o, name, json_integer((json_int_t)((to_ns - from_ns) / 1000)));
}

static json_t *record_of(const struct drill *d)
{
    const struct drill_times *t = &d->times;
    json_t *o = json_object();
    json_object_set_new(o, "time_ms", json_integer((json_int_t)(cli_unix_ns() / 1000000)));
    json_object_set_new(o, "drill", json_string(d->kind->name));
    json_object_set_new(o, "did", json_string(d->did));
    json_object_set_new(o, "by_uid", json_integer(getuid()));
    json_object_set_new(o, "build", json_string(cli_build()));
    put_span(o, "detected_us", t->struck_ns, t->detected_ns);
    put_span(o, "taken_over_us", t->struck_ns, t->taken_ns);
    put_span(o, "service_us", t->struck_ns, t->served_ns);
    put_span(o, "whole_us", t->struck_ns, t->whole_ns);
    json_object_set_new(o, "durable_before", json_integer((json_int_t)d->before));
    json_object_set_new(o, "durable_after", json_integer((json_int_t)d->after));
    if (d->clients) json_object_set(o, "clients", d->clients);
    json_object_set_new(o, "passed", json_boolean(d->passed));
    json_object_set_new(o, "why", json_string(d->why));
    return o;
}

/* One line, appended whole. */
static int keep(const struct drill *d, const char *text)
{
    char path[CONFIG_TEXT_MAX + 16];
    snprintf(path, sizeof path, "%s/drills.jsonl", d->cli.source.dir.s);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0) return err_sys("%s", path);
    size_t length = strlen(text);
    int rc = write(fd, text, length) == (ssize_t)length && fsync(fd) == 0 ? 0 : err_sys("%s", path);
    close(fd);
    return rc;
}

static int tell(struct drill *d)
{
    static char line[1 << 16];
    json_t *record = record_of(d);
    char *text = json_dumps(record, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(record);
    CHECK(text);
    snprintf(line, sizeof line, "%s\n", text);
    free(text);
    if (cli_value(&d->cli, "--json")) printf("%s", line);
    else print(d);
    if (keep(d, line)) return cli_fail(&d->cli, CLI_FAILED, "no record: %s", err_text());
    return d->passed ? CLI_OK : CLI_FAILED;
}

/* --- The command -------------------------------------------------------------------------------*/

static int list(void)
{
    for (u32 i = 0; i < COUNT_OF(kinds); i++) {
        printf("%-18s %s", kinds[i]->name, kinds[i]->brief);
        if (kinds[i]->limit_ms) printf("; promised: %u ms", kinds[i]->limit_ms);
        printf("\n");
    }
    return CLI_OK;
}

static bool is_whole(struct drill *d)
{
    char who[PROC_NOTE_BYTES + 64];
    if (!cli_is_ready(&d->segment, who, sizeof who)) return false;
    for (u32 i = 0; i < d->segment.topo.proc_count; i++) {
        const struct topo_proc *p = &d->segment.topo.procs[i];
        const struct proc_block *b = segment_proc(&d->segment, p->role, p->instance);
        if (atomic_load_explicit(&b->state, memory_order_acquire) != PROC_READY ||
            !proc_is_alive(b))
            return false;
    }
    return true;
}

/* Under load, and no sooner than all are there. */
static int strike(struct drill *d, u64 seconds, u64 wallets, bool load)
{
    if (drill_wait(d, is_whole, 30000, "the exchange and its standbys are not all ready"))
        return -1;
    if (load && load_begin(d, seconds, wallets)) return -1;
    if (load) nap_ns((long)(seconds * 1000000000UL / 3));
    d->before = drill_durable(d);
    if (d->kind->strike(d)) return -1;
    if (drill_wait(d, is_whole, 60000, "not all are back")) return -1;
    d->times.whole_ns = cli_monotonic_ns();
    if (load && load_end(d)) return -1;
    d->after = drill_durable(d);
    return 0;
}

static int run(struct drill *d)
{
    u64 seconds, wallets;
    bool load = !cli_value(&d->cli, "--no-load");
    if (!cli_number(&d->cli, "--seconds", LEAST_S, 3600, 12, &seconds) ||
        !cli_number(&d->cli, "--wallets", 1, 1000, 40, &wallets))
        return CLI_USAGE;
    int result = cli_attach(&d->cli, &d->segment, ROLE_COUNT);
    if (result) return result;
    if (cli_running_config(d->cli.source.dir.s, &d->config))
        return cli_fail(&d->cli, CLI_FAILED, "%s", err_text());
    if (load && d->config.exchange.env != ENV_DEV)
        return cli_fail(&d->cli, CLI_USAGE,
                        "the load's wallets need funds, and exchange.env is not dev: --no-load");
    if (d->kind->standby & ~d->segment.boot.params.standbys)
        return cli_fail(&d->cli, CLI_FAILED,
                        "it runs without that standby: see [trading] and [matching] standby, and "
                        "what `eidosctl up` said of shared memory");
    if (strike(d, seconds, wallets, load)) {
        snprintf(d->why, sizeof d->why, "%s", err_text());
        if (d->load > 0) load_end(d);
    }
    judge(d);
    return tell(d);
}

int cmd_drill(int argc, char **argv)
{
    static struct drill d;
    int result = cli_parse(&d.cli, argc, argv);
    if (result) return result;
    if (strcmp(d.cli.arg[0], "list") == 0 && d.cli.args == 1) return list();
    if (strcmp(d.cli.arg[0], "run") != 0 || d.cli.args != 2)
        return cli_fail(&d.cli, CLI_USAGE, "list, or run NAME; `eidosctl drill list` names them");
    for (u32 i = 0; i < COUNT_OF(kinds) && !d.kind; i++)
        if (strcmp(kinds[i]->name, d.cli.arg[1]) == 0) d.kind = kinds[i];
    if (!d.kind)
        return cli_fail(&d.cli, CLI_USAGE, "%s: there is no such drill; `eidosctl drill list`",
                        d.cli.arg[1]);
    return run(&d);
}
