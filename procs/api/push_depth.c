/* push_depth.c: what the depth channels tell. A view is what was last told of the best levels of
 * one market; an update is what must change in it to become the book as it is now. */
#include "procs/api/push_feeds.h"

#include "procs/api/push_put.h"
#include "procs/lib/wire.h"

enum { BIDS = 0, ASKS = 1 };

static struct market_depth book; /* as it is now */

/* One level of a side, of the view or of the book. */
struct level {
    u64 price, lots;
};

static void keep_view(struct depth_view *v, const struct market_depth *d, u32 levels)
{
    const struct market_level *from[2] = {d->bids, d->asks};
    u32 count[2] = {d->bid_count, d->ask_count};
    v->sequence = d->sequence;
    for (u32 side = BIDS; side <= ASKS; side++) {
        v->count[side] = (u32)min_u64(count[side], levels);
        for (u32 i = 0; i < v->count[side]; i++) {
            v->level[side][i].price = from[side][i].price;
            v->level[side][i].lots = from[side][i].lots;
        }
    }
}

static void put_level(struct json_out *o, const struct market *m, u64 price, u64 lots)
{
    json_put_open(o, '[');
    wire_put_price(o, m, price);
    wire_put_lots(o, m, lots);
    json_put_close(o, ']');
}

/* What must change in a side of the view to become the book's: both best first. */
static u32 put_difference(struct json_out *o, const struct market *m, const struct depth_view *v,
                          u32 side, const struct market_level *now, u32 count)
{
    u32 i = 0, j = 0, changes = 0;
    json_put_open(o, '[');
    while (i < v->count[side] || j < count) {
        u64 was = i < v->count[side] ? v->level[side][i].price : 0;
        u64 is = j < count ? now[j].price : 0;
        bool gone = j == count || (i < v->count[side] && (side == BIDS ? was > is : was < is));
        if (gone) {
            put_level(o, m, was, 0);
            i++, changes++;
            continue;
        }
        bool same = i < v->count[side] && was == is;
        if (!same || v->level[side][i].lots != now[j].lots) {
            put_level(o, m, is, now[j].lots);
            changes++;
        }
        i += same;
        j++;
    }
    json_put_close(o, ']');
    return changes;
}

/* {"market":..,"bids":[..],"asks":[..],"sequence":..,"prev_sequence":..,"timestamp":..} */
static u32 put_update(struct json_out *o, const struct market *m, const struct depth_view *v,
                      u32 levels, u64 now_ns)
{
    u32 bids = (u32)min_u64(book.bid_count, levels), asks = (u32)min_u64(book.ask_count, levels);
    json_put_open(o, '{');
    json_put_key(o, "market"), json_put_cstring(o, m->symbol);
    json_put_key(o, "bids");
    u32 changes = put_difference(o, m, v, BIDS, book.bids, bids);
    json_put_key(o, "asks");
    changes += put_difference(o, m, v, ASKS, book.asks, asks);
    json_put_key(o, "sequence"), json_put_u64(o, book.sequence);
    json_put_key(o, "prev_sequence"), json_put_u64(o, v->sequence);
    json_put_key(o, "timestamp");
    json_put_u64(o, (book.time_ns ? book.time_ns : now_ns) / NS_PER_MS);
    json_put_close(o, '}');
    return changes;
}

static void put_view(struct json_out *o, const struct market *m, const struct depth_view *v,
                     u64 now_ns)
{
    static const char *const NAMES[] = {"bids", "asks"};
    json_put_open(o, '{');
    json_put_key(o, "market"), json_put_cstring(o, m->symbol);
    for (u32 side = BIDS; side <= ASKS; side++) {
        json_put_key(o, NAMES[side]), json_put_open(o, '[');
        for (u32 i = 0; i < v->count[side]; i++)
            put_level(o, m, v->level[side][i].price, v->level[side][i].lots);
        json_put_close(o, ']');
    }
    json_put_key(o, "sequence"), json_put_u64(o, v->sequence);
    json_put_key(o, "timestamp"), json_put_u64(o, now_ns / NS_PER_MS);
    json_put_close(o, '}');
}

/* The view of a market, made when it is first asked for; NULL when memory is short. */
static struct depth_view *view_of(struct wave *w, u32 kind, u16 market)
{
    struct topic *t = wave_topic(w, kind, market);
    if (!t->view) t->view = calloc(1, sizeof *t->view);
    return t->view;
}

bool depth_ready(struct wave *w, u32 kind, u16 market)
{
    return view_of(w, kind, market) != NULL;
}

void depth_begin(struct api *a, struct wave *w, u32 kind, u16 market)
{
    if (market_read_depth(a->market, market, channel_levels[kind], &book))
        book.sequence = book.bid_count = book.ask_count = 0;
    keep_view(view_of(w, kind, market), &book, channel_levels[kind]);
}

void depth_snapshot(struct api *a, struct sub *s, u16 market)
{
    struct market m;
    const struct depth_view *v = view_of(s->ws->wave, s->channel.kind, market);
    if (!v || !wire_market_at(a->rules, market, &m)) return;
    struct push p = {
        .type = "snapshot", .channel = {s->channel.kind, market}, .sequence = v->sequence};
    put_view(push_data(a), &m, v, a->unix_ns);
    push_one(a, &p, s->ws, &s->channel, s->older);
}

/* A market that came after those who listen to all: it begins with a snapshot. */
static void first_view(struct api *a, struct wave *w, u16 kind, u16 market, const struct market *m)
{
    struct depth_view *v = view_of(w, kind, market);
    if (!v) return;
    keep_view(v, &book, channel_levels[kind]);
    struct push p = {.type = "snapshot", .channel = {kind, market}, .sequence = v->sequence};
    put_view(push_data(a), m, v, a->unix_ns);
    push_all(a, w, &p);
}

static void push_depth(struct api *a, struct wave *w, u16 kind, u16 market, const struct market *m)
{
    struct depth_view *v = wave_topic(w, kind, market)->view;
    if (!v) {
        first_view(a, w, kind, market, m);
        return;
    }
    if (v->sequence == book.sequence) return;
    u32 changes = put_update(push_data(a), m, v, channel_levels[kind], a->unix_ns);
    if (!changes) return; /* nothing among these levels: prev_sequence still tells the last told */
    struct push p = {.type = "update",
                     .channel = {kind, market},
                     .sequence = book.sequence,
                     .has_prev = true,
                     .prev_sequence = v->sequence};
    keep_view(v, &book, channel_levels[kind]);
    push_all(a, w, &p);
}

bool depth_turn(struct api *a, struct wave *w, u16 market, const struct market *m)
{
    struct market_feed *f = &w->markets[market];
    u32 wanted = 0;
    for (u32 kind = 0; kind < CHANNEL_DEPTHS; kind++)
        if (wave_wants(w, kind, market)) wanted = channel_levels[kind];
    if (!wanted || market_sequence(a->market, market) == f->depth_seq) return true;
    if (market_read_depth(a->market, market, wanted, &book) || book.cause > a->durable_seq)
        return false;
    f->depth_seq = book.sequence;
    for (u16 kind = 0; kind < CHANNEL_DEPTHS; kind++)
        if (wave_wants(w, kind, market)) push_depth(a, w, kind, market, m);
    return true;
}
