#include "procs/api/push_put.h"

#include "procs/api/ws.h"
#include "procs/lib/wire.h"

/* a->out holds the data, hub->text the envelope around it. */
struct json_out *push_data(struct api *a)
{
    json_out_init(&a->out, a->scratch, SCRATCH_BYTES);
    return &a->out;
}

#define FRAMES_KEPT 65536UL /* a larger buffer is given back after use */

/* Does the data not say what market it is of? */
static bool lacks_market(u32 kind)
{
    return kind == CHANNEL_TRADES || kind >= CHANNEL_KLINE;
}

static void put_market(struct api *a, struct json_out *o, const struct push *p,
                       const struct channel *c, bool older)
{
    struct market m;
    if (c->kind >= CHANNEL_MINE) return;
    if (!older && (c->market != EVERY_MARKET || !lacks_market(c->kind))) return;
    if (!wire_market_at(a->rules, p->channel.market, &m)) return;
    json_put_key(o, "market"), json_put_cstring(o, m.symbol);
    if (!older || c->kind < CHANNEL_KLINE) return;
    json_put_key(o, "interval");
    json_put_cstring(o, market_intervals[c->kind - CHANNEL_KLINE].name);
}

static void put(struct api *a, const struct push *p, const struct channel *c, bool older,
                struct json_out *o)
{
    char name[WS_NAME_MAX];
    size_t n = channel_name(c, a->rules, older, name);
    json_out_init(o, a->hub->text, SCRATCH_BYTES);
    json_put_open(o, '{');
    json_put_key(o, "type"), json_put_cstring(o, p->type);
    json_put_key(o, "channel"), json_put_string(o, name, n);
    put_market(a, o, p, c, older);
    json_put_key(o, "data"), json_put_json(o, a->out.at, a->out.len);
    json_put_key(o, "timestamp"), json_put_u64(o, a->unix_ns / NS_PER_MS);
    json_put_key(o, "sequence"), json_put_u64(o, p->sequence);
    if (p->has_prev) json_put_key(o, "prev_sequence"), json_put_u64(o, p->prev_sequence);
    json_put_close(o, '}');
}

void push_one(struct api *a, const struct push *p, struct ws *ws, const struct channel *channel,
              bool older)
{
    struct json_out o;
    put(a, p, channel, older, &o);
    ws_send(ws, o.at, o.len);
}

/* Memory is short: what was lost comes again as a snapshot. */
static void all_stale(struct wave *w, struct topic *t)
{
    for (struct link *l = t->subs.next; l != &t->subs; l = l->next)
        LINK_OF(l, struct sub, of_topic)->stale = w->stale = true;
}

static void add_due(struct api *a, struct wave *w, const struct push *p, const struct channel *c)
{
    struct hub *h = a->hub;
    u32 index = topic_of(c);
    struct topic *t = &w->topics[index];
    if (topic_count(t) && !t->due[0].len && !t->due[1].len) h->due[h->due_count++] = index;
    for (u32 older = 0; older <= 1; older++) {
        struct json_out o;
        if (!t->count[older]) continue;
        put(a, p, c, older, &o);
        if (!frames_add(&t->due[older], o.at, o.len)) all_stale(w, t);
    }
}

void push_all(struct api *a, struct wave *w, const struct push *p)
{
    struct channel every = {p->channel.kind, EVERY_MARKET};
    add_due(a, w, p, &p->channel);
    add_due(a, w, p, &every);
}

static u32 queue_due(struct wave *w, struct topic *t)
{
    u32 n = 0;
    for (struct link *l = t->subs.next, *next; l != &t->subs; l = next) {
        struct sub *s = LINK_OF(l, struct sub, of_topic);
        const struct frames *f = &t->due[s->older];
        bool conflates = s->channel.kind != CHANNEL_TRADES;
        next = l->next;
        if (!f->len) continue;
        if (conflates && (s->stale || ws_backlog(s->ws) > WS_SLOW_BYTES)) {
            s->stale = true;
            w->stale = true;
        } else if (ws_send_frames(s->ws, f)) n += f->count;
    }
    return n;
}

static void forget_due(struct topic *t)
{
    for (u32 older = 0; older <= 1; older++) {
        struct frames *f = &t->due[older];
        f->len = f->count = 0;
        if (f->room <= FRAMES_KEPT) continue;
        free(f->at);
        *f = (struct frames){0};
    }
}

/* Connections refer to the frames until they are written: at once, and then nobody does. */
u32 push_flush(struct api *a, struct wave *w)
{
    struct hub *h = a->hub;
    u32 n = 0;
    for (u32 i = 0; i < h->due_count; i++) n += queue_due(w, &w->topics[h->due[i]]);
    if (n) ws_write(a);
    for (u32 i = 0; i < h->due_count; i++) forget_due(&w->topics[h->due[i]]);
    h->due_count = 0;
    return n;
}
