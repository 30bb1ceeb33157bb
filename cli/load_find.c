/* load_find.c: what the exchange trades and at which prices; wallets and what they own. Everything
 * but the funds comes over the public API, so that it works against any address. */
#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "cli/load.h"
#include "cli/ops.h"
#include "procs/lib/decimal.h"
#include "shm/err.h"

#define ANSWER_MAX (4UL << 20)
#define TIMEOUT_S  10L
#define FUNDS      1000000U /* quote that each wallet gets, and as much in base */
#define WAD        ((u128)1000000000000000000UL)

struct text {
    char *at;
    size_t len;
};

static size_t collect(char *bytes, size_t size, size_t count, void *context)
{
    struct text *t = context;
    size_t n = size * count;
    char *more = t->len + n < ANSWER_MAX ? realloc(t->at, t->len + n + 1) : NULL;
    if (!more) return 0;
    t->at = more;
    memcpy(t->at + t->len, bytes, n);
    t->len += n;
    t->at[t->len] = '\0';
    return n;
}

/* GET a path; `w` signs it, or NULL. The envelope's data, which the caller frees, or NULL with err.
 */
static json_t *get(const struct load *l, const char *path, const struct client_wallet *w)
{
    static CURL *easy;
    char url[400], header[CLIENT_HEADER];
    struct text text = {0};
    struct curl_slist *headers = NULL;
    if (!easy && !(easy = curl_easy_init())) {
        err_set("libcurl does not start");
        return NULL;
    }
    snprintf(url, sizeof url, "http://%s%s", l->host, path);
    if (w) client_header(&l->domain, w, "GET", path, cli_unix_ns() / 1000000, header);
    if (w) headers = curl_slist_append(headers, header);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &text);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, TIMEOUT_S);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    CURLcode bad = curl_easy_perform(easy);
    json_t *envelope = bad ? NULL : json_loadb(text.at ? text.at : "", text.len, 0, NULL);
    json_t *code = json_object_get(envelope, "code"), *data = json_object_get(envelope, "data");
    if (bad) err_set("GET %s: %s", url, curl_easy_strerror(bad));
    else if (!json_is_integer(code)) err_set("GET %s: the answer is not the exchange's", url);
    else if (json_integer_value(code))
        err_set("GET %s: refused with code %lld", url, json_integer_value(code));
    else json_incref(data);
    if (bad || !json_is_integer(code) || json_integer_value(code)) data = NULL;
    json_decref(envelope);
    curl_slist_free_all(headers);
    free(text.at);
    return data;
}

static u128 wad_of(const json_t *object, const char *field)
{
    const char *text = json_string_value(json_object_get(object, field));
    u128 wad;
    if (!text || decimal_parse(text, strlen(text), 18, &wad)) return 0;
    return wad;
}

/* --- Markets -----------------------------------------------------------------------------------*/

/* Where trading is now, or a plausible begin. */
static u128 price_of(const json_t *tickers, const char *symbol)
{
    size_t i;
    json_t *t;
    json_array_foreach(tickers, i, t)
    {
        const char *market = json_string_value(json_object_get(t, "market"));
        if (!market || strcmp(market, symbol) != 0) continue;
        u128 last = wad_of(t, "last_price"), bid = wad_of(t, "best_bid");
        u128 ask = wad_of(t, "best_ask");
        if (bid && ask) return (bid + ask) / 2;
        if (last) return last;
    }
    if (!strncmp(symbol, "BTC-", 4)) return 50000 * WAD;
    return !strncmp(symbol, "ETH-", 4) ? 3000 * WAD : 100 * WAD;
}

static int read_market(struct load *l, const json_t *m, const json_t *tickers)
{
    struct load_market *to = &l->markets[l->market_count];
    const char *symbol = json_string_value(json_object_get(m, "symbol"));
    const char *base = json_string_value(json_object_get(m, "base_token"));
    const char *quote = json_string_value(json_object_get(m, "quote_token"));
    const char *status = json_string_value(json_object_get(m, "status"));
    u128 tick = wad_of(m, "tick_size"), lot = wad_of(m, "lot_size");
    if (!symbol || !base || !quote || !tick || !lot)
        return err_set("/markets shows a market without symbol, tokens, tick_size or lot_size");
    if (status && strcmp(status, "active") != 0) return 0;
    *to = (struct load_market){.tick_wad = tick, .lot_wad = lot};
    snprintf(to->symbol, sizeof to->symbol, "%s", symbol);
    snprintf(to->base, sizeof to->base, "%s", base);
    snprintf(to->quote, sizeof to->quote, "%s", quote);
    u128 price = price_of(tickers, symbol) / tick * tick;
    to->mid = (u64)(price / tick);
    to->step = max_u64(1, to->mid / 10000);
    if (to->mid <= 60 * to->step) return err_set("%s trades too near to its tick size", symbol);
    /* a third of 1.5 times the least notional, and of the least amount */
    u128 lot_cost = price / 1000000000U * (lot / 1000000000U); /* x 10^18 */
    if (!lot_cost) lot_cost = 1;
    u128 least = wad_of(m, "min_notional") / 2, lots = wad_of(m, "min_amount") / lot;
    to->unit = max_u64(max_u64((u64)((least + lot_cost - 1) / lot_cost), (u64)lots), 1);
    to->unit_quote = lot_cost * to->unit;
    l->market_count++;
    return 0;
}

int find_markets(struct load *l)
{
    json_t *markets = get(l, "/api/v1/markets", NULL), *tickers, *m;
    size_t i;
    int result = 0;
    if (!markets) return -1;
    tickers = get(l, "/api/v1/tickers", NULL);
    json_array_foreach(markets, i, m) if (!result && l->market_count < LOAD_MARKETS_MAX) result =
        read_market(l, m, tickers);
    json_decref(markets);
    json_decref(tickers);
    if (!result && !l->market_count) return err_set("no market is active");
    return result;
}

/* --- Wallets -----------------------------------------------------------------------------------*/

static int read_keys(struct load *l)
{
    char line[200];
    FILE *f = fopen(l->keys_file, "re");
    if (!f) return err_sys("%s", l->keys_file);
    u32 n = 0;
    int result = 0;
    for (u32 at = 1; n < l->user_count && fgets(line, sizeof line, f); at++) {
        size_t len = strcspn(line, " \t\r\n");
        if (!len || line[0] == '#') continue;
        if (!hex_parse(line, len, l->users[n].wallet.key, SECP_KEY)) {
            result = err_set("%s line %u: expected a private key, 0x and 64 hex digits",
                             l->keys_file, at);
            break;
        }
        if ((result = client_wallet_of_key(&l->users[n].wallet))) break;
        n++;
    }
    fclose(f);
    if (!result && n < l->user_count)
        return err_set("%s has %u keys, and %u users need one each; add keys or use a smaller "
                       "--scale",
                       l->keys_file, n, l->user_count);
    return result;
}

static int credit(struct load *l, struct ops *ops, const struct load_user *u, const char *token,
                  u128 wad)
{
    const struct rules *rules = segment_object(&l->segment, "rules");
    u16 index = rules_find_token(rules, token, strlen(token));
    u64 seq, scale = 1;
    if (index == NO_TOKEN) return err_set("there is no token %s", token);
    for (u32 d = rules->tokens[index].decimals; d < 18; d++) scale *= 10;
    return ops_credit(ops, u->wallet.address, index, (u64)(wad / scale), &seq);
}

static int fund_all(struct load *l)
{
    struct ops ops = {0};
    int result = ops_open(&ops, &l->own, &l->segment);
    for (u32 i = 0; i < l->user_count && !result; i++) {
        const struct load_user *u = &l->users[i];
        const struct load_market *m = &l->markets[u->market];
        u128 one = m->unit_quote / m->unit; /* what a lot costs */
        u128 lots = FUNDS * WAD / (one ? one : 1);
        result = credit(l, &ops, u, m->quote, FUNDS * WAD);
        if (!result) result = credit(l, &ops, u, m->base, lots * m->lot_wad);
    }
    ops_close(&ops);
    return result;
}

/* Over an address nobody gives funds: they have to be there. */
static int look_for_funds(struct load *l)
{
    u32 look = (u32)min_u64(l->user_count, 20); /* the query limits are not ours to spend */
    for (u32 i = 0; i < look; i++) {
        const struct load_user *u = &l->users[(u64)i * l->user_count / look];
        const struct load_market *m = &l->markets[u->market];
        json_t *balances = get(l, "/api/v1/balances", &u->wallet), *b;
        u128 have[2] = {0}, need[2] = {m->unit_quote * 200, (u128)m->unit * m->lot_wad * 200};
        size_t k;
        if (!balances) return -1;
        json_array_foreach(balances, k, b)
        {
            const char *token = json_string_value(json_object_get(b, "token"));
            if (token && !strcmp(token, m->quote)) have[0] = wad_of(b, "total_available");
            if (token && !strcmp(token, m->base)) have[1] = wad_of(b, "total_available");
        }
        json_decref(balances);
        for (u32 t = 0; t < 2; t++)
            if (have[t] < need[t])
                return err_set("wallet %s has %s %s available and needs about %s; fund the wallets "
                               "of %s",
                               u->wallet.text, cli_decimal(have[t], 18), t ? m->base : m->quote,
                               cli_decimal(need[t], 18), l->keys_file);
    }
    return 0;
}

int find_wallets(struct load *l)
{
    u32 most = 1;
    for (u32 p = 0; p < l->plans; p++)
        for (u32 s = 0; s < l->plan[p].steps; s++)
            most = (u32)max_u64(most, l->plan[p].step[s].users);
    l->user_count = most;
    l->users = calloc(most, sizeof *l->users);
    if (!l->users) return err_set("memory is short for %u users", most);
    for (u32 i = 0; i < most; i++) l->users[i].market = i % l->market_count;
    if (l->keys_file && read_keys(l)) return -1;
    for (u32 i = 0; i < most && !l->keys_file; i++)
        if (client_wallet_random(&l->users[i].wallet)) return -1;
    return l->local ? fund_all(l) : look_for_funds(l);
}
