#include "procs/api/ws_channels.h"

#include "procs/api/answer.h"
#include "procs/api/auth.h"
#include "procs/api/push.h"
#include "procs/api/routes.h"
#include "procs/api/ws.h"
#include "procs/lib/wire.h"
#include "shm/crc32c.h"

#define OLDER_BIT(older) ((u8)((older) ? 2 : 1))

/* ---- Answers ---- */

static void answer_error(struct ws *ws, const char *id, const struct problem *p)
{
    struct api *a = ws->api;
    struct json_out o;
    json_out_init(&o, a->hub->text, SCRATCH_BYTES);
    ws_put_head(&o, "error", id, a->unix_ns);
    json_put_open(&o, '{');
    json_put_key(&o, "code"), json_put_u64(&o, p->code);
    json_put_key(&o, "message"), json_put_cstring(&o, wire_message(p->code));
    if (p->field) json_put_key(&o, "field"), json_put_cstring(&o, p->field);
    if (p->limit) json_put_key(&o, "limit"), json_put_cstring(&o, p->limit);
    if (p->detail[0]) json_put_key(&o, "detail"), json_put_cstring(&o, p->detail);
    json_put_close(&o, '}');
    json_put_close(&o, '}');
    ws_send(ws, o.at, o.len);
}

/* A limit was broken: say which, then close. */
static void answer_limit(struct ws *ws, const char *id, const char *reason)
{
    struct problem p;
    problem_set(&p, CODE_RATE_LIMIT, NULL, NULL, "%s", reason);
    answer_error(ws, id, &p);
    ws_close(ws, WS_CLOSE_POLICY, reason);
}

static void put_market(struct json_out *o, const struct api *a, const struct channel *c)
{
    struct market m = {.symbol = "*"};
    if (c->kind >= CHANNEL_MINE) return;
    if (c->market != EVERY_MARKET && !wire_market_at(a->rules, c->market, &m)) return;
    json_put_key(o, "market"), json_put_cstring(o, m.symbol);
    if (c->kind < CHANNEL_KLINE) return;
    json_put_key(o, "interval");
    json_put_cstring(o, market_intervals[c->kind - CHANNEL_KLINE].name);
}

/* "subscribed" and "unsubscribed" repeat the channels in the form the client used. */
static void answer_channels(struct ws *ws, const struct ws_message *m, const char *type)
{
    struct api *a = ws->api;
    struct json_out o;
    char name[WS_NAME_MAX];
    json_out_init(&o, a->hub->text, SCRATCH_BYTES);
    json_put_open(&o, '{');
    json_put_key(&o, "type"), json_put_cstring(&o, type);
    if (m->id[0]) json_put_key(&o, "id"), json_put_json(&o, m->id, strlen(m->id));
    if (m->older) {
        size_t n = channel_name(&m->channels[0], a->rules, true, name);
        json_put_key(&o, "channel"), json_put_string(&o, name, n);
        put_market(&o, a, &m->channels[0]);
    } else {
        json_put_key(&o, "channels"), json_put_open(&o, '[');
        for (u32 i = 0; i < m->count; i++) {
            size_t n = channel_name(&m->channels[i], a->rules, false, name);
            json_put_string(&o, name, n);
        }
        json_put_close(&o, ']');
    }
    json_put_key(&o, "timestamp"), json_put_u64(&o, a->unix_ns / NS_PER_MS);
    json_put_close(&o, '}');
    ws_send(ws, o.at, o.len);
}

static void answer_pong(struct ws *ws, const struct ws_message *m)
{
    struct api *a = ws->api;
    struct json_out o;
    json_out_init(&o, a->hub->text, SCRATCH_BYTES);
    json_put_open(&o, '{');
    json_put_key(&o, "type"), json_put_cstring(&o, "pong");
    if (m->id[0]) json_put_key(&o, "id"), json_put_json(&o, m->id, strlen(m->id));
    json_put_key(&o, "timestamp"), json_put_u64(&o, a->unix_ns / NS_PER_MS);
    json_put_close(&o, '}');
    ws_send(ws, o.at, o.len);
}

/* ---- Subscriptions ---- */

static struct sub *find_sub(struct ws *ws, const struct channel *c, bool older)
{
    for (u32 i = 0; ws->subs && i < WS_SUBS_MAX; i++) {
        struct sub *s = &ws->subs[i];
        if (s->ws && s->channel.kind == c->kind && s->channel.market == c->market &&
            s->older == older)
            return s;
    }
    return NULL;
}

static bool has(struct ws *ws, const struct channel *c, bool older)
{
    if (c->kind >= CHANNEL_MINE) return ws->mine[c->kind - CHANNEL_MINE] & OLDER_BIT(older);
    return find_sub(ws, c, older) != NULL;
}

static void drop_sub(struct hub *h, struct sub *s)
{
    struct wave *w = s->ws->wave;
    w->topics[topic_of(&s->channel)].count[s->older]--;
    h->feeds--;
    w->feeds--;
    if (s->channel.market != EVERY_MARKET) w->markets[s->channel.market].subs--;
    else w->every--;
    s->ws->sub_count--;
    link_unlink(&s->of_topic);
    s->ws = NULL;
}

static void drop_mine(struct ws *ws, u16 kind, u8 bit)
{
    u8 *mine = &ws->mine[kind - CHANNEL_MINE];
    if (!(*mine & bit)) return;
    *mine = (u8)(*mine & ~bit);
    ws->sub_count--;
    ws->api->hub->mine--;
}

/* The memory a subscription needs, made once. False when memory is short. */
static bool ready_for(struct ws *ws, const struct channel *c)
{
    if (c->kind >= CHANNEL_MINE) return true;
    if (!ws->subs) ws->subs = calloc(WS_SUBS_MAX, sizeof *ws->subs);
    return ws->subs && push_ready(ws->api, ws->wave, c);
}

/* A free place; there is one, since sub_count is below the limit. */
static struct sub *free_sub(struct ws *ws)
{
    struct sub *s = ws->subs;
    while (s->ws) s++;
    CHECK(s < ws->subs + WS_SUBS_MAX);
    return s;
}

static void add_sub(struct ws *ws, const struct channel *c, bool older)
{
    struct api *a = ws->api;
    struct hub *h = a->hub;
    if (c->kind >= CHANNEL_MINE) {
        if (h->mine++ == 0) push_begin_mine(a);
        ws->mine[c->kind - CHANNEL_MINE] |= OLDER_BIT(older);
        ws->sub_count++;
        return;
    }
    struct sub *s = free_sub(ws);
    struct wave *w = ws->wave;
    struct topic *t = &w->topics[topic_of(c)];
    if (!t->subs.next) link_init(&t->subs);
    push_begin(a, w, c);
    *s = (struct sub){.ws = ws, .channel = *c, .older = older};
    link_append(&t->subs, &s->of_topic);
    t->count[older]++;
    h->feeds++;
    w->feeds++;
    ws->sub_count++;
    if (c->market != EVERY_MARKET) w->markets[c->market].subs++;
    else w->every++;
    push_first(a, s);
}

static void subscribe(struct ws *ws, const struct ws_message *m)
{
    u32 fresh = 0;
    for (u32 i = 0; i < m->count; i++) {
        if (m->channels[i].kind >= CHANNEL_MINE && !ws->authenticated) {
            struct problem p;
            problem_set(&p, CODE_UNAUTHORIZED, "channels", NULL,
                        "send auth before you subscribe to your own orders, balances or trades");
            answer_error(ws, m->id, &p);
            return;
        }
        fresh += !has(ws, &m->channels[i], m->older);
        if (!ready_for(ws, &m->channels[i])) {
            ws_close(ws, WS_CLOSE_AGAIN, "memory is short");
            return;
        }
    }
    if (ws->sub_count + fresh > WS_SUBS_MAX) {
        answer_limit(ws, m->id, "a connection may have 50 subscriptions");
        return;
    }
    answer_channels(ws, m, "subscribed");
    for (u32 i = 0; i < m->count && !ws->dead && !ws->closing; i++)
        if (!has(ws, &m->channels[i], m->older)) add_sub(ws, &m->channels[i], m->older);
}

static void unsubscribe(struct ws *ws, const struct ws_message *m)
{
    for (u32 i = 0; i < m->count; i++) {
        const struct channel *c = &m->channels[i];
        if (c->kind >= CHANNEL_MINE) {
            drop_mine(ws, c->kind, OLDER_BIT(m->older));
            continue;
        }
        struct sub *s = find_sub(ws, c, m->older);
        if (s) drop_sub(ws->api->hub, s);
    }
    answer_channels(ws, m, "unsubscribed");
}

struct link *channels_of_wallet(struct hub *h, const u8 wallet[WALLET_BYTES])
{
    return &h->wallets[crc32c(0, wallet, WALLET_BYTES) % WALLET_BUCKETS];
}

void channels_leave(struct ws *ws)
{
    for (u32 i = 0; ws->subs && i < WS_SUBS_MAX; i++)
        if (ws->subs[i].ws) drop_sub(ws->api->hub, &ws->subs[i]);
    for (u32 kind = CHANNEL_MINE; kind < CHANNEL_KINDS; kind++) {
        drop_mine(ws, (u16)kind, 1);
        drop_mine(ws, (u16)kind, 2);
    }
    link_remove(&ws->by_wallet);
    ws->authenticated = false;
}

/* ---- Auth and orders ---- */

static void authenticate(struct ws *ws, const struct ws_message *m)
{
    struct api *a = ws->api;
    struct problem p;
    u8 wallet[WALLET_BYTES];
    if (auth_socket(a, m->params, wallet, &p)) {
        answer_error(ws, m->id, &p);
        return;
    }
    if (ws->authenticated && memcmp(ws->wallet, wallet, WALLET_BYTES) != 0) {
        problem_set(&p, CODE_INVALID_PARAMS, "wallet", NULL,
                    "this connection belongs to another wallet; open a second one");
        answer_error(ws, m->id, &p);
        return;
    }
    if (!ws->authenticated) {
        ws->authenticated = true;
        memcpy(ws->wallet, wallet, WALLET_BYTES);
        link_append(channels_of_wallet(a->hub, wallet), &ws->by_wallet);
    }
    struct json_out o;
    json_out_init(&o, a->hub->text, SCRATCH_BYTES);
    ws_put_head(&o, "auth", m->id, a->unix_ns);
    json_put_open(&o, '{');
    json_put_key(&o, "wallet"), wire_put_wallet(&o, wallet);
    json_put_key(&o, "authenticated"), json_put_bool(&o, true);
    json_put_close(&o, '}');
    json_put_close(&o, '}');
    ws_send(ws, o.at, o.len);
}

/* An order or a cancel: from here on a request like one over HTTP. */
static void ask(struct ws *ws, const struct ws_message *m)
{
    struct api *a = ws->api;
    struct request *r = request_take(a);
    if (!r) {
        struct problem p;
        problem_set(&p, CODE_UNAVAILABLE, NULL, NULL, "too many requests at once");
        answer_error(ws, m->id, &p);
        return;
    }
    r->socket = ws;
    r->begun_ns = a->now_ns;
    r->state = REQUEST_ASKED;
    snprintf(r->socket_id, sizeof r->socket_id, "%s", m->id);
    ws->in_flight++;
    if (m->type == WS_ORDER_PLACE) orders_ask(a, r, m->params);
    else cancel_ask(a, r, m->params, m->type == WS_ORDER_CANCEL_ALL);
}

static bool within_rate(struct ws *ws)
{
    u64 now = ws->api->now_ns;
    if (now - ws->rate_from_ns >= NS_PER_S) {
        ws->rate_from_ns = now;
        ws->rate_count = 0;
    }
    return ++ws->rate_count <= WS_RATE_MAX;
}

void channels_message(struct ws *ws, const char *text, size_t len)
{
    static struct ws_message m;
    struct problem p;
    if (!within_rate(ws)) {
        answer_limit(ws, "", "a connection may send 20 messages a second");
        return;
    }
    if (ws_message_read(&m, text, len, ws->api->rules, &p)) {
        answer_error(ws, m.id, &p);
        ws_message_free(&m);
        return;
    }
    switch (m.type) {
    case WS_SUBSCRIBE: subscribe(ws, &m); break;
    case WS_UNSUBSCRIBE: unsubscribe(ws, &m); break;
    case WS_PING: answer_pong(ws, &m); break;
    case WS_AUTH: authenticate(ws, &m); break;
    case WS_ORDER_PLACE:
    case WS_ORDER_CANCEL:
    case WS_ORDER_CANCEL_ALL: ask(ws, &m); break;
    }
    ws_message_free(&m);
}
