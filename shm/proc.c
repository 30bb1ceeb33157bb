#include "shm/proc.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "shm/err.h"

void proc_new(void *memory, u32 role, u32 instance)
{
    struct proc_block *p = memory;
    p->role = role;
    p->instance = instance;
    for (u32 i = 0; i < PROC_LOGS_MAX; i++)
        atomic_store_explicit(&p->log_cursor[i], UINT64_MAX, memory_order_relaxed);
    p->magic = PROC_MAGIC;
}

struct proc_block *proc_join(void *memory)
{
    struct proc_block *p = memory;
    CHECK(p->magic == PROC_MAGIC);
    return p;
}

void *proc_leave(struct proc_block *p)
{
    return p;
}

void proc_delete(void *memory)
{
    proc_join(memory)->magic = 0;
}

u64 proc_start_ticks(u32 pid)
{
    char path[40], text[1024];
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    /* The name, field 2, is in parentheses and may hold anything; field 3 follows the last one. */
    char *p = strrchr(text, ')');
    if (!p || p[1] != ' ' || p[2] == 'Z' || p[2] == 'X') return 0;
    for (int field = 2; p && field < 22; field++) p = strchr(p + 1, ' ');
    return p ? strtoull(p + 1, NULL, 10) : 0;
}

bool pid_is_alive(u32 pid, u64 start_ticks)
{
    return pid && start_ticks && proc_start_ticks(pid) == start_ticks;
}

bool proc_is_alive(const struct proc_block *p)
{
    u32 pid = atomic_load_explicit(&p->pid, memory_order_acquire);
    return pid_is_alive(pid, atomic_load_explicit(&p->start_ticks, memory_order_relaxed));
}

int proc_take(struct proc_block *p)
{
    u32 holder = atomic_load_explicit(&p->pid, memory_order_acquire);
    if (holder != (u32)getpid() && proc_is_alive(p))
        return err_set("process %u runs already in this place; stop it first", holder);
    return proc_take_from(p, holder, proc_start_ticks((u32)getpid()));
}

int proc_take_from(struct proc_block *p, u32 holder, u64 start_ticks)
{
    u32 self = (u32)getpid();
    if (!atomic_compare_exchange_strong_explicit(&p->pid, &holder, self, memory_order_acq_rel,
                                                 memory_order_acquire))
        return err_set("process %u took this place first", holder);
    atomic_store_explicit(&p->start_ticks, start_ticks, memory_order_relaxed);
    atomic_store_explicit(&p->sleeping, 0, memory_order_relaxed);
    atomic_store_explicit(&p->guards, 0, memory_order_relaxed);
    atomic_store_explicit(&p->ops_port, 0, memory_order_relaxed);
    atomic_store_explicit(&p->port, 0, memory_order_relaxed);
    proc_step(p, PROC_STARTING, "");
    atomic_fetch_add_explicit(&p->epoch, 1, memory_order_release);
    return 0;
}

void proc_give_back(struct proc_block *p)
{
    proc_step(p, PROC_ABSENT, "");
    atomic_store_explicit(&p->pid, 0, memory_order_release);
}

void proc_step(struct proc_block *p, enum proc_state state, const char *note)
{
    if (note) snprintf(p->note, sizeof p->note, "%s", note);
    atomic_store_explicit(&p->state, state, memory_order_release);
}

const char *proc_state_name(u32 state)
{
    static const char *const names[] = {
        [PROC_ABSENT] = "absent", [PROC_STARTING] = "starting", [PROC_RECOVERING] = "recovering",
        [PROC_READY] = "ready",   [PROC_STOPPING] = "stopping", [PROC_STOPPED] = "stopped",
        [PROC_FAILED] = "failed", [PROC_HELD] = "held",
    };
    return state < COUNT_OF(names) ? names[state] : "unknown";
}

bool proc_is_beating(const struct proc_block *p, u64 now_ns)
{
    u64 beat = atomic_load_explicit(&p->beat_ns, memory_order_relaxed);
    return beat && (now_ns < beat || now_ns - beat < 5 * HEARTBEAT_NS);
}
