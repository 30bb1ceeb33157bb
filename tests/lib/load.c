#include "tests/lib/load.h"

#include <stdarg.h>
#include <string.h>

#include "tests/lib/exchange.h"

#define FAULTS_SHOWN 12U
#define CONNECTIONS  24U
#define BEHIND_MAX   90U /* orders past an unanswered one; 128 nonces are remembered */
#define API          "/api/v1"

/* Prices lie around these, in steps of the tick below: levels enough for a book, few enough that
 * most orders meet another. */
static const struct {
    u64 price, step, lot; /* E8 */
} shapes[CLIENT_MARKETS] = {
    {50000 * E8, 1 * E8, 100000},   /* 0.001 BTC */
    {3000 * E8, 10000000, 1000000}, /* 0.1 step, 0.01 ETH */
};

void load_fault(struct load *l, const struct note *n, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    if (l->faults++ >= FAULTS_SHOWN) return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n)
        printf("FAULT: order %lu, nonce %lu of %s (%s %s, status %u, filled %lu): %s\n", n->id,
               n->spec.nonce, note_trader(n)->wallet.text, client_side(n->spec.side),
               client_markets[n->spec.market], n->status, n->filled, text);
    else printf("FAULT: %s\n", text);
}

/* --- Opening -----------------------------------------------------------------------------------*/

void load_open(struct load *l, u64 seed, u32 rate, u32 orders_max, u32 port)
{
    *l = (struct load){.seed = seed, .rate = rate, .max = orders_max};
    l->notes = calloc(orders_max, sizeof *l->notes);
    l->unknown = calloc(orders_max, sizeof *l->unknown);
    CHECK(l->notes && l->unknown);
    for (u32 i = 0; i < LOAD_TRADERS; i++) wallet_make(&l->traders[i].wallet, &l->seed);
    client_open(&l->client, CONNECTIONS, port);
    load_resume(l);
}

void load_close(struct load *l)
{
    client_close(&l->client);
    free(l->notes);
    free(l->unknown);
}

/* --- What an order may become ------------------------------------------------------------------*/

static bool may_become(u8 from, u8 to)
{
    if (from >= FILLED) return to == from;
    if (from == PARTIAL) return to >= PARTIAL && to != REJECTED;
    return to >= from;
}

/* What was signed must be what is shown. */
static const char *differs(const struct note *n, const json_t *order)
{
    const struct order_spec *o = &n->spec;
    const char *market = json_string_value(json_object_get(order, "market"));
    const char *side = json_string_value(json_object_get(order, "side"));
    const char *type = json_string_value(json_object_get(order, "type"));
    const char *wallet = json_string_value(json_object_get(order, "wallet"));
    if (client_id(order, "nonce") != o->nonce) return "nonce";
    if (!wallet || strcasecmp(wallet, note_trader(n)->wallet.text) != 0) return "wallet";
    if (!market || strcmp(market, client_markets[o->market]) != 0) return "market";
    if (!side || strcmp(side, client_side(o->side)) != 0) return "side";
    if (!type || strcmp(type, client_type(o->type)) != 0) return "type";
    if (o->price && client_e8(order, "price") != o->price) return "price";
    if (o->amount && client_e8(order, "amount") != o->amount) return "amount";
    return NULL;
}

void load_learn(struct load *l, struct note *n, const json_t *order)
{
    const char *status_text = json_string_value(json_object_get(order, "status"));
    int status = client_status(status_text);
    u64 id = client_id(order, "order_id"), filled = client_e8(order, "filled_amount");
    u64 quote = client_e8(order, "filled_quote"), amount = client_e8(order, "amount");
    if (n->spec.quote_amount && status != FILLED) amount = filled; /* only the budget was given */
    const char *field = differs(n, order);
    if (field) load_fault(l, n, "the exchange shows another %s than was signed", field);
    if (!id || status < 0) {
        load_fault(l, n, "it is shown without id or with status %s", status_text);
        return;
    }
    bool before = n->id != 0;
    if (before && n->id != id) load_fault(l, n, "the same signed order is now order %lu", id);
    if (before && !may_become(n->status, (u8)status))
        load_fault(l, n, "it went to status %s", status_text);
    if (before && filled < n->filled) load_fault(l, n, "filled went down to %lu", filled);
    if (before && n->status >= FILLED && (filled != n->filled || quote != n->filled_quote))
        load_fault(l, n, "it was closed, but its filled amount changed to %lu", filled);
    if (filled > amount || (status == FILLED && filled != amount) ||
        (status == PARTIAL && (!filled || filled == amount)) || (status <= OPEN && filled))
        load_fault(l, n, "status %s does not go with filled %lu of %lu", status_text, filled,
                   amount);
    n->id = id;
    n->status = (u8)status;
    n->filled = filled;
    n->filled_quote = quote;
}

struct note *load_note(struct load *l, const json_t *order)
{
    u64 nonce = client_id(order, "nonce");
    return nonce && nonce <= l->count ? &l->notes[nonce - 1] : NULL;
}

/* --- Answers -----------------------------------------------------------------------------------*/

/* Refusals that say that the load is wrong or the exchange forgot, never a rule of trading. */
static bool is_wrong_refusal(int code)
{
    return code < 11000 || code == 11001 || code == 11011 || code == 11012 || code == 11017 ||
           (code > 13000 && code != 13004);
}

static void make_unknown(struct load *l, struct note *n)
{
    if (n->state == NOTE_UNKNOWN) return;
    n->state = NOTE_UNKNOWN;
    l->unknown[l->unknown_count++] = (u32)(n - l->notes);
}

static void make_known(struct load *l, struct note *n)
{
    for (u32 i = 0; n->state == NOTE_UNKNOWN && i < l->unknown_count; i++)
        if (l->unknown[i] == (u32)(n - l->notes)) {
            l->unknown[i] = l->unknown[--l->unknown_count];
            l->resolved++;
            break;
        }
    n->state = NOTE_KNOWN;
}

static void on_placed(void *context, const struct answer *a)
{
    struct note *n = context;
    struct load *l = n->load;
    bool known = n->state == NOTE_KNOWN;
    n->busy = false;
    if (a->http == 0 || a->http >= 500) {
        if (!known) make_unknown(l, n);
        return;
    }
    if (a->http == 200 ? a->code != 0 : is_wrong_refusal(a->code)) {
        load_fault(l, n, "HTTP %ld with code %d", a->http, a->code);
        make_known(l, n);
        return;
    }
    const json_t *order = a->http == 200 ? a->data : json_object_get(a->data, "order");
    if (known && n->code != a->code)
        load_fault(l, n, "sent again it is answered %d, it was %d", a->code, n->code);
    if (known && n->id && !order) load_fault(l, n, "sent again it is answered without its order");
    if (n->state == NOTE_UNKNOWN && order &&
        (u64)json_integer_value(json_object_get(order, "created_at")) < n->sent_ms)
        l->found++;
    make_known(l, n);
    n->code = a->code;
    if (!known && a->code) l->refused++;
    if (!known && !a->code) l->accepted++;
    if (order) load_learn(l, n, order);
}

static void on_cancelled(void *context, const struct answer *a)
{
    struct note *n = context;
    n->busy = false;
    n->load->cancels++;
    if (a->http == 200) {
        load_learn(n->load, n, a->data);
        if (n->status != CANCELLED) load_fault(n->load, n, "a cancel was granted, yet it is open");
    } else if (a->http && a->http < 500 && a->code != 11002 && a->code != 11003 &&
               a->code != 11013 && a->code != 10002 && a->code != 10006) {
        load_fault(n->load, n, "a cancel got HTTP %ld with code %d", a->http, a->code);
    }
}

/* --- Requests ----------------------------------------------------------------------------------*/

static void send_order(struct load *l, struct note *n)
{
    char body[CLIENT_BODY];
    n->busy = true;
    n->sent_ms = client_unix_ms();
    order_body(&note_trader(n)->wallet, &n->spec, body);
    client_send(&l->client, "POST", API "/orders", NULL, body, on_placed, n);
}

static u32 dice(struct load *l, u32 sides)
{
    return (u32)(client_random(&l->seed) % sides);
}

/* A limit order near the middle, or now and then one through it. */
static void shape_limit(struct load *l, struct order_spec *o)
{
    static const u8 tifs[] = {0, 0, 0, 0, 0, 0, 0, 1, 2, 3};
    u64 away = dice(l, 30) * shapes[o->market].step, middle = shapes[o->market].price;
    bool through = dice(l, 3) == 0;
    o->price = (o->side == 0) != through ? middle - away : middle + away;
    o->amount = (1 + dice(l, 40)) * shapes[o->market].lot;
    o->tif = tifs[dice(l, COUNT_OF(tifs))];
    o->v1 = o->tif == 0 && dice(l, 2);
    if (!o->v1) o->stp = (u8)dice(l, 4);
}

static void shape_market(struct load *l, struct order_spec *o)
{
    o->type = 1;
    o->tif = 1;
    o->stp = 1;
    if (o->side == 0 && dice(l, 2)) o->quote_amount = (50 + dice(l, 1000)) * E8;
    else o->amount = (1 + dice(l, 40)) * shapes[o->market].lot;
}

static void place(struct load *l, u32 trader)
{
    if (l->count == l->max) return;
    struct note *n = &l->notes[l->count++];
    *n = (struct note){.load = l, .trader = (u8)trader, .turn = l->traders[trader].turn++};
    n->spec.nonce = l->count;
    n->spec.market = (u8)dice(l, CLIENT_MARKETS);
    n->spec.side = (u8)dice(l, 2);
    if (dice(l, 8) == 0) shape_market(l, &n->spec);
    else shape_limit(l, &n->spec);
    send_order(l, n);
}

static void cancel(struct load *l, struct note *n)
{
    const struct client_wallet *w = &note_trader(n)->wallet;
    char path[64], text[CLIENT_BODY];
    n->busy = true;
    snprintf(path, sizeof path, API "/orders/%lu", n->id);
    if (dice(l, 4) == 0) {
        sign_request(w, "DELETE", path, text);
        client_send(&l->client, "DELETE", path, text, NULL, on_cancelled, n);
    } else {
        cancel_body(w, n->id, ++l->traders[n->trader].cancels, text);
        client_send(&l->client, "DELETE", path, NULL, text, on_cancelled, n);
    }
}

/* The oldest order of a trader that has no answer, or NULL. */
static struct note *oldest_unknown(struct load *l, u32 trader)
{
    struct note *oldest = NULL;
    for (u32 i = 0; i < l->unknown_count; i++) {
        struct note *n = &l->notes[l->unknown[i]];
        if (n->trader == trader && (!oldest || n->turn < oldest->turn)) oldest = n;
    }
    return oldest;
}

/* An open order among the last ones, or NULL. */
static struct note *some_open(struct load *l)
{
    for (u32 i = 0; l->count && i < 16; i++) {
        u32 back = dice(l, (u32)min_u64(l->count, LOAD_TRADERS * LOAD_RECENT));
        struct note *n = &l->notes[l->count - 1 - back];
        if (!n->busy && n->state == NOTE_KNOWN && note_is_open(n)) return n;
    }
    return NULL;
}

static void step(struct load *l)
{
    u32 trader = dice(l, LOAD_TRADERS);
    struct note *unknown = oldest_unknown(l, trader), *open;
    bool behind = unknown && l->traders[trader].turn - unknown->turn >= BEHIND_MAX;
    l->issued++;
    if (unknown && (behind || dice(l, 4) == 0)) {
        if (!unknown->busy) send_order(l, unknown);
    } else if (dice(l, 5) == 0 && (open = some_open(l))) {
        cancel(l, open);
    } else {
        place(l, trader);
    }
}

/* --- Running -----------------------------------------------------------------------------------*/

void load_resume(struct load *l)
{
    l->started_ms = exchange_ms();
    l->issued = 0;
}

void load_run(struct load *l, u64 ms)
{
    u64 until = exchange_ms() + ms, now;
    do {
        now = exchange_ms();
        u64 due = (now - l->started_ms) * l->rate / 1000;
        while (l->issued < due && !client_is_full(&l->client)) step(l);
        /* What could not be sent in time is not made up for later. */
        if (l->issued + l->rate / 10 < due) load_resume(l);
        client_pump(&l->client, 2);
    } while (now < until);
}

void load_trade(struct load *l, u64 ms)
{
    load_resume(l);
    load_run(l, ms);
}

void load_burst(struct load *l, u32 answers)
{
    client_drain(&l->client);
    while (!client_is_full(&l->client) && l->count < l->max) place(l, dice(l, LOAD_TRADERS));
    while (l->client.busy + answers > l->client.count) client_pump(&l->client, 10);
}

bool load_settle(struct load *l, u64 patience_ms)
{
    u64 until = exchange_ms() + patience_ms;
    client_drain(&l->client);
    while (l->unknown_count && exchange_ms() < until) {
        for (u32 t = 0; t < LOAD_TRADERS; t++) {
            struct note *n = oldest_unknown(l, t);
            if (n) send_order(l, n);
        }
        client_drain(&l->client);
    }
    return l->unknown_count == 0;
}

void load_repeat(struct load *l, struct note *n)
{
    while (client_is_full(&l->client)) client_pump(&l->client, 100);
    if (!n->busy && n->state == NOTE_KNOWN) send_order(l, n);
}
