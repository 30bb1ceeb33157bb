#include "cli/procs.h"

#include <string.h>

static u64 load(const _Atomic u64 *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

void proc_look(const struct segment *s, u32 i, struct proc_view *v)
{
    const struct topo_proc *proc = &s->topo.procs[i];
    const struct proc_block *b = segment_proc(s, proc->role, proc->instance);
    u64 now_ns = cli_monotonic_ns(), beat = load(&b->beat_ns);
    *v = (struct proc_view){
        .name = proc->name,
        .role = proc->role,
        .pid = atomic_load_explicit(&b->pid, memory_order_acquire),
        .state = atomic_load_explicit(&b->state, memory_order_acquire),
        .guards = atomic_load_explicit(&b->guards, memory_order_relaxed),
        .port = atomic_load_explicit(&b->port, memory_order_relaxed),
        .ops_port = segment_ops_port(s, i),
        .alive = proc_is_alive(b),
        .beating = proc_is_beating(b, now_ns),
        .beat_age_ms = beat && beat < now_ns ? (now_ns - beat) / 1000000 : 0,
        .starts = load(&b->epoch),
        .worked_ns = load(&b->worked_ns),
        .waited_ns = load(&b->waited_ns),
        .blocked_ns = load(&b->blocked_ns),
    };
    if (role_is_standby(proc->role)) {
        const struct log *log = segment_object(s, "log.command");
        u64 head = atomic_load_explicit(&log->seq, memory_order_acquire);
        v->position = load(&b->log_seq[LOG_COMMAND]);
        v->lag = head > v->position ? head - v->position : 0;
        v->checked = load(&b->checked);
    }
    memcpy(v->note, b->note, sizeof v->note);
    v->note[sizeof v->note - 1] = '\0';
}

const char *proc_word(const struct proc_view *v)
{
    if (v->pid && !v->alive) return "dead";
    if ((v->state == PROC_READY || v->state == PROC_HELD) && !v->beating) return "hung";
    return proc_state_name(v->state);
}

u64 proc_permille(const struct proc_view *v, u64 ns)
{
    u64 all = v->worked_ns + v->waited_ns + v->blocked_ns;
    return all ? (u64)((u128)ns * 1000 / all) : 0;
}

static const struct {
    u32 bit;
    const char *name;
} guards[] = {
    {GUARD_USER, "user"},       {GUARD_SEALED, "sealed"},       {GUARD_LANDLOCK, "landlock"},
    {GUARD_SECCOMP, "seccomp"}, {GUARD_HUGEPAGES, "hugepages"},
};

void proc_guards(const struct proc_view *v, char text[static PROC_GUARDS_TEXT])
{
    int n = 0;
    text[0] = '\0';
    for (u32 i = 0; i < COUNT_OF(guards); i++)
        if (v->guards & guards[i].bit)
            n += snprintf(text + n, PROC_GUARDS_TEXT - (size_t)n, "%s%s", n ? "," : "",
                          guards[i].name);
}

static void json_proc(struct json_out *out, const struct proc_view *v)
{
    json_put_open(out, '{');
    json_put_key(out, "name"), json_put_cstring(out, v->name);
    json_put_key(out, "pid"), json_put_u64(out, v->pid);
    json_put_key(out, "role"), json_put_cstring(out, role_name(v->role));
    json_put_key(out, "state"), json_put_cstring(out, proc_word(v));
    json_put_key(out, "heartbeat_age_ms"), json_put_u64(out, v->beat_age_ms);
    json_put_key(out, "restarts"), json_put_u64(out, v->starts ? v->starts - 1 : 0);
    json_put_key(out, "busy_permille"), json_put_u64(out, proc_permille(v, v->worked_ns));
    json_put_key(out, "blocked_permille"), json_put_u64(out, proc_permille(v, v->blocked_ns));
    json_put_key(out, "port"), json_put_u64(out, v->port);
    json_put_key(out, "ops_port"), json_put_u64(out, v->ops_port);
    json_put_key(out, "guards"), json_put_open(out, '{');
    for (u32 i = 0; i < COUNT_OF(guards); i++) {
        json_put_key(out, guards[i].name);
        json_put_bool(out, v->guards & guards[i].bit);
    }
    json_put_close(out, '}');
    if (role_is_standby(v->role)) {
        json_put_key(out, "position"), json_put_u64(out, v->position);
        json_put_key(out, "lag"), json_put_u64(out, v->lag);
        json_put_key(out, "checked"), json_put_u64(out, v->checked);
    }
    json_put_key(out, "note"), json_put_cstring(out, v->note);
    json_put_close(out, '}');
}

void procs_json(struct json_out *out, const struct segment *s)
{
    json_put_open(out, '[');
    for (u32 i = 0; i < s->topo.proc_count; i++) {
        struct proc_view v;
        proc_look(s, i, &v);
        json_proc(out, &v);
    }
    json_put_close(out, ']');
}
