#include <string.h>
#include <time.h>

#include "procs/lib/clock.h"
#include "procs/trading/process.h"

#define WAIT_NS   100000L /* for a gateway to read its answers */
#define WAITS_MAX 1000U   /* in all: its requests time out then */

void replies_open(struct run *run, struct process *p)
{
    p->api_count = (u16)run->segment.topo.params.api;
    for (u32 i = 0; i < p->api_count; i++)
        segment_ring_tx(&run->segment, ROLE_API, i, run->bells, &p->replies[i]);
    segment_ring_tx(&run->segment, ROLE_OPS, 0, run->bells, &p->ops_replies);
}

static struct ring_tx *ring_of(struct process *p, u64 request)
{
    u16 to = REQUEST_API(request);
    if (to == REQUEST_OPS) return &p->ops_replies;
    return to < p->api_count ? &p->replies[to] : NULL;
}

/* False: its ring is full. */
static bool send(struct run *run, const struct msg *m)
{
    struct process *p = run->state;
    struct ring_tx *ring = ring_of(p, m->request);
    void *at = ring ? ring_alloc(ring, m->length) : NULL;
    if (!at) return false;
    memcpy(at, m, m->length);
    if (!p->reply_ns) p->reply_ns = clock_mono();
    ((struct msg *)at)->sent_ns = p->reply_ns;
    ring_push(ring, m->length);
    metric_add(run->proc, METRIC_TRADING_REPLIES, 1);
    return true;
}

void replies_send(void *context, const struct msg *m)
{
    struct run *run = context;
    if (!send(run, m)) metric_add(run->proc, METRIC_TRADING_DROPPED, 1);
}

void replies_send_owed(struct run *run, struct owed *answers)
{
    struct process *p = run->state;
    const struct rec *rec;
    u32 waits = 0;
    for (; (rec = owed_peek(answers)); owed_pop(answers, rec)) {
        const struct msg *m = (const void *)(rec + 1);
        for (; !send(run, m) && ring_of(p, m->request) && waits < WAITS_MAX; waits++) {
            replies_publish(p);
            nanosleep(&(struct timespec){.tv_nsec = WAIT_NS}, NULL);
            run_beat(run);
        }
    }
    replies_publish(p);
}

void replies_publish(struct process *p)
{
    for (u32 i = 0; i < p->api_count; i++) ring_publish(&p->replies[i]);
    ring_publish(&p->ops_replies);
}
