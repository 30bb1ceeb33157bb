#include <string.h>

#include "procs/lib/clock.h"
#include "procs/trading/process.h"

void replies_open(struct run *run, struct process *p)
{
    p->api_count = (u16)run->segment.topo.params.api;
    for (u32 i = 0; i < p->api_count; i++)
        segment_ring_tx(&run->segment, ROLE_API, i, run->bells, &p->replies[i]);
    segment_ring_tx(&run->segment, ROLE_OPS, 0, run->bells, &p->ops_replies);
}

void replies_send(void *context, const struct msg *m)
{
    struct run *run = context;
    struct process *p = run->state;
    u16 to = REQUEST_API(m->request);
    struct ring_tx *ring = NULL;
    if (to < p->api_count) ring = &p->replies[to];
    if (to == REQUEST_OPS) ring = &p->ops_replies;
    void *at = ring ? ring_alloc(ring, m->length) : NULL;
    if (!at) {
        metric_add(run->proc, METRIC_TRADING_DROPPED, 1);
        return;
    }
    memcpy(at, m, m->length);
    if (!p->reply_ns) p->reply_ns = clock_mono();
    ((struct msg *)at)->sent_ns = p->reply_ns;
    ring_push(ring, m->length);
    metric_add(run->proc, METRIC_TRADING_REPLIES, 1);
}

void replies_publish(struct process *p)
{
    for (u32 i = 0; i < p->api_count; i++) ring_publish(&p->replies[i]);
    ring_publish(&p->ops_replies);
}
