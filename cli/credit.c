/* credit.c: eidosctl credit: funds out of nothing, for development. */
#include <string.h>

#include "cli/ops.h"
#include "cli/view.h"
#include "procs/lib/decimal.h"
#include "procs/lib/eth/hex.h"
#include "shm/err.h"
#include "shm/ledger.h"

/* The amount in ledger units; 0 or CLI_USAGE. */
static int read_amount(const struct cli *c, const char *text, const struct token *token, u64 *units)
{
    u128 value;
    switch (decimal_parse(text, strlen(text), token->decimals, &value)) {
    case DECIMAL_OK: break;
    case DECIMAL_TOO_FINE:
        return cli_fail(c, CLI_USAGE, "%s: %s has %u decimals", text, token->symbol,
                        token->decimals);
    case DECIMAL_OVERFLOW: value = BALANCE_MAX + 1; break;
    default: return cli_fail(c, CLI_USAGE, "%s: expected a decimal number like 10 or 0.25", text);
    }
    if (value == 0) return cli_fail(c, CLI_USAGE, "the amount must be above zero");
    if (value > BALANCE_MAX)
        return cli_fail(c, CLI_USAGE, "%s is too much; at most %s", text,
                        cli_decimal(BALANCE_MAX, token->decimals));
    *units = (u64)value;
    return CLI_OK;
}

static int check_env(const struct cli *c)
{
    struct config config;
    if (cli_running_config(c->source.dir.s, &config))
        return cli_fail(c, CLI_FAILED, "%s", err_text());
    if (config.exchange.env == ENV_DEV) return CLI_OK;
    return cli_fail(c, CLI_FAILED,
                    "refused: exchange.env is not dev. Funds of a test or production exchange come "
                    "as deposits only");
}

int cmd_credit(int argc, char **argv)
{
    static struct segment own, view;
    struct cli c;
    struct ops ops = {0};
    u8 wallet[WALLET_BYTES];
    u64 units = 0, seq = 0;
    int result = cli_parse(&c, argc, argv);
    if (result) return result;
    if (view_wallet(&c, c.arg[0], wallet)) return CLI_USAGE;
    if ((result = cli_attach(&c, &own, ROLE_OPS)) || (result = cli_attach(&c, &view, ROLE_COUNT)) ||
        (result = check_env(&c)))
        return result;
    struct rules *rules = cli_object(&view, "rules");
    if (!rules) return cli_fail(&c, CLI_FAILED, "%s", err_text());
    u16 token = view_token(&c, rules, c.arg[1]);
    if (token == NO_TOKEN) return CLI_USAGE;
    if ((result = read_amount(&c, c.arg[2], &rules->tokens[token], &units))) return result;
    int failed = ops_open(&ops, &own, &view) || ops_credit(&ops, wallet, token, units, &seq);
    ops_close(&ops);
    if (failed) return cli_fail(&c, CLI_FAILED, "%s", err_text());
    char text[HEX_ADDRESS_TEXT];
    hex_format_address(wallet, text);
    if (cli_value(&c, "--json")) {
        struct json_out out;
        cli_json_begin(&out);
        json_put_open(&out, '{');
        json_put_key(&out, "wallet"), json_put_cstring(&out, text);
        json_put_key(&out, "token"), json_put_cstring(&out, rules->tokens[token].symbol);
        json_put_key(&out, "amount");
        json_put_decimal(&out, units, rules->tokens[token].decimals);
        json_put_key(&out, "sequence"), json_put_u64(&out, seq);
        json_put_close(&out, '}');
        cli_json_end(&out);
        return CLI_OK;
    }
    printf("credited %s %s to %s, on disk as command %lu\n",
           cli_decimal(units, rules->tokens[token].decimals), rules->tokens[token].symbol, text,
           seq);
    return CLI_OK;
}
