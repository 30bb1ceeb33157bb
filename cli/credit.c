/* credit.c: eidosctl credit and deposit: funds that come in. A credit comes out of nothing, for
 * development; a deposit by a transaction, which counts once however often it is told. */
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

static void print(const struct cli *c, const struct msg_credit *m, const struct token *token,
                  u64 seq)
{
    char text[HEX_ADDRESS_TEXT];
    hex_format_address(m->wallet, text);
    if (!cli_value(c, "--json")) {
        printf("credited %s %s to %s, on disk as command %lu\n",
               cli_decimal(m->amount, token->decimals), token->symbol, text, seq);
        return;
    }
    struct json_out out;
    cli_json_begin(&out);
    json_put_open(&out, '{');
    json_put_key(&out, "wallet"), json_put_cstring(&out, text);
    json_put_key(&out, "token"), json_put_cstring(&out, token->symbol);
    json_put_key(&out, "amount"), json_put_decimal(&out, m->amount, token->decimals);
    json_put_key(&out, "sequence"), json_put_u64(&out, seq);
    json_put_close(&out, '}');
    cli_json_end(&out);
}

/* WALLET TOKEN AMOUNT, and have it booked. */
static int book(const struct cli *c, struct msg_credit *m, bool dev_only)
{
    static struct segment own, view;
    struct ops ops = {0};
    u64 seq = 0;
    int result;
    if (view_wallet(c, c->arg[0], m->wallet)) return CLI_USAGE;
    if ((result = cli_attach(c, &own, ROLE_OPS)) || (result = cli_attach(c, &view, ROLE_COUNT)) ||
        (dev_only && (result = check_env(c))))
        return result;
    struct rules *rules = cli_object(&view, "rules");
    if (!rules) return cli_fail(c, CLI_FAILED, "%s", err_text());
    m->token = view_token(c, rules, c->arg[1]);
    if (m->token == NO_TOKEN) return CLI_USAGE;
    const struct token *token = &rules->tokens[m->token];
    if ((result = read_amount(c, c->arg[2], token, &m->amount))) return result;
    int failed = ops_open(&ops, &own, &view) || ops_deposit(&ops, m, &seq);
    ops_close(&ops);
    if (failed) return cli_fail(c, CLI_FAILED, "%s", err_text());
    print(c, m, token, seq);
    return CLI_OK;
}

int cmd_credit(int argc, char **argv)
{
    struct cli c;
    struct msg_credit m = {0};
    int result = cli_parse(&c, argc, argv);
    return result ? result : book(&c, &m, true);
}

int cmd_deposit(int argc, char **argv)
{
    struct cli c;
    struct msg_credit m = {.has_tx = 1};
    u64 log_index = 0;
    int result = cli_parse(&c, argc, argv);
    if (result) return result;
    if (!cli_value(&c, "--tx") || !cli_value(&c, "--log-index"))
        return cli_fail(&c, CLI_USAGE,
                        "--tx and --log-index are required: they name the deposit, "
                        "and make sure that it counts once");
    if (view_tx(&c, cli_value(&c, "--tx"), m.tx_hash) ||
        !cli_number(&c, "--log-index", 0, UINT32_MAX, 0, &log_index) ||
        !cli_number(&c, "--block", 1, UINT64_MAX, 0, &m.block))
        return CLI_USAGE;
    m.log_index = (u32)log_index;
    return book(&c, &m, false);
}
