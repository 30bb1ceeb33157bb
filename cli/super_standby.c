/* super_standby.c: primaries and their standbys: who is started, and who is left alone.
 *
 * A primary is started only while neither a primary nor a standby of its role lives, a standby only
 * while there is a primary that is ready: so there are never two that could take the role.
 */
#include "cli/super.h"

#include <sys/epoll.h>

#include "procs/lib/text_log.h"
#include "shm/metrics.h"

static const struct topo_proc *proc_of(const struct super *s, const struct child *c)
{
    return &s->segment->topo.procs[c->proc];
}

static struct child *child_of(const struct super *s, u32 role, u32 instance)
{
    for (u32 i = 0; i < s->count; i++) {
        const struct topo_proc *proc = &s->segment->topo.procs[s->children[i].proc];
        if (proc->role == role && proc->instance == instance)
            return (struct child *)&s->children[i];
    }
    return NULL;
}

struct child *super_primary_of(const struct super *s, const struct child *c)
{
    const struct topo_proc *proc = proc_of(s, c);
    if (!role_is_standby(proc->role)) return NULL;
    return child_of(s, role_of_standby(proc->role), proc->instance);
}

static struct child *standby_of(const struct super *s, const struct child *c)
{
    for (u32 i = 0; i < s->count; i++)
        if (super_primary_of(s, &s->children[i]) == c) return (struct child *)&s->children[i];
    return NULL;
}

struct child *super_notice_takeover(struct super *s, struct child *c)
{
    struct child *primary = super_primary_of(s, c);
    if (!primary || !c->pid || primary->pid) return c;
    const struct topo_proc *proc = proc_of(s, primary);
    const struct proc_block *block = segment_proc(s->segment, proc->role, proc->instance);
    if (atomic_load_explicit(&block->pid, memory_order_acquire) != (u32)c->pid) return c;
    primary->pid = c->pid;
    primary->pidfd = c->pidfd;
    primary->started_ns = c->started_ns;
    primary->again_ns = 0;
    primary->ready_ns = 0;
    primary->silent_ticks = 0;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = primary};
    if (epoll_ctl(s->epoll, EPOLL_CTL_MOD, primary->pidfd, &event))
        text_log(TEXT_ERROR, "watching %s: epoll_ctl failed", proc->name);
    c->pid = 0;
    c->pidfd = -1;
    c->again_ns = 1;
    c->died_ns = cli_monotonic_ns();
    metric_add(s->own, METRIC_OPS_TAKEOVERS, 1);
    return primary;
}

bool super_leave_to_standby(struct super *s, struct child *c, const char *obituary)
{
    struct child *standby = standby_of(s, c), *primary = super_primary_of(s, c);
    if (standby && standby->pid) {
        text_log(TEXT_ERROR, "%s; its standby (pid %d) takes over", obituary, standby->pid);
        c->quick_deaths = 0; /* it is not the role that can not live */
        return true;
    }
    if (primary && !primary->pid && !primary->again_ns) primary->again_ns = 1;
    return false;
}

bool super_must_take_over(const struct super *s, const struct child *c)
{
    const struct child *primary = super_primary_of(s, c);
    return primary && c->pid && !primary->pid;
}

bool super_may_start(const struct super *s, const struct child *c)
{
    const struct child *primary = super_primary_of(s, c), *standby = standby_of(s, c);
    if (standby && standby->pid) return false;
    return !primary || super_is_ready(s, primary);
}
