/* load_sample.c: what a run costs: processor time and memory of each process of the exchange, of
 * the host and of the generator itself, and what waits in the exchange's rings; once a second. Of
 * an exchange that is only an address, the host part is left out too: it is another's. */
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/load.h"
#include "shm/metrics.h"

static struct {
    u64 host_busy, host_all, own_us, at_ns;
} before;

/* --- The host ----------------------------------------------------------------------------------*/

static u64 number_in(const char *path, const char *name)
{
    char line[256];
    u64 value = 0;
    size_t len = strlen(name);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, len) == 0) {
            value = strtoul(line + len, NULL, 10);
            break;
        }
    if (f) fclose(f);
    return value;
}

/* Ticks that all cores were busy, and all ticks: user nice system idle iowait irq softirq steal. */
static void host_ticks(u64 *busy, u64 *all)
{
    u64 t[8] = {0};
    FILE *f = fopen("/proc/stat", "re");
    *busy = *all = 0;
    if (!f) return;
    if (fscanf(f, "cpu %lu %lu %lu %lu %lu %lu %lu %lu", &t[0], &t[1], &t[2], &t[3], &t[4], &t[5],
               &t[6], &t[7]) == 8)
        for (u32 i = 0; i < 8; i++) *all += t[i], *busy += i == 3 || i == 4 ? 0 : t[i];
    fclose(f);
}

static u32 memory_permille(void)
{
    u64 all = number_in("/proc/meminfo", "MemTotal:");
    u64 free = number_in("/proc/meminfo", "MemAvailable:");
    return all ? (u32)((all - min_u64(free, all)) * 1000 / all) : 0;
}

static u64 own_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (u64)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
           (u64)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* --- Processes ---------------------------------------------------------------------------------*/

/* User and system time of a process, in ticks; 0 = it is gone. */
static u64 ticks_of(u32 pid)
{
    char path[40], line[1024];
    u64 user = 0, sys = 0;
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    FILE *f = fopen(path, "re");
    const char *end = f && fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
    if (f) fclose(f);
    if (!end ||
        sscanf(end + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) != 2)
        return 0;
    return user + sys;
}

static u64 private_bytes(u32 pid)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%u/status", pid);
    return number_in(path, "RssAnon:") * 1024;
}

static const struct proc_block *block_of(const struct load *l, u32 i)
{
    const struct topo_proc *proc = &l->segment.topo.procs[i];
    return segment_proc(&l->segment, proc->role, proc->instance);
}

/* Bytes that were put into rings and not taken out yet. */
u64 sample_backlog(const struct load *l)
{
    const struct topo *t = &l->segment.topo;
    u64 waiting = 0;
    for (u32 i = 0; l->local && i < t->region_count; i++) {
        const struct topo_region *r = &t->regions[i];
        if (r->kind != REGION_RING || !l->segment.regions[i].head) continue;
        const struct ring *ring = l->segment.regions[i].object;
        const struct proc_block *reader = block_of(l, r->consumer);
        u64 tail = atomic_load_explicit(&reader->ring_tail[r->input], memory_order_acquire);
        u64 head = atomic_load_explicit(&ring->head, memory_order_acquire);
        waiting += head > tail ? head - tail : 0;
    }
    return waiting;
}

static void look_at(struct load *l, u32 i, struct load_point *p, u64 elapsed_ns)
{
    struct load_proc *proc = &l->procs[i];
    const struct proc_block *b = block_of(l, i);
    u64 epoch = atomic_load_explicit(&b->epoch, memory_order_relaxed);
    u32 pid = atomic_load_explicit(&b->pid, memory_order_relaxed);
    u64 ticks = ticks_of(pid), hertz = (u64)sysconf(_SC_CLK_TCK);
    l->crashes += proc->epoch && epoch != proc->epoch; /* 0: a standby that is still to come */
    proc->epoch = epoch;
    u64 spent = pid == proc->pid && ticks > proc->ticks ? ticks - proc->ticks : 0;
    proc->pid = pid;
    proc->ticks = ticks;
    proc->bytes = private_bytes(pid);
    if (!p) return;
    proc->cpu_ticks += spent;
    p->proc_permille[i] = (u32)(spent * 1000 * LOAD_SECOND / hertz / max_u64(elapsed_ns, 1));
    p->exchange_bytes += proc->bytes;
}

/* --- Beginning, a second, the end --------------------------------------------------------------*/

void sample_begin(struct load *l)
{
    l->proc_count = l->local ? l->segment.topo.proc_count : 0;
    for (u32 i = 0; i < l->proc_count; i++) {
        struct load_proc *p = &l->procs[i];
        memcpy(p->name, l->segment.topo.procs[i].name, sizeof p->name);
        p->epoch = atomic_load_explicit(&block_of(l, i)->epoch, memory_order_relaxed);
        p->pid = atomic_load_explicit(&block_of(l, i)->pid, memory_order_relaxed);
        look_at(l, i, NULL, 0);
    }
    l->ooms_before = number_in("/proc/vmstat", "oom_kill ");
    host_ticks(&before.host_busy, &before.host_all);
    before.own_us = own_us();
    before.at_ns = cli_monotonic_ns();
}

void sample_second(struct load *l, struct load_point *p)
{
    u64 now_ns = cli_monotonic_ns(), busy, all, own = own_us();
    u64 elapsed_ns = max_u64(now_ns - before.at_ns, 1);
    p->exchange_bytes = 0;
    for (u32 i = 0; i < l->proc_count; i++) look_at(l, i, p, elapsed_ns);
    host_ticks(&busy, &all);
    u64 span = max_u64(all - before.host_all, 1);
    p->own_permille = (u32)((own - before.own_us) * 1000000 / elapsed_ns);
    p->host_permille = (u32)((busy - before.host_busy) * 1000 / span);
    p->memory_permille = memory_permille();
    p->backlog = sample_backlog(l);
    l->backlog_most = max_u64(l->backlog_most, p->backlog);
    before.host_busy = busy;
    before.host_all = all;
    before.own_us = own;
    before.at_ns = now_ns;
}

void sample_memory(struct load *l, bool first)
{
    for (u32 i = 0; i < l->proc_count; i++) {
        struct load_proc *p = &l->procs[i];
        look_at(l, i, NULL, 0);
        p->last_bytes = p->bytes;
        if (first) p->first_bytes = p->bytes;
    }
}

void sample_end(struct load *l)
{
    for (u32 i = 0; i < l->proc_count; i++) look_at(l, i, NULL, 0);
    l->ooms = number_in("/proc/vmstat", "oom_kill ") - l->ooms_before;
}
