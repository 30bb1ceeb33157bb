/* attach.c: finding the running exchange of a directory and looking at it. */
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "shm/err.h"

u64 cli_monotonic_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000000000UL + (u64)t.tv_nsec;
}

u64 cli_unix_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (u64)t.tv_sec * 1000000000UL + (u64)t.tv_nsec;
}

u32 cli_supervisor(const char *dir)
{
    char path[CONFIG_TEXT_MAX + 16];
    snprintf(path, sizeof path, "%s/run/lock", dir);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool asked = fcntl(fd, F_GETLK, &whole) == 0;
    close(fd);
    return asked && whole.l_type != F_UNLCK && whole.l_pid > 0 ? (u32)whole.l_pid : 0;
}

int cli_attach(const struct cli *c, struct segment *s, u32 role)
{
    struct boot boot;
    const char *dir = c->source.dir.s;
    if (segment_boot(dir, &boot) || !segment_is_alive(&boot)) {
        u32 pid = cli_supervisor(dir);
        if (pid)
            return cli_fail(c, CLI_DOWN,
                            "the exchange in %s is still starting (process %u); wait for it with: "
                            "eidosctl ready --wait 60 --dir %s",
                            dir, pid, dir);
        return cli_fail(c, CLI_DOWN,
                        "no exchange is running in %s; start it with: eidosctl up --dir %s", dir,
                        dir);
    }
    if (segment_attach(s, dir, role, 0) == 0) return CLI_OK;
    return cli_fail(c, CLI_FAILED, "%s", err_text());
}

void *cli_object(struct segment *s, const char *region)
{
    struct region *r = segment_region(s, region);
    if (region_epoch(r)) return r->object;
    err_set("%s is being built by its owner; wait with `eidosctl ready --wait 60`, then try again",
            region);
    return NULL;
}

int cli_running_config(const char *dir, struct config *config)
{
    char path[CONFIG_TEXT_MAX + 24];
    struct config_source source = {.file = path};
    snprintf(path, sizeof path, "%s/run/eidos.ini", dir);
    snprintf(source.dir.s, sizeof source.dir.s, "%s", dir);
    return config_load(config, &source) ? err_wrap("what the exchange was started with") : 0;
}

bool cli_is_ready(const struct segment *s, char *who, size_t size)
{
    u64 now_ns = cli_monotonic_ns();
    for (u32 i = 0; i < s->topo.proc_count; i++) {
        const struct topo_proc *proc = &s->topo.procs[i];
        const struct proc_block *block = segment_proc(s, proc->role, proc->instance);
        if (role_is_standby(proc->role)) continue; /* it serves nobody, yet */
        u32 state = atomic_load_explicit(&block->state, memory_order_acquire);
        if (state == PROC_READY && proc_is_beating(block, now_ns) && proc_is_alive(block)) continue;
        snprintf(who, size, "%s is %s%s%.*s", proc->name,
                 state != PROC_READY     ? proc_state_name(state)
                 : !proc_is_alive(block) ? "dead"
                                         : "hung (no heartbeat)",
                 block->note[0] ? ": " : "", PROC_NOTE_BYTES, block->note);
        return false;
    }
    return true;
}
