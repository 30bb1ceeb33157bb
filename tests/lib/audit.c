#include "tests/lib/audit.h"

#include <string.h>
#include <time.h>

#define API        "/api/v1"
#define PAGE       100U
#define LEVELS_MAX 1000U
#define REPEATS    20U
#define LISTED     3000U /* closed orders of a trader that a list surely goes back to */
#define RECENT     60U   /* orders of a trader whose nonces are surely remembered */
#define TRAIL_MS   5000U /* for market data to catch up */

/* --- Orders ------------------------------------------------------------------------------------*/

static void on_order(void *context, const struct answer *a)
{
    struct note *n = context;
    n->busy = false;
    if (a->http == 200) load_learn(n->load, n, a->data);
    else load_fault(n->load, n, "asked for by id: HTTP %ld, code %d", a->http, a->code);
}

/* Orders that were closed when asked before need not be asked each time. */
static void ask_each(struct audit *a)
{
    struct load *l = a->load;
    bool all = a->every <= 1 || a->number % a->every == 0;
    char path[64], header[CLIENT_HEADER];
    for (u32 i = 0; i < l->count; i++) {
        struct note *n = &l->notes[i];
        if (!n->id || (n->asked && n->status >= FILLED && !all)) continue;
        n->asked = true;
        while (client_is_full(&l->client)) client_pump(&l->client, 100);
        snprintf(path, sizeof path, API "/orders/%lu", n->id);
        sign_request(&note_trader(n)->wallet, "GET", path, header);
        n->busy = true;
        client_send(&l->client, "GET", path, header, NULL, on_order, n);
    }
    client_drain(&l->client);
}

static void meet(struct audit *a, u32 trader, const json_t *order)
{
    struct note *n = load_note(a->load, order);
    if (!n || n->trader != trader) {
        load_fault(a->load, n, "the list of %s has order %lu, which was never sent",
                   a->load->traders[trader].wallet.text, client_id(order, "order_id"));
        return;
    }
    if (n->seen == a->number) load_fault(a->load, n, "the list has it twice");
    n->seen = a->number;
    if (n->state == NOTE_KNOWN && !n->id)
        load_fault(a->load, n, "it was answered with code %d, yet the list has order %lu", n->code,
                   client_id(order, "order_id"));
    load_learn(a->load, n, order);
}

static void list_each(struct audit *a)
{
    struct load *l = a->load;
    for (u32 t = 0; t < LOAD_TRADERS; t++)
        for (u64 page = 1, pages = 1; page <= pages; page++) {
            char query[64];
            snprintf(query, sizeof query, "?page_size=%u&page=%lu", PAGE, page);
            json_t *data = client_get(&l->client, &l->traders[t].wallet, API "/orders", query);
            const json_t *items = json_object_get(data, "items");
            for (size_t i = 0; i < json_array_size(items); i++)
                meet(a, t, json_array_get(items, i));
            const json_t *pagination = json_object_get(data, "pagination");
            pages = (u64)json_integer_value(json_object_get(pagination, "total_pages"));
            if (!data) load_fault(l, NULL, "GET /orders%s is refused", query);
            json_decref(data);
        }
    for (u32 i = 0; i < l->count; i++) {
        const struct note *n = &l->notes[i];
        bool listed = note_is_open(n) || l->traders[n->trader].turn - n->turn < LISTED;
        if (n->id && listed && n->seen != a->number)
            load_fault(l, n, "its wallet's list does not have it");
    }
}

static int by_number(const void *a, const void *b)
{
    const u64 *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void ids_are_unique(struct audit *a)
{
    struct load *l = a->load;
    u64 *ids = calloc(l->count + 1, sizeof *ids);
    u64 n = 0, open = 0;
    CHECK(ids);
    for (u32 i = 0; i < l->count; i++) {
        if (l->notes[i].id) ids[n++] = l->notes[i].id;
        open += note_is_open(&l->notes[i]);
    }
    qsort(ids, n, sizeof *ids, by_number);
    for (u64 i = 1; i < n; i++)
        if (ids[i] == ids[i - 1]) load_fault(l, NULL, "order id %lu was given twice", ids[i]);
    free(ids);
    a->orders = n;
    a->open = open;
}

/* Recent orders sent again: filled, open or refused, they are answered as before. */
static void repeat_some(struct load *l)
{
    for (u32 i = 0; l->count && i < REPEATS; i++) {
        u32 back = (u32)(client_random(&l->seed) % min_u64(l->count, RECENT * LOAD_TRADERS / 2));
        struct note *n = &l->notes[l->count - 1 - back];
        if (l->traders[n->trader].turn - n->turn < RECENT) load_repeat(l, n);
    }
    client_drain(&l->client);
}

/* --- Balances ----------------------------------------------------------------------------------*/

static const json_t *row_of(const json_t *rows, const char *token)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *name = json_string_value(json_object_get(row, "token"));
        if (name && !strcmp(name, token)) return row;
    }
    return NULL;
}

static const char *token_of(u32 i)
{
    return i ? client_bases[i - 1] : "USDC";
}

/* What the trader's open orders must hold of a token: of a base all that is left to sell; of the
 * quote at least what is left to buy. */
static u64 needed(const struct load *l, u32 trader, u32 token)
{
    u64 sum = 0;
    for (u32 i = 0; i < l->count; i++) {
        const struct note *n = &l->notes[i];
        const struct order_spec *o = &n->spec;
        if (n->trader != trader || !note_is_open(n)) continue;
        u64 left = o->amount - n->filled;
        if (token == 0 && o->side == 0) sum += (u64)((u128)left * o->price / E8);
        if (token && o->side == 1 && o->market == token - 1) sum += left;
    }
    return sum;
}

/* Adds the trader's totals to `sums`. */
static void look_at_wallet(struct audit *a, u32 trader, u64 sums[CLIENT_MARKETS + 1])
{
    struct load *l = a->load;
    const char *wallet = l->traders[trader].wallet.text;
    json_t *rows = client_get(&l->client, &l->traders[trader].wallet, API "/balances", NULL);
    for (u32 t = 0; t <= CLIENT_MARKETS; t++) {
        const json_t *row = row_of(rows, token_of(t));
        u64 total = client_e8(row, "total"), frozen = client_e8(row, "settled_frozen");
        if (!row || total == UINT64_MAX || frozen == UINT64_MAX) {
            load_fault(l, NULL, "%s has no balance of %s", wallet, token_of(t));
            continue;
        }
        u64 need = needed(l, trader, t);
        if (t ? frozen != need : frozen < need)
            load_fault(l, NULL, "%s has %lu of %s frozen, its open orders need %lu", wallet, frozen,
                       token_of(t), need);
        sums[t] += total;
    }
    json_decref(rows);
}

static void balances_add_up(struct audit *a, const json_t *status)
{
    struct load *l = a->load;
    u64 sums[CLIENT_MARKETS + 1] = {0};
    for (u32 t = 0; t < LOAD_TRADERS; t++) look_at_wallet(a, t, sums);
    for (u32 t = 0; t <= CLIENT_MARKETS; t++) {
        u64 credited = 0;
        u64 fees = client_e8(row_of(json_object_get(status, "tokens"), token_of(t)), "fees");
        for (u32 i = 0; i < LOAD_TRADERS; i++) credited += l->traders[i].deposits[t];
        if (sums[t] + fees != credited)
            load_fault(l, NULL, "%s: wallets have %lu, fees %lu, credited were %lu", token_of(t),
                       sums[t], fees, credited);
    }
    if (!json_is_true(json_object_get(status, "conserved")))
        load_fault(l, NULL, "eidosctl status does not say that tokens are conserved");
}

/* --- Depth -------------------------------------------------------------------------------------*/

struct level {
    u64 price, amount;
};

static int by_price(const void *a, const void *b)
{
    const struct level *x = a, *y = b;
    return x->price < y->price ? -1 : x->price > y->price;
}

/* Levels of the open orders as the wallets' own lists show them, ascending. */
static u32 own_levels(struct audit *a, u8 market, u8 side, struct level levels[LEVELS_MAX])
{
    u32 count = 0;
    for (u32 i = 0; i < a->load->count; i++) {
        const struct note *n = &a->load->notes[i];
        if (!note_is_open(n) || n->spec.market != market || n->spec.side != side) continue;
        u32 at = 0;
        while (at < count && levels[at].price != n->spec.price) at++;
        CHECK(at < LEVELS_MAX);
        if (at == count) levels[count++] = (struct level){.price = n->spec.price};
        levels[at].amount += n->spec.amount - n->filled;
    }
    qsort(levels, count, sizeof *levels, by_price);
    return count;
}

static u64 e8_of(const json_t *text)
{
    json_t *box = json_pack("{sO}", "v", text);
    u64 value = client_e8(box, "v");
    json_decref(box);
    return value;
}

static u32 shown_levels(const json_t *rows, struct level levels[LEVELS_MAX])
{
    size_t count = min_u64(json_array_size(rows), LEVELS_MAX);
    for (size_t i = 0; i < count; i++) {
        const json_t *row = json_array_get(rows, i);
        levels[i] = (struct level){e8_of(json_array_get(row, 0)), e8_of(json_array_get(row, 1))};
    }
    qsort(levels, count, sizeof *levels, by_price);
    return (u32)count;
}

/* One look at a market's depth; market data may trail a little. Says the first difference. */
static bool depth_agrees(struct audit *a, u8 market, char *why, size_t size)
{
    static struct level own[LEVELS_MAX], shown[LEVELS_MAX];
    static const char *const names[] = {"bids", "asks"};
    char path[64];
    snprintf(path, sizeof path, API "/depth/%s?limit=1000", client_markets[market]);
    json_t *depth = client_ask(&a->load->client, "GET", path, NULL, NULL, NULL);
    bool same = depth != NULL;
    snprintf(why, size, "there is no depth");
    for (u8 side = 0; side < 2 && same; side++) {
        u32 n = own_levels(a, market, side, own);
        u32 m = shown_levels(json_object_get(depth, names[side]), shown);
        same = n == m && !memcmp(own, shown, n * sizeof *own);
        snprintf(why, size, "%s: %u levels of open orders, %u shown", names[side], n, m);
        for (u32 i = 0; i < n && i < m && !same; i++)
            if (memcmp(&own[i], &shown[i], sizeof *own) != 0) {
                snprintf(why, size, "%s: orders add up to %lu at %lu, shown is %lu at %lu",
                         names[side], own[i].amount, own[i].price, shown[i].amount, shown[i].price);
                break;
            }
    }
    u64 sequence = (u64)json_integer_value(json_object_get(depth, "sequence"));
    if (same && sequence < a->depth_sequence[market])
        load_fault(a->load, NULL, "depth of %s went back from sequence %lu to %lu",
                   client_markets[market], a->depth_sequence[market], sequence);
    if (same) a->depth_sequence[market] = sequence;
    json_decref(depth);
    return same;
}

static void depth_is_the_orders(struct audit *a, u8 market)
{
    char why[200];
    u64 until = exchange_ms() + TRAIL_MS;
    while (!depth_agrees(a, market, why, sizeof why)) {
        if (exchange_ms() > until) {
            load_fault(a->load, NULL, "depth of %s: %s", client_markets[market], why);
            return;
        }
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
}

/* --- Trades ------------------------------------------------------------------------------------*/

static const struct audit_trade *known_trade(const struct audit *a, u8 market, u64 id)
{
    for (u32 i = 0; i < a->trade_count[market]; i++)
        if (a->trades[market][i].id == id) return &a->trades[market][i];
    return NULL;
}

/* Newest first, ids descending; one seen before is as it was, one not seen is newer than those. */
static void trades_stand(struct audit *a, u8 market)
{
    static struct audit_trade fresh[AUDIT_TRADES];
    struct load *l = a->load;
    char path[64];
    u32 had = a->trade_count[market];
    u64 newest = had ? a->trades[market][0].id : 0;
    u64 oldest = had ? a->trades[market][had - 1].id : 0;
    snprintf(path, sizeof path, API "/trades/%s/recent?limit=500", client_markets[market]);
    json_t *rows = client_ask(&l->client, "GET", path, NULL, NULL, NULL);
    u32 count = (u32)min_u64(json_array_size(rows), AUDIT_TRADES);
    for (u32 i = 0; i < count; i++) {
        const json_t *row = json_array_get(rows, i);
        fresh[i] = (struct audit_trade){client_id(row, "trade_id"), client_e8(row, "price"),
                                        client_e8(row, "amount")};
        const struct audit_trade *old = known_trade(a, market, fresh[i].id);
        if (i && fresh[i].id >= fresh[i - 1].id)
            load_fault(l, NULL, "%s: trade %lu stands behind %lu", client_markets[market],
                       fresh[i].id, fresh[i - 1].id);
        bool between = fresh[i].id < newest && fresh[i].id > oldest;
        if (old ? memcmp(old, &fresh[i], sizeof *old) != 0 : between)
            load_fault(l, NULL, "%s: trade %lu is not what it was", client_markets[market],
                       fresh[i].id);
    }
    if (count < had || (count && fresh[0].id < newest))
        load_fault(l, NULL, "%s: %u trades up to %lu, there were %u up to %lu",
                   client_markets[market], count, count ? fresh[0].id : 0, had, newest);
    memcpy(a->trades[market], fresh, count * sizeof *fresh);
    a->trade_count[market] = count;
    json_decref(rows);
}

/* --- The whole ---------------------------------------------------------------------------------*/

static void sequences_go_on(struct audit *a, const json_t *status)
{
    u64 sequence = (u64)json_integer_value(json_object_get(status, "sequence"));
    u64 durable = (u64)json_integer_value(json_object_get(status, "durable_sequence"));
    if (durable < a->durable || durable > sequence)
        load_fault(a->load, NULL, "sequence %lu, on disk %lu; on disk was %lu", sequence, durable,
                   a->durable);
    a->sequence = sequence;
    a->durable = durable;
}

void audit_fund(struct audit *a)
{
    static const char *const amounts[] = {"3000000", "60", "1000"};
    for (u32 k = 0; k < LOAD_TRADERS; k++) {
        struct trader *t = &a->load->traders[k];
        for (u32 i = 0; i <= CLIENT_MARKETS; i++) {
            exchange_credit(a->exchange, t->wallet.text, token_of(i), amounts[i]);
            t->deposits[i] = strtoull(amounts[i], NULL, 10) * E8;
        }
    }
}

void audit_look(struct audit *a)
{
    json_t *status = exchange_status(a->exchange);
    if (!status) load_fault(a->load, NULL, "no status: %s", a->exchange->said);
    else sequences_go_on(a, status);
    json_decref(status);
}

void audit_all(struct audit *a)
{
    a->number++;
    repeat_some(a->load);
    ask_each(a);
    list_each(a);
    ids_are_unique(a);
    json_t *status = exchange_status(a->exchange);
    if (!status) {
        load_fault(a->load, NULL, "no status: %s", a->exchange->said);
        return;
    }
    sequences_go_on(a, status);
    balances_add_up(a, status);
    json_decref(status);
    for (u8 m = 0; m < CLIENT_MARKETS; m++) {
        depth_is_the_orders(a, m);
        trades_stand(a, m);
    }
}

bool audit_settled(struct audit *a, u64 ms)
{
    bool settled = load_settle(a->load, ms);
    if (settled) {
        audit_all(a);
    } else {
        printf("%u orders never get an answer\n", a->load->unknown_count);
    }
    bool fine = settled && !a->load->faults;
    if (!fine) exchange_show_logs(a->exchange);
    return fine;
}
