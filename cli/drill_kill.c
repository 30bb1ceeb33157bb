/* drill_kill.c: processes that die or hang. */
#include "cli/drill.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "shm/err.h"

#define BACK_MS 60000U

/* The process of a drill. */
static struct victim {
    u32 role;
    struct proc_block *block;
    u32 pid;
    u64 probe; /* our own command */
} victim;

static int choose(struct drill *d, u32 role)
{
    struct victim *v = &victim;
    v->role = role;
    v->block = segment_proc(&d->segment, role, 0);
    v->pid = atomic_load_explicit(&v->block->pid, memory_order_acquire);
    return proc_is_alive(v->block) ? 0 : err_set("%s is dead already", role_name(role));
}

static int hit(struct drill *d, int number, const char *what)
{
    int proc = topo_proc(&d->segment.topo, victim.role, 0);
    snprintf(d->did, sizeof d->did, "%s of %s, process %u", what, d->segment.topo.procs[proc].name,
             victim.pid);
    d->times.struck_ns = cli_monotonic_ns();
    if (kill((pid_t)victim.pid, number)) return err_sys("%s", d->did);
    return 0;
}

/* Another process is in the place, and ready. */
static bool is_replaced(struct drill *d)
{
    (void)d;
    struct proc_block *b = victim.block;
    return atomic_load_explicit(&b->pid, memory_order_acquire) != victim.pid &&
           atomic_load_explicit(&b->state, memory_order_acquire) == PROC_READY;
}

/* Matching says how far it is; of the others the probe's answer is enough. */
static bool has_passed(struct drill *d)
{
    (void)d;
    return victim.role != ROLE_MATCHING ||
           atomic_load_explicit(&victim.block->log_seq[LOG_COMMAND], memory_order_acquire) >=
               victim.probe;
}

static int probe(struct drill *d)
{
    if (drill_probe(d, &victim.probe) || drill_wait(d, has_passed, BACK_MS, "nothing goes through"))
        return -1;
    d->times.served_ns = cli_monotonic_ns();
    return 0;
}

/* Until another serves in the place. The standby notes itself when it knew and when it was ready.
 */
static int watch_failover(struct drill *d)
{
    struct drill_times *t = &d->times;
    if (drill_wait(d, is_replaced, BACK_MS, "nobody took over")) return -1;
    t->detected_ns = atomic_load_explicit(&victim.block->taken_ns, memory_order_relaxed);
    t->taken_ns = atomic_load_explicit(&victim.block->served_ns, memory_order_acquire);
    if (t->taken_ns < t->struck_ns) /* it was started anew */
        t->detected_ns = 0, t->taken_ns = cli_monotonic_ns();
    return probe(d);
}

static int strike_matching(struct drill *d)
{
    if (choose(d, ROLE_MATCHING) || hit(d, SIGKILL, "kill -9")) return -1;
    return watch_failover(d);
}

static int strike_trading(struct drill *d)
{
    if (choose(d, ROLE_TRADING) || hit(d, SIGKILL, "kill -9")) return -1;
    return watch_failover(d);
}

static int strike_hang(struct drill *d)
{
    if (choose(d, ROLE_TRADING) || hit(d, SIGSTOP, "SIGSTOP")) return -1;
    return watch_failover(d);
}

static int strike_journal(struct drill *d)
{
    if (choose(d, ROLE_JOURNAL) || hit(d, SIGKILL, "kill -9")) return -1;
    if (drill_wait(d, is_replaced, BACK_MS, "the journal does not come back")) return -1;
    d->times.taken_ns = cli_monotonic_ns();
    return probe(d);
}

/* --- All at once -------------------------------------------------------------------------------*/

static void kill_all(struct drill *d)
{
    kill((pid_t)d->segment.boot.supervisor_pid, SIGKILL);
    for (u32 i = 0; i < d->segment.topo.proc_count; i++) {
        const struct topo_proc *p = &d->segment.topo.procs[i];
        const struct proc_block *b = segment_proc(&d->segment, p->role, p->instance);
        u32 pid = atomic_load_explicit(&b->pid, memory_order_acquire);
        if (pid && proc_is_alive(b)) kill((pid_t)pid, SIGKILL);
    }
}

static bool is_gone(struct drill *d)
{
    return !segment_is_alive(&d->segment.boot) &&
           cli_supervisor(d->cli.source.dir.s) != d->segment.boot.supervisor_pid;
}

static bool has_supervisor(struct drill *d)
{
    u32 pid = cli_supervisor(d->cli.source.dir.s);
    return pid && pid != d->segment.boot.supervisor_pid;
}

/* A service manager starts it again; by hand it is started in the background, as it was. */
static int start_again(struct drill *d)
{
    char dir[CONFIG_TEXT_MAX], file[CONFIG_TEXT_MAX + 32], port[48];
    u32 served =
        atomic_load_explicit(&segment_proc(&d->segment, ROLE_API, 0)->port, memory_order_acquire);
    bool managed = getenv("INVOCATION_ID") || access("/run/systemd/system", F_OK) == 0;
    if (managed && drill_wait(d, has_supervisor, 3000, "") == 0) return 0;
    snprintf(dir, sizeof dir, "%s", d->cli.source.dir.s);
    snprintf(file, sizeof file, "%s/run/drill.ini", dir);
    FILE *out = fopen(file, "we");
    if (!out) return err_sys("%s", file);
    config_print(&d->config, out);
    if (fclose(out)) return err_sys("%s", file);
    snprintf(port, sizeof port, "api.port=%u", served);
    char *argv[] = {"eidosctl", "up", "--detach", "--dir", dir,
                    "--config", file, "--set",    port,    NULL};
    snprintf(file, sizeof file, "%s/log/drill.log", dir);
    int said = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    snprintf(file, sizeof file, "%s/run/drill.ini", dir);
    pid_t pid = drill_spawn(argv, said >= 0 ? said : STDERR_FILENO);
    if (said >= 0) close(said);
    return pid > 0 ? 0 : err_sys("starting it again");
}

static bool is_up(struct drill *d)
{
    char who[PROC_NOTE_BYTES + 64];
    struct boot boot;
    const char *dir = d->cli.source.dir.s;
    if (segment_boot(dir, &boot) || !segment_is_alive(&boot) ||
        boot.supervisor_pid == d->segment.boot.supervisor_pid)
        return false;
    static struct segment fresh;
    if (segment_attach(&fresh, dir, ROLE_COUNT, 0)) return false;
    bool ready = cli_is_ready(&fresh, who, sizeof who);
    if (!ready) {
        segment_detach(&fresh);
        return false;
    }
    segment_detach(&d->segment);
    d->segment = fresh;
    return true;
}

static int strike_all(struct drill *d)
{
    snprintf(d->did, sizeof d->did, "kill -9 of the supervisor, process %u, and all %u processes",
             d->segment.boot.supervisor_pid, d->segment.topo.proc_count - 1);
    d->times.struck_ns = cli_monotonic_ns();
    kill_all(d);
    if (drill_wait(d, is_gone, BACK_MS, "the supervisor does not die")) return -1;
    if (start_again(d) || drill_wait(d, is_up, BACK_MS, "it does not come back")) return -1;
    d->times.taken_ns = cli_monotonic_ns();
    return probe(d);
}

const struct drill_kind drill_matching = {"matching-failover",
                                          "kill -9 of matching@0; its standby goes on", 50,
                                          STANDBY_MATCHING, strike_matching};
const struct drill_kind drill_trading = {"trading-failover",
                                         "kill -9 of trading; its standby goes on", 50,
                                         STANDBY_TRADING, strike_trading};
const struct drill_kind drill_hang = {"hang",
                                      "SIGSTOP of trading; its standby kills it and goes on", 1000,
                                      STANDBY_TRADING, strike_hang};
const struct drill_kind drill_journal = {
    "journal-restart", "kill -9 of the journal; it is started again", 1000, 0, strike_journal};
const struct drill_kind drill_all_down = {
    "all-down", "kill -9 of everybody; from snapshot and journal", 5000, 0, strike_all};
