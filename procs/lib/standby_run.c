/* standby_run.c: a process while it stands by, and the moment it no longer does. */
#include "procs/lib/crash.h"
#include "procs/lib/run.h"
#include "shm/err.h"
#include "shm/log.h"
#include "shm/metrics.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define NAP_NS     1000000UL  /* after work: more is to be expected */
#define NAP_MAX_NS 25000000UL /* when nothing happens */

struct standby {
    const struct standby_calls *calls;
    struct proc_block *role; /* the role's block, read-only until it is taken */
    u32 holder;              /* its pid */
    int pidfd;               /* of the holder; -1: it has ended */
    struct standby_watch watch;
    u64 nap_ns;
    struct mark_check check;
    const struct log *commands;
    u64 level_ns; /* when it last had applied what was published */
};

const struct sandbox_path standby_paths[] = {{"journal", SANDBOX_READ}, {NULL, 0}};

struct standby *standby_new(void)
{
    static struct standby standby = {.pidfd = -1};
    return &standby;
}

/* A pidfd of the very process that holds the role; none if that has ended. */
static void hold_on_to_holder(struct standby *s)
{
    s->holder = atomic_load_explicit(&s->role->pid, memory_order_acquire);
    s->pidfd = s->holder ? pidfd_open((pid_t)s->holder, 0) : -1;
    bool same = atomic_load_explicit(&s->role->pid, memory_order_acquire) == s->holder;
    if (s->pidfd >= 0 && !(same && proc_is_alive(s->role))) {
        close(s->pidfd);
        s->pidfd = -1;
    }
}

int standby_init(struct run *run)
{
    struct standby *s = run->standby;
    s->calls = run->descriptor->standby;
    s->role = segment_proc(&run->segment, run->descriptor->role, run->instance);
    s->commands = segment_object(&run->segment, "log.command");
    hold_on_to_holder(s);
    if (s->calls->follow(run)) return err_wrap("following %s", run->descriptor->name);
    run_beat(run);
    standby_watch_begin(&s->watch, run->now_ns);
    s->level_ns = run->now_ns;
    proc_step(run->proc, PROC_STARTING, "");
    return 0;
}

/* --- Comparing ---------------------------------------------------------------------------------*/

static int compare_marks(struct run *run, struct standby *s)
{
    mark_note(&s->check, s->calls->mark(run));
    u64 seq = mark_compare(&s->check, s->role);
    atomic_store_explicit(&run->proc->checked, s->check.checked, memory_order_relaxed);
    metric_set(run->proc, METRIC_STANDBY_CHECKED, s->check.checked);
    if (!seq) return 0;
    metric_add(run->proc, METRIC_STANDBY_DIFFERENCES, 1);
    return err_set("the state after command %lu differs from the primary's. This standby stops and "
                   "the primary goes on; `eidosctl snapshot verify` and `eidosctl state diff` tell "
                   "who is right",
                   seq);
}

/* --- Taking over -------------------------------------------------------------------------------*/

/* Steps 1 and 2: what the role owns is ours to write, and says so. */
static int take_role(struct run *run, struct standby *s)
{
    struct proc_block *own = run->proc;
    u64 start_ticks = atomic_load_explicit(&own->start_ticks, memory_order_relaxed);
    u32 guards = atomic_load_explicit(&own->guards, memory_order_relaxed);
    if (segment_take_over(&run->segment)) return -1;
    if (proc_take_from(s->role, s->holder, start_ticks)) return -1;
    run->proc = s->role;
    run->spent = NULL; /* of the block that is given back */
    run_beat(run);
    snprintf(run->name, sizeof run->name, "%s", run->segment.topo.procs[run->segment.self].name);
    text_log_name(run->name);
    crash_report_to(run->proc);
    atomic_store_explicit(&run->proc->guards, guards, memory_order_relaxed);
    segment_waiter(&run->segment, &run->waiter);
    proc_give_back(own);
    return 0;
}

static int take_over(struct run *run, struct standby *s)
{
    u64 exit_ns = run->now_ns, position = s->calls->position(run);
    if (take_role(run, s) || s->calls->take_over(run)) return -1;
    run->standby = NULL;
    run->too_free = true;
    atomic_store_explicit(&run->proc->taken_ns, exit_ns, memory_order_relaxed);
    run_ready(run);
    atomic_store_explicit(&run->proc->served_ns, run->now_ns, memory_order_release);
    text_log(TEXT_WARN, "took over from process %u in %lu.%03lu ms, at command %lu", s->holder,
             (run->now_ns - exit_ns) / 1000000, (run->now_ns - exit_ns) / 1000 % 1000, position);
    if (!segment_seal(&run->segment))
        atomic_fetch_and_explicit(&run->proc->guards, ~(u32)GUARD_SEALED, memory_order_relaxed);
    return 0;
}

/* --- Standing by -------------------------------------------------------------------------------*/

/* Wait for the holder's exit, `ns` at most. True: it has ended. */
static bool wait_for_exit(const struct standby *s, u64 ns)
{
    struct pollfd fd = {.fd = s->pidfd, .events = POLLIN};
    struct timespec timeout = {.tv_nsec = (long)ns};
    return s->pidfd < 0 || ppoll(&fd, 1, &timeout, NULL) > 0;
}

static enum standby_act look(struct run *run, struct standby *s, bool exited)
{
    u64 beat_ns = atomic_load_explicit(&s->role->beat_ns, memory_order_relaxed);
    u32 state = atomic_load_explicit(&s->role->state, memory_order_acquire);
    run_beat(run);
    return standby_watch_look(&s->watch, run->now_ns, beat_ns, state == PROC_READY, exited);
}

static void end_holder(struct standby *s)
{
    text_log(TEXT_ERROR,
             "process %u has missed %u beats in a row; killing it and waiting for its "
             "end",
             s->holder, STANDBY_MISSED);
    if (pidfd_send_signal(s->pidfd, SIGKILL, NULL, 0) && errno != ESRCH)
        text_log(TEXT_ERROR, "it can not be killed: %s", strerror(errno));
}

static void count(_Atomic u64 *counter)
{
    u64 now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + 1, memory_order_relaxed);
}

static void show(struct run *run, const struct standby *s, bool busy)
{
    atomic_store_explicit(&run->proc->log_seq[LOG_COMMAND], s->calls->position(run),
                          memory_order_relaxed);
    count(&run->proc->turns);
    if (busy) count(&run->proc->busy_turns);
    run->spent = busy ? &run->proc->worked_ns : &run->proc->waited_ns;
}

static u64 published(const struct standby *s)
{
    return atomic_load_explicit(&s->commands->seq, memory_order_acquire);
}

/* `before`: what was published before it applied what there was. */
static void show_lag(struct run *run, struct standby *s, u64 before)
{
    u64 position = s->calls->position(run), head = published(s);
    u64 lag = head > position ? head - position : 0;
    if (position >= before) s->level_ns = run->now_ns;
    metric_set(run->proc, METRIC_STANDBY_LAG, lag);
    metric_set(run->proc, METRIC_STANDBY_LAG_NS, lag ? run->now_ns - s->level_ns : 0);
}

void standby_loop(struct run *run)
{
    struct standby *s = run->standby;
    s->nap_ns = NAP_NS;
    while (!run_is_stopping()) {
        u64 before = published(s);
        int work = s->calls->tail(run);
        if (work < 0) run_fail(run);
        if (compare_marks(run, s)) run_fail(run);
        show(run, s, work);
        show_lag(run, s, before);
        s->nap_ns = work ? NAP_NS : min_u64(2 * s->nap_ns, NAP_MAX_NS);
        enum standby_act act = look(run, s, wait_for_exit(s, work ? 0 : s->nap_ns));
        if (act == STANDBY_KILL) end_holder(s);
        if (act != STANDBY_TAKE || run_is_stopping()) continue;
        if (take_over(run, s)) run_fail(run);
        return;
    }
}
