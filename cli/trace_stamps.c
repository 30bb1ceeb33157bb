#include "shm/trace.h"

#include <string.h>

#include "cli/trace.h"

/* The ring of the i-th region, if that is one. */
static const struct trace *ring_of(const struct trace_view *v, u32 i)
{
    const struct segment *s = v->logs.segment;
    if (s->topo.regions[i].kind != REGION_TRACE || !s->regions[i].object) return NULL;
    return trace_join(s->regions[i].object);
}

static const char *owner_of(const struct trace_view *v, u32 i)
{
    const struct segment *s = v->logs.segment;
    return s->topo.procs[s->topo.regions[i].owner].name;
}

/* Unix time of a stamp. */
static u64 unix_of(const struct trace_view *v, u64 mono_ns)
{
    return mono_ns ? mono_ns + v->offset_ns : 0;
}

/* What is looked for. */
struct wish {
    u32 kind;
    u64 key;                   /* equal; of a batch: within */
    const struct trace_id *id; /* instead of the key, or NULL */
    const char *process;       /* only this one's, or NULL */
};

static bool fits(const struct wish *w, const struct trace_entry *e)
{
    if (e->kind != w->kind) return false;
    if (w->id) return e->id[0] == w->id->high && e->id[1] == w->id->low;
    bool batch = w->kind == TRACE_DURABLE || w->kind == TRACE_MATCHED;
    return batch ? e->seq <= w->key && w->key <= e->key : e->key == w->key;
}

/* The newest entry that fits, and whose it is. */
static bool find(const struct trace_view *v, const struct wish *w, struct trace_entry *found,
                 const char **process)
{
    if (!v->logs.segment) return false;
    for (u32 i = 0; i < v->logs.segment->topo.region_count; i++) {
        const struct trace *t = ring_of(v, i);
        if (!t || (w->process && strcmp(w->process, owner_of(v, i)) != 0)) continue;
        u64 head = atomic_load_explicit(&t->head, memory_order_acquire), oldest = trace_oldest(t);
        for (u64 n = head; n-- > oldest;)
            if (trace_get(t, n, found) && fits(w, found)) {
                *process = owner_of(v, i);
                return true;
            }
    }
    return false;
}

bool trace_find_request(struct trace_view *v)
{
    struct wish w = {.kind = TRACE_REQUEST, .id = &v->id};
    struct trace_entry e = {0};
    const char *process;
    if (!find(v, &w, &e, &process)) return false;
    v->request = e.key;
    return true;
}

static void add_request(struct trace_view *v)
{
    /* A request that nobody was asked about has no number of its own: its name finds it. */
    struct wish w = {.kind = TRACE_REQUEST, .key = v->request, .id = v->request ? NULL : &v->id};
    struct trace_entry e = {0};
    const char *process;
    if (!find(v, &w, &e, &process)) return;
    v->id = (struct trace_id){e.id[0], e.id[1]};
    v->read_ns = e.t[0];
    v->asked_ns = e.t[1];
    v->replied_ns = e.t[2];
    v->answered_ns = e.t[3];
    trace_add(v, unix_of(v, e.t[0]), 0, "received", process);
    if (e.t[1]) trace_add(v, unix_of(v, e.t[1]), 1, "asked", process);
    if (e.t[2]) trace_add(v, unix_of(v, e.t[2]), 30, "replied", "trading");
    u64 durable = e.seq ? trace_durable_at(v, e.seq) : 0;
    struct trace_event *wait = NULL;
    if (durable && (!v->has_command || e.seq != v->command.head.seq))
        wait = trace_add(v, durable, 35, "durable", "journal");
    if (wait) {
        wait->seq = e.seq;
        snprintf(wait->text, sizeof wait->text, "command %lu, which the answer waits for", e.seq);
    }
    struct trace_event *answered = trace_add(v, unix_of(v, e.t[3]), 40, "answered", process);
    if (answered) snprintf(answered->text, sizeof answered->text, "HTTP %u", e.value);
}

static void add_proof(struct trace_view *v)
{
    struct wish w = {.kind = TRACE_PROVEN, .key = v->request};
    struct trace_entry e = {0};
    const char *process;
    if (!v->request || !find(v, &w, &e, &process)) return;
    v->proven_ns = e.t[1];
    trace_add(v, unix_of(v, e.t[0]), 2, "verifying", process);
    struct trace_event *end =
        trace_add(v, unix_of(v, e.t[1]), 3, e.value ? "refused" : "proven", process);
    if (end && e.value) snprintf(end->text, sizeof end->text, "code %u", e.value);
}

void trace_from_stamps(struct trace_view *v)
{
    add_request(v);
    add_proof(v);
}

u64 trace_durable_at(const struct trace_view *v, u64 seq)
{
    struct wish w = {.kind = TRACE_DURABLE, .key = seq};
    struct trace_entry e = {0};
    const char *process;
    return find(v, &w, &e, &process) ? unix_of(v, e.t[1]) : 0;
}

u64 trace_matched_at(const struct trace_view *v, u32 matching, u64 seq)
{
    char name[24];
    struct wish w = {.kind = TRACE_MATCHED, .key = seq, .process = name};
    struct trace_entry e = {0};
    const char *process;
    snprintf(name, sizeof name, "matching@%u", matching);
    return find(v, &w, &e, &process) ? unix_of(v, e.t[1]) : 0;
}

u64 trace_pushed_at(const struct trace_view *v, u64 seq, u32 *sockets, char process[24])
{
    struct wish w = {.kind = TRACE_PUSHED, .key = seq};
    struct trace_entry e = {0};
    const char *name;
    if (!find(v, &w, &e, &name)) return 0;
    *sockets = e.value;
    snprintf(process, 24, "%s", name);
    return unix_of(v, e.t[1]);
}
