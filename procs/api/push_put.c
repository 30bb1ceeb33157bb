#include "procs/api/push_put.h"

#include "procs/api/ws.h"
#include "procs/lib/wire.h"

/* a->out holds the data, hub->text the envelope around it. */
struct json_out *push_data(struct api *a)
{
    json_out_init(&a->out, a->scratch, SCRATCH_BYTES);
    return &a->out;
}

static void put(struct api *a, const struct push *p, bool older, struct json_out *o)
{
    char name[WS_NAME_MAX];
    struct market m;
    size_t n = channel_name(&p->channel, a->rules, older, name);
    json_out_init(o, a->hub->text, SCRATCH_BYTES);
    json_put_open(o, '{');
    json_put_key(o, "type"), json_put_cstring(o, p->type);
    json_put_key(o, "channel"), json_put_string(o, name, n);
    if (older && p->channel.kind < CHANNEL_MARKETLESS &&
        wire_market_at(a->rules, p->channel.market, &m))
        json_put_key(o, "market"), json_put_cstring(o, m.symbol);
    json_put_key(o, "data"), json_put_json(o, a->out.at, a->out.len);
    json_put_key(o, "timestamp"), json_put_u64(o, a->unix_ns / NS_PER_MS);
    json_put_key(o, "sequence"), json_put_u64(o, p->sequence);
    if (p->has_prev) json_put_key(o, "prev_sequence"), json_put_u64(o, p->prev_sequence);
    json_put_close(o, '}');
}

void push_one(struct api *a, const struct push *p, struct ws *ws, bool older)
{
    struct json_out o;
    put(a, p, older, &o);
    ws_send(ws, o.at, o.len);
}

u32 push_all(struct api *a, const struct push *p, struct topic *t)
{
    bool conflates = p->channel.kind != CHANNEL_TRADES;
    u32 n = 0;
    for (int older = 0; older <= 1; older++) {
        struct json_out o = {0};
        for (struct link *l = t->subs.next, *next; l != &t->subs; l = next) {
            struct sub *s = LINK_OF(l, struct sub, of_topic);
            next = l->next;
            if (s->older != older) continue;
            if (conflates && (s->stale || ws_backlog(s->ws) > WS_SLOW_BYTES)) {
                s->stale = true;
                a->hub->stale = true;
                continue;
            }
            if (!o.at) put(a, p, older, &o);
            n += ws_send(s->ws, o.at, o.len);
        }
    }
    return n;
}
