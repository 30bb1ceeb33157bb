#include "procs/lib/config_markets.h"

#include "procs/lib/config_ini.h"
#include "procs/lib/decimal.h"
#include "shm/err.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define VALUE_MAX   48 /* of a value as text, with its NUL */
#define WAD_DIGITS  18U
#define RATE_DIGITS 9U

/* --- What may stand in a section --- */

struct key {
    const char *name, *initial; /* initial NULL: must be given */
};

enum { TOKEN_DECIMALS, MIN_WITHDRAW, TOKEN_KEYS };
static const struct key TOKEN_KEY[TOKEN_KEYS] = {
    [TOKEN_DECIMALS] = {"decimals", NULL},
    [MIN_WITHDRAW] = {"min_withdraw", "0"},
};

enum {
    BASE,
    QUOTE,
    TICK_SIZE,
    LOT_SIZE,
    MIN_AMOUNT,
    MAX_AMOUNT,
    MAX_PRICE,
    MIN_NOTIONAL,
    MAX_NOTIONAL,
    MAKER_FEE_RATE,
    TAKER_FEE_RATE,
    MATCHING,
    STATUS,
    MARKET_KEYS
};
static const struct key MARKET_KEY[MARKET_KEYS] = {
    [BASE] = {"base", NULL},
    [QUOTE] = {"quote", NULL},
    [TICK_SIZE] = {"tick_size", NULL},
    [LOT_SIZE] = {"lot_size", NULL},
    [MIN_AMOUNT] = {"min_amount", NULL},
    [MAX_AMOUNT] = {"max_amount", NULL},
    [MAX_PRICE] = {"max_price", "10000000"},
    [MIN_NOTIONAL] = {"min_notional", "10"},
    [MAX_NOTIONAL] = {"max_notional", "1000000"},
    [MAKER_FEE_RATE] = {"maker_fee_rate", "0.001"},
    [TAKER_FEE_RATE] = {"taker_fee_rate", "0.001"},
    [MATCHING] = {"matching", "0"},
    [STATUS] = {"status", "active"},
};

/* --- The text, before it means anything --- */

/* A value as written and where: a line of the file, 0 for --set or an unwritten default. */
struct value {
    char text[VALUE_MAX];
    u32 line;
    bool given;
};

struct section {
    char symbol[SYMBOL_BYTES];
    u32 line;
    struct value value[MARKET_KEYS];
};

struct sections {
    const char *file;
    u32 tokens, markets;
    struct section token[CONFIG_SYMBOLS_MAX], market[CONFIG_SYMBOLS_MAX];
};

/* "market BTC-USDC" or "token BTC" -> kind and symbol. */
static const char *symbol_of(const char *section, bool *is_market)
{
    *is_market = strncmp(section, "market ", 7) == 0;
    if (*is_market) return section + 7;
    return strncmp(section, "token ", 6) == 0 ? section + 6 : NULL;
}

static struct section *section_find(struct section *list, u32 count, const char *symbol)
{
    for (u32 i = 0; i < count; i++)
        if (strcmp(list[i].symbol, symbol) == 0) return &list[i];
    return NULL;
}

static size_t word_length(const char *text)
{
    return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
}

static bool is_token_symbol(const char *symbol)
{
    size_t n = word_length(symbol);
    return n >= 2 && n <= 10 && symbol[n] == '\0';
}

static bool is_market_symbol(const char *symbol)
{
    size_t n = word_length(symbol);
    return n >= 2 && n <= 10 && symbol[n] == '-' && is_token_symbol(symbol + n + 1);
}

static int section_begin(struct sections *all, u32 line, const char *name)
{
    bool is_market;
    const char *symbol = symbol_of(name, &is_market);
    if (!symbol) return err_set("[%s]: expected [token SYMBOL] or [market BASE-QUOTE]", name);
    if (is_market ? !is_market_symbol(symbol) : !is_token_symbol(symbol))
        return err_set("[%s]: a token is 2 to 10 of A-Z and 0-9, a market is two tokens with a -",
                       name);
    struct section *list = is_market ? all->market : all->token;
    u32 *count = is_market ? &all->markets : &all->tokens;
    const struct section *twin = section_find(list, *count, symbol);
    if (twin) return err_set("[%s] stands twice; first in line %u", name, twin->line);
    if (*count == CONFIG_SYMBOLS_MAX)
        return err_set("[%s]: no room for more than %d", name, CONFIG_SYMBOLS_MAX);
    struct section *s = &list[(*count)++];
    *s = (struct section){.line = line};
    memcpy(s->symbol, symbol, strlen(symbol));
    return 0;
}

static int value_set(struct section *s, bool is_market, u32 line, const char *key, const char *text)
{
    const struct key *keys = is_market ? MARKET_KEY : TOKEN_KEY;
    u32 count = is_market ? MARKET_KEYS : TOKEN_KEYS, i = 0;
    while (i < count && strcmp(keys[i].name, key) != 0) i++;
    if (i == count)
        return err_set("%s.%s: there is no such key; conf/markets.ini lists them", s->symbol, key);
    struct value *v = &s->value[i];
    if (v->given && line)
        return err_set("%s.%s is set twice; first in line %u", s->symbol, key, v->line);
    if (strlen(text) >= VALUE_MAX)
        return err_set("%s.%s is longer than %d characters", s->symbol, key, VALUE_MAX - 1);
    memcpy(v->text, text, strlen(text) + 1);
    v->line = line;
    v->given = true;
    return 0;
}

static int entry(void *context, u32 line, const char *section, const char *key, const char *value)
{
    struct sections *all = context;
    bool is_market;
    if (!key) return section_begin(all, line, section);
    const char *symbol = symbol_of(section, &is_market);
    if (!symbol) return err_set("%s stands before the first section", key);
    struct section *s = is_market ? section_find(all->market, all->markets, symbol)
                                  : section_find(all->token, all->tokens, symbol);
    CHECK(s);
    return value_set(s, is_market, line, key, value);
}

/* --set market.BTC-USDC.tick_size=0.05 */
static int override(struct sections *all, const char *set)
{
    char name[128];
    bool is_market = strncmp(set, "market.", 7) == 0;
    if (!is_market && strncmp(set, "token.", 6) != 0) return 0;
    size_t len = strcspn(set, "=");
    snprintf(name, sizeof name, "%.*s", (int)min_u64(len, sizeof name), set);
    char *symbol = strchr(name, '.') + 1, *key = strchr(symbol, '.');
    if (!key || set[len] != '=')
        return err_set("--set %s: expected market.SYMBOL.key=value or token.SYMBOL.key=value", set);
    *key++ = '\0';
    struct section *s = is_market ? section_find(all->market, all->markets, symbol)
                                  : section_find(all->token, all->tokens, symbol);
    if (!s) return err_set("--set %s: %s is in no section of %s", set, symbol, all->file);
    return value_set(s, is_market, 0, key, set + len + 1) ? err_wrap("--set") : 0;
}

static int read_sections(struct sections *all, const struct config_source *source, char *path)
{
    const struct config_ini_reader reader = {entry, all};
    snprintf(path, CONFIG_TEXT_MAX + 16, "%s/markets.ini", source->dir.s);
    all->file = source->markets_file ? source->markets_file : path;
    if (source->markets_file || access(path, F_OK) == 0) {
        if (config_ini_read(all->file, &reader)) return -1;
    } else {
        all->file = "conf/markets.ini";
        if (config_ini_parse(all->file, config_default_markets_text,
                             strlen(config_default_markets_text), &reader))
            return -1;
    }
    for (u32 i = 0; i < source->sets; i++)
        if (override(all, source->set[i])) return -1;
    return 0;
}

/* --- From text to numbers --- */

/* One market on its way: where it came from, what it becomes. */
struct conversion {
    const struct sections *all;
    const struct section *from;
    const struct markets_conf *conf;
    struct market_conf *to;
};

static const char *text_of(const struct conversion *c, u32 key)
{
    return c->from->value[key].given ? c->from->value[key].text : MARKET_KEY[key].initial;
}

/* err_set with "file:line: SYMBOL.key = value: cause"; the line is the key's, else the section's.
 */
static int refuse(const struct conversion *c, u32 key, const char *cause)
{
    u32 line = c->from->value[key].line ? c->from->value[key].line : c->from->line;
    return err_set("%s:%u: %s.%s = %s: %s", c->all->file, line, c->from->symbol,
                   MARKET_KEY[key].name, text_of(c, key), cause);
}

static int read_decimal(const struct conversion *c, u32 key, unsigned scale, u128 *out)
{
    char cause[80];
    const char *text = text_of(c, key);
    switch (decimal_parse(text, strlen(text), scale, out)) {
    case DECIMAL_OK: return 0;
    case DECIMAL_SYNTAX: return refuse(c, key, "expected a decimal number such as 10 or 0.01");
    case DECIMAL_TOO_FINE:
        snprintf(cause, sizeof cause, "more than %u digits after the point; round it", scale);
        return refuse(c, key, cause);
    default: return refuse(c, key, "too large");
    }
}

/* A decimal x 10^scale that fits 63 bits. */
static int read_u63(const struct conversion *c, u32 key, unsigned scale, u64 *out)
{
    u128 value;
    if (read_decimal(c, key, scale, &value)) return -1;
    if (value > INT64_MAX) return refuse(c, key, "too large; it must stay below 2^63 units");
    *out = (u64)value;
    return 0;
}

/* A decimal as a whole number of steps of step_wad. */
static int read_steps(const struct conversion *c, u32 key, u64 step_wad, const char *step, u64 *out)
{
    u128 wad;
    char cause[80];
    if (read_decimal(c, key, WAD_DIGITS, &wad)) return -1;
    if (wad == 0 || wad % step_wad) {
        snprintf(cause, sizeof cause, "must be a positive multiple of %s", step);
        return refuse(c, key, cause);
    }
    if (wad / step_wad > INT64_MAX)
        return refuse(c, key, "too large; it must stay below 2^63 steps");
    *out = (u64)(wad / step_wad);
    return 0;
}

static u128 pow10_u128(unsigned n)
{
    u128 p = 1;
    while (n--) p *= 10;
    return p;
}

/* Digits after the point that a wad really uses. */
static u8 decimals_of(u64 wad)
{
    u8 digits = WAD_DIGITS;
    for (; digits && wad % 10 == 0; wad /= 10) digits--;
    return digits;
}

static int read_tokens(const struct conversion *c)
{
    struct market_conf *m = c->to;
    int base = config_token_find(c->conf, text_of(c, BASE));
    int quote = config_token_find(c->conf, text_of(c, QUOTE));
    char symbol[2 * VALUE_MAX];
    if (base < 0) return refuse(c, BASE, "there is no such [token]; add it or correct the name");
    if (quote < 0) return refuse(c, QUOTE, "there is no such [token]; add it or correct the name");
    snprintf(symbol, sizeof symbol, "%s-%s", text_of(c, BASE), text_of(c, QUOTE));
    if (strcmp(symbol, m->symbol) != 0)
        return refuse(c, BASE, "the section's name must be BASE-QUOTE; correct one of them");
    if (base == quote) return refuse(c, QUOTE, "base and quote are the same token");
    m->base = (u16)base;
    m->quote = (u16)quote;
    return 0;
}

/* Tick and lot: each above zero, a lot whole in base units, tick x lot whole in quote units. */
static int read_scales(const struct conversion *c)
{
    struct market_conf *m = c->to;
    u128 base_unit = pow10_u128(WAD_DIGITS - c->conf->token[m->base].decimals); /* in wads */
    u128 quote_unit = pow10_u128(2 * WAD_DIGITS - c->conf->token[m->quote].decimals);
    if (read_u63(c, TICK_SIZE, WAD_DIGITS, &m->tick_wad)) return -1;
    if (read_u63(c, LOT_SIZE, WAD_DIGITS, &m->lot_wad)) return -1;
    if (m->tick_wad == 0) return refuse(c, TICK_SIZE, "must be above zero");
    if (m->lot_wad == 0) return refuse(c, LOT_SIZE, "must be above zero");
    if (m->lot_wad % base_unit)
        return refuse(c, LOT_SIZE,
                      "finer than the ledger keeps the base token; raise its decimals "
                      "or make the lot larger");
    u128 product = (u128)m->tick_wad * m->lot_wad;
    if (product % quote_unit)
        return refuse(c, TICK_SIZE,
                      "tick_size x lot_size is not a whole number of quote ledger "
                      "units; raise the quote's decimals, the tick or the lot");
    if (product / quote_unit > INT64_MAX)
        return refuse(c, TICK_SIZE, "tick_size x lot_size is too large");
    m->lot_units = (u64)(m->lot_wad / base_unit);
    m->tick_lot = (u64)(product / quote_unit);
    m->price_decimals = decimals_of(m->tick_wad);
    m->amount_decimals = decimals_of(m->lot_wad);
    return 0;
}

static int read_bounds(const struct conversion *c)
{
    struct market_conf *m = c->to;
    unsigned quote_decimals = c->conf->token[m->quote].decimals;
    if (read_steps(c, MIN_AMOUNT, m->lot_wad, "lot_size", &m->lots_min) ||
        read_steps(c, MAX_AMOUNT, m->lot_wad, "lot_size", &m->lots_max) ||
        read_steps(c, MAX_PRICE, m->tick_wad, "tick_size", &m->price_max) ||
        read_u63(c, MIN_NOTIONAL, quote_decimals, &m->notional_min) ||
        read_u63(c, MAX_NOTIONAL, quote_decimals, &m->notional_max))
        return -1;
    if (m->lots_min > m->lots_max) return refuse(c, MIN_AMOUNT, "larger than max_amount");
    if (m->notional_min > m->notional_max)
        return refuse(c, MIN_NOTIONAL, "larger than max_notional");
    return 0;
}

static int read_rate(const struct conversion *c, u32 key, u32 *rate)
{
    u64 value = 0;
    if (read_u63(c, key, RATE_DIGITS, &value)) return -1;
    if (value > RATE_ONE) return refuse(c, key, "a rate lies between 0 and 1 (0.001 is 0.1 %)");
    *rate = (u32)value;
    return 0;
}

static int read_rest(const struct conversion *c, u32 workers)
{
    static const char *const MODE[] = {
        [MODE_NORMAL] = "active", [MODE_CANCEL_ONLY] = "cancel_only", [MODE_HALTED] = "suspended"};
    struct market_conf *m = c->to;
    const char *matching = text_of(c, MATCHING), *status = text_of(c, STATUS);
    u64 worker;
    if (read_rate(c, MAKER_FEE_RATE, &m->maker_rate) ||
        read_rate(c, TAKER_FEE_RATE, &m->taker_rate))
        return -1;
    if (decimal_parse_u64(matching, strlen(matching), &worker) != DECIMAL_OK || worker >= workers)
        return refuse(c, MATCHING, "must be a whole number below matching.workers");
    m->matching = (u16)worker;
    while (m->mode < COUNT_OF(MODE) && strcmp(MODE[m->mode], status) != 0) m->mode++;
    if (m->mode == COUNT_OF(MODE))
        return refuse(c, STATUS, "expected active, cancel_only or suspended");
    return 0;
}

/* The largest order this market lets in, with its fee, must fit the ledger's 63 bits. */
static int check_overflow(const struct conversion *c)
{
    const struct market_conf *m = c->to;
    const char *cause =
        "max_price x max_amount x (1 + fee) reaches 2^63 quote ledger units; lower one "
        "of them or the quote's decimals";
    u128 rate = max_u64(m->maker_rate, m->taker_rate);
    u128 quote = (u128)m->price_max * m->lots_max; /* < 2^126 */
    if (quote > INT64_MAX) return refuse(c, MAX_PRICE, cause);
    quote *= m->tick_lot; /* < 2^126 */
    if (quote > INT64_MAX) return refuse(c, MAX_PRICE, cause);
    quote += (quote * rate + RATE_ONE - 1) / RATE_ONE;
    if (quote > INT64_MAX) return refuse(c, MAX_PRICE, cause);
    if ((u128)m->lots_max * m->lot_units > INT64_MAX)
        return refuse(c, MAX_AMOUNT, "reaches 2^63 base ledger units; lower it or the decimals");
    return 0;
}

static int convert_token(const struct sections *all, const struct section *from,
                         struct token_conf *to)
{
    const struct value *v = &from->value[TOKEN_DECIMALS];
    u64 decimals;
    if (!v->given)
        return err_set("%s:%u: [token %s] lacks decimals", all->file, from->line, from->symbol);
    if (decimal_parse_u64(v->text, strlen(v->text), &decimals) != DECIMAL_OK ||
        decimals > WAD_DIGITS)
        return err_set("%s:%u: %s.decimals = %s: expected a whole number from 0 to 18", all->file,
                       v->line ? v->line : from->line, from->symbol, v->text);
    memcpy(to->symbol, from->symbol, sizeof to->symbol);
    to->decimals = (u8)decimals;
    v = &from->value[MIN_WITHDRAW];
    u128 least = 0;
    if (v->given && (decimal_parse(v->text, strlen(v->text), to->decimals, &least) != DECIMAL_OK ||
                     least > INT64_MAX))
        return err_set("%s:%u: %s.min_withdraw = %s: expected a decimal number with at most %u "
                       "digits after the point",
                       all->file, v->line ? v->line : from->line, from->symbol, v->text,
                       to->decimals);
    to->withdraw_least = (u64)least;
    return 0;
}

static int convert_market(const struct conversion *c, u32 workers)
{
    for (u32 k = 0; k < MARKET_KEYS; k++)
        if (!c->from->value[k].given && !MARKET_KEY[k].initial)
            return err_set("%s:%u: [market %s] lacks %s", c->all->file, c->from->line,
                           c->from->symbol, MARKET_KEY[k].name);
    memcpy(c->to->symbol, c->from->symbol, sizeof c->to->symbol);
    if (read_tokens(c) || read_scales(c) || read_bounds(c) || read_rest(c, workers)) return -1;
    return check_overflow(c);
}

static int load(struct sections *all, struct markets_conf *conf, const struct config_source *source,
                u32 workers)
{
    char path[CONFIG_TEXT_MAX + 16];
    if (read_sections(all, source, path)) return -1;
    for (u32 i = 0; i < all->tokens; i++, conf->tokens++)
        if (convert_token(all, &all->token[i], &conf->token[i])) return -1;
    for (u32 i = 0; i < all->markets; i++, conf->markets++) {
        const struct conversion c = {all, &all->market[i], conf, &conf->market[i]};
        if (convert_market(&c, workers)) return -1;
    }
    if (conf->markets == 0) return err_set("%s: there is no [market]; add one", all->file);
    return 0;
}

int config_markets_load(struct markets_conf *conf, const struct config_source *source, u32 workers)
{
    struct sections *all = calloc(1, sizeof *all);
    CHECK(all);
    memset(conf, 0, sizeof *conf);
    int result = load(all, conf, source, workers);
    free(all);
    return result ? err_wrap("markets") : 0;
}

int config_market_find(const struct markets_conf *conf, const char *symbol)
{
    for (u32 i = 0; i < conf->markets; i++)
        if (strcmp(conf->market[i].symbol, symbol) == 0) return (int)i;
    return -1;
}

int config_token_find(const struct markets_conf *conf, const char *symbol)
{
    for (u32 i = 0; i < conf->tokens; i++)
        if (strcmp(conf->token[i].symbol, symbol) == 0) return (int)i;
    return -1;
}
