#include "procs/api/push_mine.h"

#include "procs/api/push.h"
#include "procs/api/push_put.h"
#include "procs/api/stamps.h"
#include "procs/api/ws.h"
#include "procs/api/ws_channels.h"
#include "procs/lib/wire.h"

#define RECORDS_AT_ONCE 2048U

void push_begin_mine(struct api *a)
{
    log_join_reader(&a->account, a->account.log);
}

/* Send the data in a->out to each connection of the wallet that has this channel. */
static u32 send_mine(struct api *a, u16 kind, const u8 *wallet, u64 sequence)
{
    struct push p = {.type = "update", .channel = {kind, 0}, .sequence = sequence};
    struct link *bucket = channels_of_wallet(a->hub, wallet);
    u32 n = 0;
    for (struct link *l = bucket->next, *next; l != bucket; l = next) {
        struct ws *ws = LINK_OF(l, struct ws, by_wallet);
        next = l->next;
        if (memcmp(ws->wallet, wallet, WALLET_BYTES) != 0) continue;
        u8 mine = ws->mine[kind - CHANNEL_MINE];
        if (mine & 1) push_one(a, &p, ws, &p.channel, false), n++;
        if (mine & 2) push_one(a, &p, ws, &p.channel, true), n++;
    }
    return n;
}

/* Is there anybody to tell? Saves writing what nobody reads. */
static bool wanted(struct api *a, u16 kind, const u8 *wallet)
{
    struct link *bucket = channels_of_wallet(a->hub, wallet);
    for (struct link *l = bucket->next; l != bucket; l = l->next) {
        const struct ws *ws = LINK_OF(l, struct ws, by_wallet);
        if (ws->mine[kind - CHANNEL_MINE] && !memcmp(ws->wallet, wallet, WALLET_BYTES)) return true;
    }
    return false;
}

static u32 push_order(struct api *a, const struct account_state *now, u8 event, u64 sequence)
{
    if (!wanted(a, CHANNEL_MY_ORDERS, now->order.wallet)) return 0;
    struct json_out *o = push_data(a);
    json_put_open(o, '{');
    wire_put_order_fields(o, a->rules, &now->order);
    json_put_key(o, "event"), json_put_cstring(o, wire_order_event(event));
    json_put_close(o, '}');
    return send_mine(a, CHANNEL_MY_ORDERS, now->order.wallet, sequence);
}

static u32 send_balance(struct api *a, const struct wire_balance *b, u64 sequence)
{
    wire_put_balance(push_data(a), a->rules, b);
    return send_mine(a, CHANNEL_MY_BALANCES, b->wallet, sequence);
}

/* What an order's step did to its balances: a trade moves both, all else the one it holds. */
static u32 push_order_balances(struct api *a, const struct account_state *now,
                               const struct rec *head, enum balance_reason reason, u64 ref_id)
{
    struct market m;
    if (!wanted(a, CHANNEL_MY_BALANCES, now->order.wallet)) return 0;
    if (!wire_market_at(a->rules, now->order.market, &m)) return 0;
    u32 n = 0;
    for (u32 quote = 0; quote <= 1; quote++) {
        const struct balance_view *v = quote ? &now->quote : &now->base;
        if (reason != BALANCE_TRADE && (now->order.side == SIDE_BUY) != quote) continue;
        struct wire_balance b = {.settled_available = v->available,
                                 .settled_frozen = v->frozen,
                                 .updated_ns = head->time_ns,
                                 .ref_id = ref_id,
                                 .reason = wire_balance_reason((u8)reason),
                                 .wallet = now->order.wallet,
                                 .token = quote ? m.quote : m.base};
        n += send_balance(a, &b, head->seq);
    }
    return n;
}

static u32 push_step(struct api *a, const struct account_order *r)
{
    enum balance_reason reason = r->event == EVENT_OPEN ? BALANCE_HOLD : BALANCE_RELEASE;
    return push_order(a, &r->now, r->event, r->head.seq) +
           push_order_balances(a, &r->now, &r->head, reason, r->now.order.order_id);
}

static u32 push_balance(struct api *a, const struct account_balance *r)
{
    if (!wanted(a, CHANNEL_MY_BALANCES, r->wallet)) return 0;
    struct wire_balance b = {.settled_available = r->settled_available,
                             .settled_frozen = r->settled_frozen,
                             .pending_available = r->pending_available,
                             .pending_frozen = r->pending_frozen,
                             .updated_ns = r->head.time_ns,
                             .ref_id = r->ref_id,
                             .reason = wire_balance_reason(r->reason),
                             .wallet = r->wallet,
                             .token = r->token};
    return send_balance(a, &b, r->head.seq);
}

static u32 push_trade(struct api *a, const struct account_trade *r)
{
    u32 n = push_order(a, &r->now, EVENT_TRADE, r->head.seq);
    if (wanted(a, CHANNEL_MY_TRADES, r->now.order.wallet)) {
        struct wire_trade t = wire_trade_of(r);
        wire_put_trade(push_data(a), a->rules, &t);
        n += send_mine(a, CHANNEL_MY_TRADES, r->now.order.wallet, r->head.seq);
    }
    return n + push_order_balances(a, &r->now, &r->head, BALANCE_TRADE, r->trade_id);
}

static u32 push_record(struct api *a, const struct rec *rec)
{
    const void *record = rec;
    switch (rec->kind) {
    case ACCOUNT_ORDER: return push_step(a, record);
    case ACCOUNT_TRADE: return push_trade(a, record);
    case ACCOUNT_BALANCE: return push_balance(a, record);
    default: return 0;
    }
}

/* The log ran ahead of this process: what was missed cannot be told any more. */
static void lapped(struct api *a)
{
    struct hub *h = a->hub;
    for (struct link *l = h->all.next, *next; l != &h->all; l = next) {
        struct ws *ws = LINK_OF(l, struct ws, all);
        next = l->next;
        if (ws->mine[0] | ws->mine[1] | ws->mine[2])
            ws_close(ws, WS_CLOSE_AGAIN, "updates were lost: connect again and read your state");
    }
    push_begin_mine(a);
}

u32 push_mine_turn(struct api *a)
{
    static alignas(8) u8 record[RECORD_BYTES_MAX];
    u32 n = 0;
    if (!a->hub->mine) return 0;
    for (u32 i = 0; i < RECORDS_AT_ONCE; i++) {
        int length = log_copy(&a->account, record, a->durable_seq);
        if (length == 0) break;
        if (length < 0) {
            lapped(a);
            break;
        }
        u32 sockets = push_record(a, (const void *)record);
        if (sockets) stamp_pushed(a, (const void *)record, sockets);
        n += sockets;
    }
    return n;
}
