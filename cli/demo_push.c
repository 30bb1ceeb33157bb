/* demo_push.c: what comes over WebSocket: acks of orders, private updates, public trades, depth. */
#include <string.h>

#include "cli/demo.h"
#include "procs/lib/decimal.h"

static void send_out(struct socket *s, const struct json_out *out)
{
    CHECK(!out->full);
    socket_send(s, out->at, out->len);
}

/* Public: trades and depth of every market. A wallet: auth; its channels when that is granted. */
static void subscribe(struct socket *s)
{
    char text[512], channel[64];
    struct json_out out;
    json_out_init(&out, text, sizeof text);
    json_put_open(&out, '{');
    json_put_key(&out, "type"), json_put_cstring(&out, "subscribe");
    json_put_key(&out, "id"), json_put_u64(&out, 1);
    json_put_key(&out, "channels"), json_put_open(&out, '[');
    if (s->agent != NO_PLACED) {
        json_put_cstring(&out, "orders");
        json_put_cstring(&out, "balances");
    }
    for (u32 i = 0; i < DEMO_MARKETS && s->agent == NO_PLACED; i++) {
        const char *symbol = s->demo->markets[i].rules.symbol;
        snprintf(channel, sizeof channel, "trades.%s", symbol);
        json_put_cstring(&out, channel);
        snprintf(channel, sizeof channel, "depth.%s.20", symbol);
        json_put_cstring(&out, channel);
    }
    json_put_close(&out, ']');
    json_put_close(&out, '}');
    send_out(s, &out);
}

void push_hello(struct socket *s)
{
    char text[512];
    struct json_out out;
    for (u32 i = 0; i < DEMO_MARKETS && s->agent == NO_PLACED; i++)
        s->demo->markets[i].depth_seq = 0;
    if (s->agent == NO_PLACED) {
        subscribe(s);
        return;
    }
    json_out_init(&out, text, sizeof text);
    json_put_open(&out, '{');
    json_put_key(&out, "type"), json_put_cstring(&out, "auth");
    json_put_key(&out, "id"), json_put_u64(&out, 0);
    json_put_key(&out, "params");
    client_put_auth(&out, &s->demo->domain, &s->demo->agents[s->agent].wallet,
                    cli_unix_ns() / 1000000);
    json_put_close(&out, '}');
    send_out(s, &out);
}

static struct demo_market *market_of(struct demo *d, const char *channel)
{
    const char *name = strchr(channel, '.');
    for (u32 i = 0; name && i < DEMO_MARKETS; i++) {
        const char *symbol = d->markets[i].rules.symbol;
        size_t length = strlen(symbol);
        if (strncmp(name + 1, symbol, length) == 0 &&
            (name[1 + length] == '.' || name[1 + length] == '\0'))
            return &d->markets[i];
    }
    return NULL;
}

static bool read_lots(const struct demo_market *m, json_t *text, u64 *lots)
{
    u128 wad;
    const char *s = json_string_value(text);
    if (!s || decimal_parse(s, strlen(s), 18, &wad) || wad % m->rules.lot_wad) return false;
    *lots = (u64)(wad / m->rules.lot_wad);
    return true;
}

/* One public trade; each comes once, in order. */
static void on_trade(struct demo *d, struct demo_market *m, json_t *trade)
{
    const char *id_text = json_string_value(json_object_get(trade, "trade_id"));
    u64 id = 0, lots = 0;
    if (!id_text || decimal_parse_u64(id_text, strlen(id_text), &id) ||
        !read_lots(m, json_object_get(trade, "amount"), &lots)) {
        demo_fault(d, "a trade of %s was pushed without id or amount", m->rules.symbol);
        return;
    }
    if (id <= m->last_trade) {
        demo_fault(d, "trade %lu of %s was pushed after trade %lu", id, m->rules.symbol,
                   m->last_trade);
        return;
    }
    m->last_trade = id;
    m->pushed_lots += lots;
    d->trades++;
}

static void on_trades(struct demo *d, struct demo_market *m, json_t *data)
{
    if (!json_is_array(data)) {
        on_trade(d, m, data);
        return;
    }
    for (size_t i = 0; i < json_array_size(data); i++) on_trade(d, m, json_array_get(data, i));
}

/* Each update says which sequence it follows on, so that a gap is visible. */
static void on_depth(struct demo *d, struct demo_market *m, json_t *message, bool snapshot)
{
    u64 sequence = (u64)json_integer_value(json_object_get(message, "sequence"));
    json_t *previous = json_object_get(message, "prev_sequence");
    if (!previous) previous = json_object_get(json_object_get(message, "data"), "prev_sequence");
    if (!snapshot && m->depth_seq && (u64)json_integer_value(previous) != m->depth_seq)
        demo_fault(d, "depth of %s went from sequence %lu to an update that follows on %lu",
                   m->rules.symbol, m->depth_seq, (u64)json_integer_value(previous));
    m->depth_seq = sequence;
}

/* A private update of an order: remembered, and compared at the end. */
static void note_order(struct socket *s, const struct told *told)
{
    struct demo *d = s->demo;
    for (u32 k = d->agents[s->agent].first; k != NO_PLACED; k = d->placed[k].next)
        if (d->placed[k].order_id == told->order_id) {
            d->placed[k].pushed_status = told->status;
            d->placed[k].pushed_filled = told->filled_lots;
            return;
        }
    s->early[s->early_count++ % DEMO_EARLY] =
        (struct early){told->order_id, told->filled_lots, told->status};
}

void push_recall(const struct socket *s, struct placed *p)
{
    u32 first = s->early_count > DEMO_EARLY ? s->early_count - DEMO_EARLY : 0;
    for (u32 i = first; i < s->early_count; i++) {
        const struct early *early = &s->early[i % DEMO_EARLY];
        if (early->order_id != p->order_id) continue;
        p->pushed_status = early->status;
        p->pushed_filled = early->filled_lots;
    }
}

static void on_order(struct socket *s, json_t *data)
{
    struct demo *d = s->demo;
    const char *symbol = json_string_value(json_object_get(data, "market"));
    struct told told;
    for (u32 i = 0; symbol && i < DEMO_MARKETS; i++)
        if (strcmp(symbol, d->markets[i].rules.symbol) == 0 &&
            check_read(d, &d->markets[i], data, &told))
            note_order(s, &told);
}

static void on_data(struct socket *s, json_t *message, bool snapshot)
{
    struct demo *d = s->demo;
    const char *channel = json_string_value(json_object_get(message, "channel"));
    json_t *data = json_object_get(message, "data");
    if (!channel) return;
    struct demo_market *m = market_of(d, channel);
    s->pushes++;
    d->pushes++;
    if (m && strncmp(channel, "depth.", 6) == 0) on_depth(d, m, message, snapshot);
    else if (m && strncmp(channel, "trades.", 7) == 0 && !snapshot) on_trades(d, m, data);
    else if (strcmp(channel, "orders") == 0 && s->agent != NO_PLACED && !snapshot)
        on_order(s, data);
}

static void on_ack(struct socket *s, json_t *message)
{
    json_t *data = json_object_get(message, "data");
    u16 code = (u16)json_integer_value(json_object_get(data, "code"));
    u64 id = (u64)json_integer_value(json_object_get(message, "id"));
    if (s->agent == NO_PLACED) return;
    agent_acked(s->demo, &s->demo->agents[s->agent], id, code, data);
}

void push_message(struct socket *s, const char *text, size_t length)
{
    json_t *message = json_loadb(text, length, 0, NULL);
    const char *type = json_string_value(json_object_get(message, "type"));
    if (!type) demo_fault(s->demo, "a message without a type came over WebSocket");
    else if (strcmp(type, "update") == 0) on_data(s, message, false);
    else if (strcmp(type, "snapshot") == 0) on_data(s, message, true);
    else if (strcmp(type, "auth") == 0) subscribe(s);
    else if (strcmp(type, "subscribed") == 0) s->ready = true;
    else if (strcmp(type, "ack") == 0 || strcmp(type, "error") == 0) on_ack(s, message);
    json_decref(message);
}
