/* Markets and tokens: decimals become exact integers, and what could overflow is refused. */
#include "procs/lib/config_markets.h"
#include "shm/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char file[] = "/tmp/eidos-test-markets-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(file);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(file);
}

static struct config_source source_of(const char *text)
{
    struct config_source source = {.dir = {"/nowhere"}, .markets_file = file};
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return source;
}

static void assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("\"%s\" does not say \"%s\"", text, part);
}

#define TOKENS "[token USDC]\ndecimals = 8\n[token BTC]\ndecimals = 8\n"
#define MARKET TOKENS "[market BTC-USDC]\n"
#define PAIR   MARKET "base = BTC\nquote = USDC\n"
#define STEPS  PAIR "tick_size = 0.01\nlot_size = 0.00001\n"
#define WHOLE  STEPS "min_amount = 0.00001\nmax_amount = 1000\n"

static void defaults_are_the_documented_markets(void **state)
{
    (void)state;
    static struct markets_conf m;
    const struct config_source source = {.dir = {"/nowhere"}};
    assert_int_equal(config_markets_load(&m, &source, 1), 0);
    assert_int_equal(m.tokens, 3);
    assert_int_equal(m.markets, 2);
    const struct market_conf *btc = &m.market[config_market_find(&m, "BTC-USDC")];
    assert_string_equal(m.token[btc->base].symbol, "BTC");
    assert_string_equal(m.token[btc->quote].symbol, "USDC");
    assert_int_equal(m.token[btc->quote].decimals, 8);
    assert_int_equal(btc->tick_wad, 10000000000000000UL);
    assert_int_equal(btc->lot_wad, 10000000000000UL);
    assert_int_equal(btc->price_decimals, 2);
    assert_int_equal(btc->amount_decimals, 5);
    assert_int_equal(btc->lot_units, 1000);
    assert_int_equal(btc->tick_lot, 10);
    assert_int_equal(btc->price_max, 1000000000);
    assert_int_equal(btc->lots_min, 1);
    assert_int_equal(btc->lots_max, 100000000);
    assert_int_equal(btc->notional_min, 1000000000);
    assert_int_equal(btc->notional_max, 100000000000000UL);
    assert_int_equal(btc->maker_rate, RATE_ONE / 1000);
    assert_int_equal(btc->taker_rate, RATE_ONE / 1000);
    assert_int_equal(btc->mode, MODE_NORMAL);
    const struct market_conf *eth = &m.market[config_market_find(&m, "ETH-USDC")];
    assert_int_equal(eth->amount_decimals, 4);
    assert_int_equal(eth->lot_units, 10000);
    assert_int_equal(eth->tick_lot, 100);
    assert_int_equal(eth->lots_max, 100000000);
    assert_int_equal(config_market_find(&m, "ETH-BTC"), -1);
    assert_int_equal(config_token_find(&m, "ETH"), 2);
}

static void unwritten_keys_have_their_defaults(void **state)
{
    (void)state;
    static struct markets_conf written, unwritten;
    struct config_source source = source_of(WHOLE);
    if (config_markets_load(&unwritten, &source, 1)) fail_msg("%s", err_text());
    source = source_of(WHOLE "max_price = 10000000\nmin_notional = 10\nmax_notional = 1000000\n"
                             "maker_fee_rate = 0.001\ntaker_fee_rate = 0.001\nmatching = 0\n"
                             "status = active\n");
    if (config_markets_load(&written, &source, 1)) fail_msg("%s", err_text());
    assert_memory_equal(&written, &unwritten, sizeof written);
}

static void command_line_changes_one_value(void **state)
{
    (void)state;
    static struct markets_conf m;
    struct config_source source = source_of(WHOLE);
    source.set[source.sets++] = "market.BTC-USDC.tick_size=0.5";
    source.set[source.sets++] = "api.port=1";
    source.set[source.sets++] = "market.BTC-USDC.tick_size=2.50";
    source.set[source.sets++] = "market.BTC-USDC.status=suspended";
    source.set[source.sets++] = "market.BTC-USDC.matching=1";
    source.set[source.sets++] = "market.BTC-USDC.taker_fee_rate=0.000000001";
    if (config_markets_load(&m, &source, 2)) fail_msg("%s", err_text());
    assert_int_equal(m.market[0].tick_wad, 2500000000000000000UL);
    assert_int_equal(m.market[0].price_decimals, 1);
    assert_int_equal(m.market[0].tick_lot, 2500);
    assert_int_equal(m.market[0].price_max, 4000000);
    assert_int_equal(m.market[0].mode, MODE_HALTED);
    assert_int_equal(m.market[0].matching, 1);
    assert_int_equal(m.market[0].taker_rate, 1);
}

static const struct {
    const char *text, *error;
} REFUSED[] = {
    {"", ": there is no [market]; add one"},
    {"decimals = 1\n", ":1: decimals stands before the first section"},
    {"[tokens A]\n", ":1: [tokens A]: expected [token SYMBOL] or [market BASE-QUOTE]"},
    {"[token usdc]\n", "a token is 2 to 10 of A-Z and 0-9"},
    {"[token A]\n", "a token is 2 to 10"},
    {"[token ABCDEFGHIJK]\n", "a token is 2 to 10"},
    {"[market BTCUSDC]\n", "a market is two tokens with a -"},
    {"[token AB]\n[token AB]\n", ":2: [token AB] stands twice; first in line 1"},
    {"[token AB]\n", ":1: [token AB] lacks decimals"},
    {"[token AB]\ndecimals = 19\n", ":2: AB.decimals = 19: expected a whole number from 0 to 18"},
    {"[token AB]\ndecimal = 8\n", ":2: AB.decimal: there is no such key"},
    {"[token AB]\ndecimals = 8\ndecimals = 8\n", ":3: AB.decimals is set twice; first in line 2"},
    {PAIR, ":5: [market BTC-USDC] lacks tick_size"},
    {STEPS "min_amount = 1\n", ":5: [market BTC-USDC] lacks max_amount"},
    {WHOLE "[market USDC-BTC]\nbase = BTC\nquote = USDC\ntick_size = 1\nlot_size = 1\n"
           "min_amount = 1\nmax_amount = 1\n",
     "the section's name must be BASE-QUOTE"},
    {TOKENS "[market BTC-EUR]\nbase = BTC\nquote = EUR\ntick_size = 1\nlot_size = 1\n"
            "min_amount = 1\nmax_amount = 1\n",
     ":7: BTC-EUR.quote = EUR: there is no such [token]"},
    {TOKENS "[market BTC-BTC]\nbase = BTC\nquote = BTC\ntick_size = 1\nlot_size = 1\n"
            "min_amount = 1\nmax_amount = 1\n",
     "base and quote are the same token"},
};

/* One value of a good market changed: key=value -> what the error says. */
static const struct {
    const char *set, *error;
} BAD_VALUES[] = {
    {"tick_size=0", "must be above zero"},
    {"lot_size=0", "must be above zero"},
    {"tick_size=-1", "expected a decimal number such as 10 or 0.01"},
    {"tick_size=1e2", "expected a decimal number"},
    {"tick_size=0.0000000000000000001", "more than 18 digits after the point"},
    {"tick_size=10", "must stay below 2^63 units"},
    {"tick_size=0.0001", "tick_size x lot_size is not a whole number of quote ledger units"},
    {"lot_size=0.000000001", "finer than the ledger keeps the base token"},
    {"min_amount=0", "must be a positive multiple of lot_size"},
    {"min_amount=0.000015", "must be a positive multiple of lot_size"},
    {"min_amount=1001", "larger than max_amount"},
    {"max_amount=100000000000", "reaches 2^63 quote ledger units"},
    {"max_price=0.015", "must be a positive multiple of tick_size"},
    {"max_price=0", "must be a positive multiple of tick_size"},
    {"max_price=100000000", "BTC-USDC.max_price = 100000000: max_price x max_amount x (1 + fee)"},
    {"min_notional=1000001", "larger than max_notional"},
    {"min_notional=0.000000001", "more than 8 digits after the point; round it"},
    {"max_notional=99999999999999", "must stay below 2^63 units"},
    {"maker_fee_rate=1.1", "a rate lies between 0 and 1"},
    {"taker_fee_rate=0.0000000001", "more than 9 digits after the point"},
    {"matching=1", "must be a whole number below matching.workers"},
    {"matching=x", "must be a whole number below matching.workers"},
    {"status=open", "expected active, cancel_only or suspended"},
    {"colour=red", "there is no such key"},
    {"tick_size=000000000000000000000000000000000000000000000001", "longer than 47 characters"},
};

static void bad_files_are_refused_by_line(void **state)
{
    (void)state;
    static struct markets_conf m;
    for (size_t i = 0; i < COUNT_OF(REFUSED); i++) {
        const struct config_source source = source_of(REFUSED[i].text);
        if (config_markets_load(&m, &source, 1) == 0) fail_msg("accepted: %s", REFUSED[i].text);
        assert_contains(err_text(), file);
        assert_contains(err_text(), REFUSED[i].error);
    }
}

static void bad_values_are_refused(void **state)
{
    (void)state;
    static struct markets_conf m;
    for (size_t i = 0; i < COUNT_OF(BAD_VALUES); i++) {
        char set[128];
        struct config_source source = source_of(WHOLE);
        snprintf(set, sizeof set, "market.BTC-USDC.%s", BAD_VALUES[i].set);
        source.set[source.sets++] = set;
        if (config_markets_load(&m, &source, 1) == 0) fail_msg("accepted: %s", set);
        assert_contains(err_text(), BAD_VALUES[i].error);
    }
}

static void bad_overrides_are_refused(void **state)
{
    (void)state;
    static struct markets_conf m;
    static const char *const SETS[][2] = {
        {"market.BTC-USDC=1", "expected market.SYMBOL.key=value"},
        {"market.BTC-USDC.tick_size", "expected market.SYMBOL.key=value"},
        {"market.BTC-EUR.tick_size=1", "BTC-EUR is in no section of"},
        {"token.BTC.decimals=x", "BTC.decimals = x: expected a whole number"},
    };
    for (size_t i = 0; i < COUNT_OF(SETS); i++) {
        struct config_source source = source_of(WHOLE);
        source.set[source.sets++] = SETS[i][0];
        assert_int_equal(config_markets_load(&m, &source, 1), -1);
        assert_contains(err_text(), SETS[i][1]);
    }
}

/* The bound itself: with a rate of 0, price_max x lots_max x tick_lot = 2^63 - 1 passes (one token
 * unit at 2^63 - 1), one more does not. */
static void the_last_value_below_the_limit_is_accepted(void **state)
{
    (void)state;
    static struct markets_conf m;
    struct config_source source =
        source_of("[token AA]\ndecimals = 0\n[token BB]\ndecimals = 0\n[market AA-BB]\nbase = AA\n"
                  "quote = BB\ntick_size = 1\nlot_size = 1\nmin_amount = 1\nmax_amount = 1\n"
                  "max_price = 9223372036854775807\nmaker_fee_rate = 0\ntaker_fee_rate = 0\n");
    if (config_markets_load(&m, &source, 1)) fail_msg("%s", err_text());
    assert_int_equal(m.market[0].price_max, INT64_MAX);
    source.set[source.sets++] = "market.AA-BB.taker_fee_rate=0.000000001";
    assert_int_equal(config_markets_load(&m, &source, 1), -1);
    assert_contains(err_text(), "reaches 2^63");
    source.set[0] = "market.AA-BB.max_price=9223372036854775808";
    assert_int_equal(config_markets_load(&m, &source, 1), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_documented_markets),
        cmocka_unit_test(unwritten_keys_have_their_defaults),
        cmocka_unit_test(command_line_changes_one_value),
        cmocka_unit_test(bad_files_are_refused_by_line),
        cmocka_unit_test(bad_values_are_refused),
        cmocka_unit_test(bad_overrides_are_refused),
        cmocka_unit_test(the_last_value_below_the_limit_is_accepted),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
