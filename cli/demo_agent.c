/* demo_agent.c: one wallet of the demo: a maker, a taker and a canceller in turn. It has one
 * request under way at a time. What gets no answer is sent again as it was, signature and all: the
 * exchange then must answer what became of it, and never do it twice. */
#include <string.h>

#include "cli/demo.h"
#include "procs/lib/decimal.h"
#include "shm/codes.h"

#define MS             1000000UL
#define AGAIN_NS       (200 * MS)
#define LIMITED_NS     (500 * MS)
#define GIVE_UP_NS     (60000 * MS)
#define SOCKET_WAIT_NS (10000 * MS)
#define QUERY_GAP_NS   (15 * MS) /* below the 100 queries a second of a wallet */
#define OPEN_MAX       40U
#define NOTIONAL_MIN   20U /* in quote, of an order */
#define NOTIONAL_SPAN  300U
#define MAX_AGE_S      8

/* --- Sending -----------------------------------------------------------------------------------*/

static size_t collect(char *data, size_t size, size_t count, void *user)
{
    struct agent *a = user;
    size_t bytes = size * count;
    if (a->answer_len + bytes > DEMO_ANSWER) return 0;
    memcpy(a->answer + a->answer_len, data, bytes);
    a->answer_len += bytes;
    return bytes;
}

void agent_send(struct demo *d, struct agent *a)
{
    char url[sizeof a->url + sizeof a->path], header[CLIENT_HEADER];
    bool self_signed = a->call == CALL_ORDER || (a->call == CALL_CANCEL && a->body[0]);
    snprintf(url, sizeof url, "%s%s", a->url, a->path);
    curl_slist_free_all(a->headers);
    a->headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (!self_signed) {
        client_header(&d->domain, &a->wallet, a->method, a->path, cli_unix_ns() / 1000000, header);
        a->headers = curl_slist_append(a->headers, header);
    }
    curl_easy_reset(a->easy);
    curl_easy_setopt(a->easy, CURLOPT_URL, url);
    curl_easy_setopt(a->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(a->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(a->easy, CURLOPT_TIMEOUT, (long)MAX_AGE_S);
    curl_easy_setopt(a->easy, CURLOPT_HTTPHEADER, a->headers);
    curl_easy_setopt(a->easy, CURLOPT_PRIVATE, a);
    curl_easy_setopt(a->easy, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(a->easy, CURLOPT_WRITEDATA, a);
    if (a->body[0]) curl_easy_setopt(a->easy, CURLOPT_POSTFIELDS, a->body);
    curl_easy_setopt(a->easy, CURLOPT_CUSTOMREQUEST, a->method);
    a->answer_len = 0;
    a->in_flight = true;
    a->by_socket = false;
    a->sent_ns = cli_monotonic_ns();
    curl_multi_add_handle(d->multi, a->easy);
}

/* The same body as an order.place over the wallet's socket. */
static bool send_by_socket(struct agent *a)
{
    char text[DEMO_BODY + 128];
    int n = snprintf(text, sizeof text, "{\"type\":\"order.place\",\"id\":%lu,\"params\":%s}",
                     a->call_id, a->body);
    if (!socket_send(a->socket, text, (size_t)n)) return false;
    a->in_flight = a->by_socket = true;
    a->sent_ns = cli_monotonic_ns();
    return true;
}

static void begin(struct demo *d, struct agent *a, enum call call, const char *method,
                  const char *path)
{
    a->call = call;
    a->call_id++;
    a->attempts = 0;
    a->began_ns = cli_monotonic_ns();
    snprintf(a->method, sizeof a->method, "%s", method);
    snprintf(a->path, sizeof a->path, "%s", path);
    bool socket = call == CALL_ORDER && a->socket && a->socket->ready && demo_random(d, 2);
    if (!socket || !send_by_socket(a)) agent_send(d, a);
}

static void finish(struct demo *d, struct agent *a)
{
    u64 now_ns = cli_monotonic_ns(), gap_ns = 1000000000UL * d->wallets / d->rate;
    a->call = CALL_NONE;
    a->in_flight = false;
    a->attempts = 0;
    a->body[0] = '\0';
    /* Trading keeps its pace, somewhat irregular; what comes after goes as fast as limits allow. */
    if (a->step == AGENT_TRADE) a->next_ns = a->began_ns + gap_ns / 2 + demo_random(d, gap_ns);
    else a->next_ns = now_ns + QUERY_GAP_NS;
    if (a->next_ns < now_ns) a->next_ns = now_ns;
}

/* No answer, or one that says later: the same again, until it is too late. */
static void again(struct demo *d, struct agent *a, u64 delay_ns, const char *why)
{
    u64 now_ns = cli_monotonic_ns();
    a->in_flight = false;
    a->attempts++;
    a->next_ns = now_ns + delay_ns;
    if (now_ns - a->began_ns < GIVE_UP_NS) {
        d->resent++;
        return;
    }
    d->errors++;
    demo_fault(d, "%s %s got no answer in %lu s: %s", a->method, a->path, GIVE_UP_NS / 1000000000UL,
               why);
    if (a->step != AGENT_TRADE) a->step = AGENT_DONE;
    finish(d, a);
}

void agent_socket_lost(struct demo *d, struct agent *a)
{
    if (a->in_flight && a->by_socket) again(d, a, AGAIN_NS, "its WebSocket was lost");
}

/* --- Choosing ----------------------------------------------------------------------------------*/

/* Notional of 20 to 320 in lots at a price, at least one. */
static u64 choose_lots(struct demo *d, const struct demo_market *m, u64 ticks)
{
    u64 quote = NOTIONAL_MIN + demo_random(d, NOTIONAL_SPAN);
    for (u8 i = 0; i < m->quote_decimals; i++) quote *= 10;
    u64 lots = quote / (ticks * m->rules.tick_lot) + 1;
    return max_u64(lots, m->rules.lots_min);
}

/* The price walks by up to 2 basis points. */
static void walk(struct demo *d, struct demo_market *m)
{
    u64 step = m->mid / 5000 + 1;
    m->mid = m->mid - step + demo_random(d, 2 * step + 1);
    m->mid = min_u64(max_u64(m->mid, 10000), m->rules.price_max / 2);
}

static void choose_order(struct demo *d, struct demo_order *o, bool maker)
{
    static const u8 maker_tif[] = {TIF_GTC, TIF_GTC, TIF_GTC, TIF_GTX};
    static const u8 taker_tif[] = {TIF_IOC, TIF_IOC, TIF_IOC, TIF_FOK, TIF_GTC};
    *o = (struct demo_order){.market = (u8)demo_random(d, DEMO_MARKETS),
                             .side = (u8)(SIDE_BUY + demo_random(d, 2)),
                             .type = TYPE_LIMIT,
                             .stp = (u8)demo_random(d, 4)};
    struct demo_market *m = &d->markets[o->market];
    walk(d, m);
    /* Makers stand up to 10 basis points off the middle, takers reach as far across it. */
    u64 off = m->mid / 1000 * (1 + demo_random(d, 100)) / 100 + 1;
    o->ticks = (o->side == SIDE_BUY) == maker ? m->mid - off : m->mid + off;
    o->lots = choose_lots(d, m, o->ticks);
    o->tif = maker ? maker_tif[demo_random(d, COUNT_OF(maker_tif))]
                   : taker_tif[demo_random(d, COUNT_OF(taker_tif))];
    if (maker || demo_random(d, 4)) return;
    o->type = TYPE_MARKET;
    o->tif = TIF_IOC;
    if (o->side == SIDE_SELL || demo_random(d, 2)) return;
    o->quote = o->lots * o->ticks * m->rules.tick_lot;
    o->lots = 0;
}

static void place(struct demo *d, struct agent *a, bool maker)
{
    struct demo_order o;
    struct json_out out;
    if (d->placed_count == d->placed_max) {
        a->next_ns = UINT64_MAX;
        return;
    }
    choose_order(d, &o, maker);
    json_out_init(&out, a->body, sizeof a->body - 1);
    sign_order(d, a, &o, &out);
    CHECK(!out.full);
    a->body[out.len] = '\0';
    a->order = (struct placed){.agent = a->index,
                               .market = o.market,
                               .side = o.side,
                               .lots = o.lots,
                               .next = NO_PLACED,
                               .type = o.type,
                               .tif = o.tif};
    d->orders++;
    begin(d, a, CALL_ORDER, "POST", "/api/v1/orders");
}

/* One of its open orders, any. */
static u32 choose_open(struct demo *d, const struct agent *a)
{
    u32 skip = (u32)demo_random(d, a->open), found = NO_PLACED;
    for (u32 i = a->first; i != NO_PLACED; i = d->placed[i].next)
        if (!check_is_final(d->placed[i].status) && !d->placed[i].closed) {
            found = i;
            if (skip-- == 0) break;
        }
    return found;
}

/* Half of them by a signed Cancel, half by header. */
static void cancel(struct demo *d, struct agent *a)
{
    char path[64];
    struct json_out out;
    a->subject = choose_open(d, a);
    if (a->subject == NO_PLACED) {
        a->open = 0;
        return;
    }
    u64 id = d->placed[a->subject].order_id;
    a->body[0] = '\0';
    if (demo_random(d, 2)) {
        json_out_init(&out, a->body, sizeof a->body - 1);
        client_put_cancel(&out, &d->domain, &a->wallet, id, ++a->cancel_nonce);
        CHECK(!out.full);
        a->body[out.len] = '\0';
    }
    d->cancels++;
    snprintf(path, sizeof path, "/api/v1/orders/%lu", id);
    begin(d, a, CALL_CANCEL, "DELETE", path);
}

static void trade(struct demo *d, struct agent *a)
{
    u64 dice = demo_random(d, 100);
    if (a->open >= OPEN_MAX || (a->open && dice < 20)) cancel(d, a);
    else place(d, a, dice < 70);
}

/* The next acknowledged order that was not asked for yet, or what comes after. */
static void ask_for_order(struct demo *d, struct agent *a)
{
    char path[64];
    a->subject = a->subject == NO_PLACED ? a->first : d->placed[a->subject].next;
    if (a->subject == NO_PLACED) {
        a->step = AGENT_BALANCES;
        begin(d, a, CALL_GET_BALANCES, "GET", "/api/v1/balances");
        return;
    }
    snprintf(path, sizeof path, "/api/v1/orders/%lu", d->placed[a->subject].order_id);
    begin(d, a, CALL_GET_ORDER, "GET", path);
}

void agent_act(struct demo *d, struct agent *a, u64 now_ns)
{
    if (a->in_flight) {
        if (a->by_socket && now_ns - a->sent_ns > SOCKET_WAIT_NS)
            again(d, a, AGAIN_NS, "no ack over WebSocket");
        return;
    }
    if (a->step == AGENT_TRADE && a->call == CALL_NONE && now_ns >= d->stop_ns) {
        a->step = AGENT_CANCEL;
        a->next_ns = now_ns;
    }
    if (now_ns < a->next_ns) return;
    if (a->call != CALL_NONE) agent_send(d, a);
    else if (a->step == AGENT_TRADE) trade(d, a);
    else if (a->step == AGENT_CANCEL) begin(d, a, CALL_CANCEL_ALL, "DELETE", "/api/v1/orders");
    else if (a->step == AGENT_ORDERS) ask_for_order(d, a);
}

/* --- Answers -----------------------------------------------------------------------------------*/

static void remember(struct demo *d, struct agent *a, const struct told *t)
{
    u32 i = d->placed_count++;
    struct placed *p = &d->placed[i];
    *p = a->order;
    p->order_id = t->order_id;
    p->status = t->status;
    p->filled_lots = t->filled_lots;
    p->filled_quote = t->filled_quote;
    if (a->socket) push_recall(a->socket, p);
    if (a->last == NO_PLACED) a->first = i;
    else d->placed[a->last].next = i;
    a->last = i;
    if (!check_is_final(t->status)) a->open++;
    d->acked++;
}

/* Refusals that a well-formed order may meet in a market. Signature, syntax, nonce: never. */
static bool may_refuse(u16 code)
{
    switch (code) {
    case CODE_PRICE_TOO_HIGH:
    case CODE_PRICE_TOO_LOW:
    case CODE_SELF_TRADE:
    case CODE_TOO_MANY_OPEN:
    case CODE_WOULD_TAKE:
    case CODE_INSUFFICIENT_BALANCE:
    case CODE_MARKET_SUSPENDED:
    case CODE_NO_LIQUIDITY:
    case CODE_CANCEL_ONLY: return true;
    default: return false;
    }
}

static void order_answered(struct demo *d, struct agent *a, u16 code, json_t *order)
{
    struct told told;
    if (a->attempts == 0)
        d->latency_us[d->latency_count++] = (u32)((cli_monotonic_ns() - a->began_ns) / 1000);
    if (code) {
        d->rejected++;
        if (!may_refuse(code))
            demo_fault(d, "an order was refused with code %u: %.100s", code, a->body);
    } else if (check_read(d, &d->markets[a->order.market], order, &told)) {
        check_placed(d, &a->order, &told);
        remember(d, a, &told);
    }
    finish(d, a);
}

static void cancel_answered(struct demo *d, struct agent *a, u16 code, json_t *order)
{
    struct placed *p = &d->placed[a->subject];
    struct told told;
    bool missed = code == CODE_ALREADY_CANCELLED || code == CODE_ALREADY_FILLED ||
                  code == CODE_NOT_CANCELLABLE || (a->attempts && code == CODE_NONCE_USED);
    if (code && !missed) {
        demo_fault(d, "order %lu could not be cancelled: code %u", p->order_id, code);
    } else if (!code && check_read(d, &d->markets[p->market], order, &told)) {
        if (told.order_id != p->order_id || told.status != STATUS_CANCELLED)
            demo_fault(d, "the cancel of order %lu was answered with order %lu, status %u",
                       p->order_id, told.order_id, told.status);
        p->cancelled = true;
        p->filled_lots = max_u64(p->filled_lots, told.filled_lots);
    }
    p->status = p->cancelled ? STATUS_CANCELLED : p->status;
    p->closed = true;
    if (a->open) a->open--;
    finish(d, a);
}

static void order_asked(struct demo *d, struct agent *a, u16 code, json_t *order)
{
    struct placed *p = &d->placed[a->subject];
    if (code)
        demo_fault(d, "order %lu was acknowledged, and now GET answers %u", p->order_id, code);
    else check_final(d, p, order);
    finish(d, a);
}

static void take_answer(struct demo *d, struct agent *a, u16 code, json_t *data)
{
    switch (a->call) {
    case CALL_ORDER: order_answered(d, a, code, data); break;
    case CALL_CANCEL: cancel_answered(d, a, code, data); break;
    case CALL_GET_ORDER: order_asked(d, a, code, data); break;
    case CALL_CANCEL_ALL:
        if (code) demo_fault(d, "cancelling all orders of %s: code %u", a->wallet.text, code);
        a->step = AGENT_ORDERS;
        a->subject = NO_PLACED;
        finish(d, a);
        break;
    case CALL_GET_BALANCES:
        if (code) demo_fault(d, "balances of %s: code %u", a->wallet.text, code);
        else check_balances(d, a, data);
        a->step = AGENT_DONE;
        finish(d, a);
        break;
    case CALL_NONE: break;
    }
}

/* An answer with a code: is it one that asks to come back later? */
static bool comes_later(struct demo *d, struct agent *a, u16 code)
{
    switch (code) {
    case CODE_RATE_LIMIT:
        d->limited++;
        again(d, a, LIMITED_NS, "rate limit");
        return true;
    case CODE_UNAVAILABLE:
    case CODE_TIMEOUT:
    case CODE_MAINTENANCE: again(d, a, AGAIN_NS, "unavailable"); return true;
    case CODE_INVALID_TIMESTAMP:
    case CODE_SIGNATURE_EXPIRED:
        /* A gateway that just started refuses timestamps from before; a new one is signed. */
        if (a->call == CALL_ORDER || a->body[0]) return false;
        again(d, a, AGAIN_NS, "timestamp refused");
        return true;
    default: return false;
    }
}

void agent_answered(struct demo *d, struct agent *a, CURLcode result)
{
    if (result != CURLE_OK) {
        again(d, a, AGAIN_NS, curl_easy_strerror(result));
        return;
    }
    json_t *answer = json_loadb(a->answer, a->answer_len, 0, NULL);
    json_t *code = json_object_get(answer, "code");
    if (!json_is_integer(code)) {
        demo_fault(d, "%s %s was answered without a code: %.80s", a->method, a->path, a->answer);
        again(d, a, AGAIN_NS, "not understood");
    } else if (!comes_later(d, a, (u16)json_integer_value(code))) {
        take_answer(d, a, (u16)json_integer_value(code), json_object_get(answer, "data"));
    }
    json_decref(answer);
}

void agent_acked(struct demo *d, struct agent *a, u64 id, u16 code, json_t *order)
{
    if (!a->in_flight || !a->by_socket || id != a->call_id) return;
    if (!comes_later(d, a, code)) take_answer(d, a, code, order);
}
