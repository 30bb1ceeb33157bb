/* up.c: eidosctl up, down: the life of an instance.
 *
 *   configuration -> lock -> former processes gone -> recover from disk -> segment -> supervise
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/configure.h"
#include "cli/recovery.h"
#include "cli/super.h"
#include "cli/up_segment.h"
#include "cli/welcome.h"
#include "procs/lib/config_markets.h"
#include "procs/lib/recover.h"
#include "procs/lib/replay.h"
#include "procs/lib/text_log.h"
#include "shm/err.h"
#include "shm/segment_files.h"

#define ORPHANS_NS 20000000000UL /* for processes of a supervisor that was killed */

struct up {
    struct cli cli;
    struct config config;
    struct recovered found;
    struct up_segment *making;
    struct segment segment;
    struct super super;
    bool dev;
    u64 begin_ns, recovered_ns, segment_ns; /* CLOCK_MONOTONIC: of the phases of the start */
    int tell; /* --detach: the end of a pipe to who waits for us to be ready; -1 = none */
};

static void nap_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* --- Before there is a segment -----------------------------------------------------------------*/

/* For development all clients are on this host: they share one address and must not share its
 * limit. The processes are told, too. */
static void exempt_this_host(struct up *up)
{
    static const char OWN[] = "limits.exempt=127.0.0.1,::1";
    struct config_source *s = &up->cli.source;
    if (up->config.limits.exempt.s[0] || s->sets == CONFIG_SETS_MAX) return;
    s->set[s->sets++] = OWN;
    CHECK(config_load(&up->config, s) == 0);
}

static int load(struct up *up)
{
    static struct markets_conf markets;
    if (config_load(&up->config, &up->cli.source) ||
        config_markets_load(&markets, &up->cli.source, up->config.matching.workers))
        return cli_fail(&up->cli, CLI_USAGE, "%s", err_text());
    if (markets.markets > up->config.klines.markets_max)
        return cli_fail(&up->cli, CLI_USAGE,
                        "there are %u markets and klines.markets_max = %u; raise that option",
                        markets.markets, up->config.klines.markets_max);
    if (up->dev && up->config.exchange.env != ENV_DEV)
        return cli_fail(&up->cli, CLI_USAGE, "--dev is for exchange.env = dev only");
    if (up->dev) exempt_this_host(up);
    return CLI_OK;
}

/* Two operators at once: the second is told who the first is. */
static int lock(struct up *up)
{
    char absolute[sizeof up->segment.boot.dir];
    const char *dir = up->cli.source.dir.s;
    if (segment_lock(dir, absolute, sizeof absolute) == 0) return CLI_OK;
    u32 pid = cli_supervisor(dir);
    if (!pid) return cli_fail(&up->cli, CLI_FAILED, "%s", err_text());
    return cli_fail(&up->cli, CLI_BUSY,
                    "the exchange in %s is already run by process %u; look at it with `eidosctl "
                    "status`, stop it with `eidosctl down`, or choose another --dir",
                    dir, pid);
}

/* Name a process of a former segment that still lives. */
static bool orphan(const char *dir, char *who, size_t size)
{
    static struct segment s;
    bool found = false;
    if (segment_attach(&s, dir, ROLE_COUNT, 0)) return false;
    for (u32 i = 0; i < s.topo.proc_count && !found; i++) {
        const struct topo_proc *proc = &s.topo.procs[i];
        const struct proc_block *block = segment_proc(&s, proc->role, proc->instance);
        found = proc_is_alive(block);
        if (found)
            snprintf(who, size, "%s (pid %u)", proc->name,
                     atomic_load_explicit(&block->pid, memory_order_relaxed));
    }
    segment_detach(&s);
    return found;
}

/* A killed supervisor's processes end by themselves; the journal must be still before it is read.
 */
static int wait_for_orphans(struct up *up)
{
    char who[64];
    u64 until_ns = cli_monotonic_ns() + ORPHANS_NS;
    while (orphan(up->cli.source.dir.s, who, sizeof who)) {
        if (cli_monotonic_ns() > until_ns)
            return cli_fail(&up->cli, CLI_FAILED,
                            "%s of an earlier start still lives although its supervisor is dead; "
                            "end it, then try again",
                            who);
        nap_ms(20);
    }
    return CLI_OK;
}

static int write_config(const struct up *up)
{
    char path[CONFIG_TEXT_MAX + 24];
    snprintf(path, sizeof path, "%s/run/eidos.ini", up->cli.source.dir.s);
    FILE *file = fopen(path, "we");
    if (!file) return err_sys("%s", path);
    fprintf(file, "# What this exchange was started with; written by eidosctl up.\n");
    config_print(&up->config, file);
    return fclose(file) ? err_sys("%s", path) : 0;
}

struct recovering {
    struct up *up;
    struct recovery r;
};

static void report(void *context, const char *text)
{
    struct recovering *c = context;
    recovery_report(&c->r, text);
    text_log(TEXT_INFO, "recovery: %s", text);
}

/* What it found is kept, for who asks later. */
static int keep(struct recovery *r, const struct up *up)
{
    char why[ERR_TEXT_MAX];
    snprintf(why, sizeof why, "%s", err_text());
    r->why = why;
    if (recovery_keep(r, up->cli.source.dir.s)) text_log(TEXT_WARN, "%s", err_text());
    r->why = NULL;
    return r->ok ? 0 : err_set("recovery: %s", why);
}

/* Shared memory comes first, where there is not enough for both. Writing a snapshot takes a while,
 * and nobody shall wonder. */
static void on_step(void *context, enum recover_step step, const struct recovered *f)
{
    struct recovering *c = context;
    if (step == RECOVER_REPLAY) up_segment_wait(c->up->making);
    else
        text_log(TEXT_INFO,
                 "replayed %lu commands in %lu ms; writing a snapshot for the processes to load",
                 f->seq - f->snapshot_seq, f->replay_ns / 1000000);
}

/* Newest snapshot and the journal after it, so that every process finds the same state. */
static int recover(struct up *up)
{
    static struct recovering c;
    struct recovery *r = &c.r;
    c.up = up;
    struct topo_params params;
    cli_topo_params(&up->config, &params);
    struct recover_options options = {.dir = up->cli.source.dir.s,
                                      .params = &params,
                                      .segment_bytes = up->config.journal.segment_bytes,
                                      .snapshots_keep = up->config.snapshot.keep,
                                      .lossy = up->config.journal.durability == DURABILITY_MEMORY,
                                      .tail_commands = RECOVER_TAIL,
                                      .leave_tail =
                                          up->config.journal.durability != DURABILITY_KAFKA,
                                      .threads = replay_threads(2),
                                      .report = report,
                                      .step = on_step,
                                      .context = &c};
    const struct recovered *found = &r->found;
    u64 begin_ns = cli_monotonic_ns();
    r->ok = recover_start(&options, &r->found) == 0;
    r->took_ns = max_u64(cli_monotonic_ns() - begin_ns, 1);
    up->found = r->found;
    if (r->ok && found->seq) {
        u64 records = found->checksum_seq - found->snapshot_seq;
        text_log(
            TEXT_INFO,
            "recovered %lu commands from disk in %lu ms: snapshot at %lu, %lu records replayed "
            "(%lu a second, reading and writing snapshots included), state checksum %016lx, %lu "
            "left to the processes; "
            "finding and checking %lu ms, loading %lu, replaying %lu, writing a snapshot %lu",
            found->seq, r->took_ns / 1000000, found->snapshot_seq, records,
            (u64)((u128)records * 1000000000UL / r->took_ns), found->checksum,
            found->seq - found->checksum_seq, found->check_ns / 1000000, found->load_ns / 1000000,
            found->replay_ns / 1000000, found->save_ns / 1000000);
    }
    return keep(r, up);
}

/* --- The segment -------------------------------------------------------------------------------*/

/* What recovery made sure of. With an exporter commands may be told of once they are exported. */
static int tell_durable(const struct up *up)
{
    const struct recovered *f = &up->found;
    u64 written[PROC_LOGS_MAX] = {[LOG_COMMAND] = f->seq, [LOG_ACCOUNT] = f->account_seq};
    u32 matchings = up->segment.topo.params.matching;
    for (u32 i = 0; i < matchings; i++) written[LOG_MATCH(i)] = f->match_seq[i];
    bool exports = up->config.journal.durability == DURABILITY_KAFKA;
    return segment_set_durable(&up->segment, written, LOG_MATCH(matchings), exports ? 0 : f->seq);
}

static int open_segment(struct up *up)
{
    if (segment_attach(&up->segment, up->cli.source.dir.s, ROLE_OPS, 0)) return -1;
    up->super.own = segment_proc(&up->segment, ROLE_OPS, 0);
    text_log_follow(&up->super.own->log_levels[up->segment.self]);
    return proc_take(up->super.own) || tell_durable(up) ? -1 : 0;
}

/* --- Ready -------------------------------------------------------------------------------------*/

static void set_log(const struct config *c)
{
    text_log_set((enum text_format)c->logging.format, (enum text_level)c->logging.level);
}

/* Let the operator go: from here on this process writes to its log only. */
static void detach(struct up *up)
{
    char path[CONFIG_TEXT_MAX + 32];
    snprintf(path, sizeof path, "%s/log", up->cli.source.dir.s);
    mkdir(path, 0750);
    snprintf(path, sizeof path, "%s/log/supervisor.log", up->cli.source.dir.s);
    int log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null_fd, STDIN_FILENO);
    dup2(log_fd >= 0 ? log_fd : null_fd, STDOUT_FILENO);
    dup2(log_fd >= 0 ? log_fd : null_fd, STDERR_FILENO);
    if (log_fd >= 0) close(log_fd);
    if (null_fd >= 0) close(null_fd);
    set_log(&up->config);
    if (write(up->tell, "R", 1) != 1) text_log(TEXT_WARN, "nobody waits for us to be ready");
    close(up->tell);
    up->tell = -1;
}

/* From here on clients are answered: a journal without a command has lost some. */
static void note_use(const struct up *up)
{
    struct logdir dir;
    if (logdir_open(&dir, up->cli.source.dir.s, false) || logdir_set_used(&dir))
        text_log(TEXT_WARN, "%s", err_text());
    logdir_close(&dir);
}

/* Where the time went, from the command to the first trader. */
static void report_start(const struct up *up, const char *took)
{
    u64 now_ns = cli_monotonic_ns();
    text_log(TEXT_INFO,
             "started in %lu ms: recovery from disk %lu, shared memory (begun with it) %lu more, "
             "processes %lu (each from its own start: %s)",
             (now_ns - up->begin_ns) / 1000000, (up->recovered_ns - up->begin_ns) / 1000000,
             (up->segment_ns - up->recovered_ns) / 1000000, (now_ns - up->segment_ns) / 1000000,
             took);
}

static void on_ready(void *context, const char *took)
{
    struct up *up = context;
    note_use(up);
    report_start(up, took);
    if (up->dev) welcome(&up->segment, &up->config);
    if (up->tell >= 0) detach(up);
}

/* --- The whole ---------------------------------------------------------------------------------*/

/* Everything before there are processes. Shared memory is made while the disk is read. */
static int prepare(struct up *up)
{
    up->begin_ns = cli_monotonic_ns();
    if (write_config(up) || up_segment_begin(&up->making, &up->config, up->cli.source.dir.s))
        return -1;
    int rc = recover(up);
    up->recovered_ns = cli_monotonic_ns();
    if (up_segment_end(up->making, rc) || rc || open_segment(up)) return -1;
    up->segment_ns = cli_monotonic_ns();
    return 0;
}

static int run(struct up *up)
{
    int result = lock(up);
    if (result || (result = wait_for_orphans(up))) return result;
    text_log_name("supervisor");
    set_log(&up->config);
    text_log(TEXT_INFO, "eidos %s, instance %s", cli_build(), up->cli.source.dir.s);
    if (prepare(up)) return cli_fail(&up->cli, CLI_FAILED, "%s", err_text());
    up->super.config = &up->config;
    up->super.source = &up->cli.source;
    up->super.segment = &up->segment;
    up->super.to_files = up->tell >= 0;
    up->super.on_ready = on_ready;
    up->super.context = up;
    result = super_run(&up->super) ? cli_fail(&up->cli, CLI_FAILED, "%s", err_text()) : CLI_OK;
    text_log_follow(NULL);
    segment_detach(&up->segment);
    if (segment_delete(up->cli.source.dir.s)) text_log(TEXT_WARN, "%s", err_text());
    if (result == CLI_OK) text_log(TEXT_INFO, "stopped");
    return result;
}

/* Descriptors are connections: as many as the host allows, for the processes too. */
static void raise_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files)) return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

/* In the process that the operator sees: wait until the other is ready, or not. */
static int wait_for_daemon(int listen, pid_t daemon)
{
    char told;
    ssize_t n;
    do n = read(listen, &told, 1);
    while (n < 0 && errno == EINTR);
    if (n == 1) return CLI_OK;
    int status;
    while (waitpid(daemon, &status, 0) < 0)
        if (errno != EINTR) return CLI_FAILED;
    return WIFEXITED(status) ? WEXITSTATUS(status) : CLI_FAILED;
}

static int run_detached(struct up *up)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC)) {
        err_sys("making a pipe");
        return cli_fail(&up->cli, CLI_FAILED, "%s", err_text());
    }
    pid_t daemon = fork();
    if (daemon < 0) {
        err_sys("starting in the background");
        return cli_fail(&up->cli, CLI_FAILED, "%s", err_text());
    }
    if (daemon) {
        close(pipe_fds[1]);
        return wait_for_daemon(pipe_fds[0], daemon);
    }
    close(pipe_fds[0]);
    setsid();
    up->tell = pipe_fds[1];
    return run(up);
}

int cmd_up(int argc, char **argv)
{
    static struct up up = {.tell = -1};
    int result = cli_parse(&up.cli, argc, argv);
    if (result) return result;
    up.dev = cli_value(&up.cli, "--dev");
    if ((result = load(&up))) return result;
    raise_limits();
    return cli_value(&up.cli, "--detach") ? run_detached(&up) : run(&up);
}

/* --- down --------------------------------------------------------------------------------------*/

/* Wait for the end of a process; false when it still lives after `wait_s`. */
static bool wait_for_end(int pidfd, u64 wait_s)
{
    struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
    u64 until_ns = cli_monotonic_ns() + wait_s * 1000000000UL;
    for (;;) {
        u64 now_ns = cli_monotonic_ns();
        if (now_ns >= until_ns) return false;
        if (poll(&poll_fd, 1, (int)((until_ns - now_ns) / 1000000) + 1) > 0) return true;
    }
}

int cmd_down(int argc, char **argv)
{
    struct cli c;
    u64 wait_s;
    int result = cli_parse(&c, argc, argv);
    if (result) return result;
    if (!cli_number(&c, "--wait", 1, 86400, 120, &wait_s)) return CLI_USAGE;
    u32 pid = cli_supervisor(c.source.dir.s);
    if (!pid) return cli_fail(&c, CLI_DOWN, "no exchange is running in %s", c.source.dir.s);
    int pidfd = pidfd_open((pid_t)pid, 0);
    /* It may have ended, and its number be another's, before we had hold of it: ask again. */
    if (pidfd < 0 || cli_supervisor(c.source.dir.s) != pid)
        return cli_fail(&c, CLI_DOWN, "process %u ended by itself just now", pid);
    if (pidfd_send_signal(pidfd, SIGTERM, NULL, 0))
        return cli_fail(&c, CLI_FAILED, "process %u can not be told to stop: %s", pid,
                        strerror(errno));
    bool ended = wait_for_end(pidfd, wait_s);
    close(pidfd);
    if (!ended)
        return cli_fail(&c, CLI_FAILED,
                        "process %u was told to stop and has not ended in %lu s; see `eidosctl ps`",
                        pid, wait_s);
    printf("stopped\n");
    return CLI_OK;
}
