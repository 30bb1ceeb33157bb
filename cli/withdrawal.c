/* withdrawal.c: eidosctl withdrawal: the ones that wait for a decision, and the decision. */
#include <string.h>

#include "cli/ops.h"
#include "cli/view.h"
#include "procs/lib/eth/hex.h"
#include "procs/lib/wire.h"
#include "shm/codes.h"
#include "shm/err.h"
#include "shm/transfers.h"

/* What an operator may do with one, and what it then is. */
static const struct verb {
    const char *name;
    u8 status;
    bool needs_tx;
} verbs[] = {
    {"approve", WITHDRAW_PROCESSING, false}, {"reject", WITHDRAW_REJECTED, false},
    {"submit", WITHDRAW_SUBMITTED, true},    {"complete", WITHDRAW_CONFIRMED, true},
    {"fail", WITHDRAW_FAILED, false},
};

/* --- list, show --------------------------------------------------------------------------------*/

struct filter {
    int status; /* -1 = any that is not over; -2 = any */
    bool by_wallet;
    u8 wallet[WALLET_BYTES];
};

static bool passes(const struct transfer_view *v, const struct filter *f)
{
    if (v->kind != TRANSFER_WITHDRAWAL) return false;
    if (f->by_wallet && memcmp(v->wallet, f->wallet, WALLET_BYTES) != 0) return false;
    if (f->status == -1) return !withdraw_is_over(v->status);
    return f->status == -2 || v->status == f->status;
}

static int read_filter(const struct cli *c, struct filter *f)
{
    const char *status = cli_value(c, "--status"), *wallet = cli_value(c, "--wallet");
    *f = (struct filter){.status = -1};
    if (wallet && view_wallet(c, wallet, f->wallet)) return CLI_USAGE;
    f->by_wallet = wallet != NULL;
    if (!status) return CLI_OK;
    f->status = strcmp(status, "all") == 0 ? -2 : wire_withdraw_status_of(status, strlen(status));
    if (f->status != -1) return CLI_OK;
    return cli_fail(c, CLI_USAGE,
                    "%s: expected all, pending, processing, submitted, confirmed, failed, "
                    "cancelled or rejected",
                    status);
}

static void print_one(const struct rules *rules, const struct transfer_view *v)
{
    char wallet[HEX_ADDRESS_TEXT];
    hex_format_address(v->wallet, wallet);
    printf("  %-8lu %-10s %20s %-6s %s to %.*s\n", v->id, wire_withdraw_status(v->status),
           cli_decimal(v->amount, rules->tokens[v->token].decimals), rules->tokens[v->token].symbol,
           wallet, TO_BYTES, v->to_address);
}

static int list(const struct cli *c, const struct segment *s, const struct ledger *l,
                const struct rules *rules, const struct filter *f)
{
    struct transfer_view v;
    struct json_out out;
    u64 seq;
    bool json = cli_value(c, "--json") != NULL;
    u32 count = 0;
    if (json) cli_json_begin(&out), json_put_open(&out, '[');
    for (u32 slot = 1; slot <= l->config.transfers_max; slot++) {
        u64 id = transfers_slot(l, slot)->view.id;
        if (!id || transfers_read(l, id, &v, &seq) != 1 || !passes(&v, f)) continue;
        if (view_durable(c, s, seq)) return CLI_FAILED;
        if (json) wire_put_transfer(&out, rules, &v);
        else print_one(rules, &v);
        count++;
    }
    if (json) json_put_close(&out, ']'), cli_json_end(&out);
    else if (!count) printf("none\n");
    return CLI_OK;
}

/* --- Decisions ---------------------------------------------------------------------------------*/

static const struct verb *verb_of(const char *name)
{
    for (u32 i = 0; i < COUNT_OF(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0) return &verbs[i];
    return NULL;
}

static int explain(const struct cli *c, const struct ledger *l, u16 code, u64 id, u8 status)
{
    struct transfer_view v;
    u64 seq;
    if (code == CODE_WITHDRAW_NOT_FOUND)
        return cli_fail(c, CLI_FAILED, "there is no withdrawal %lu; see `eidosctl withdrawal list`",
                        id);
    if (code == CODE_WITHDRAW_NOT_CANCELLABLE && transfers_read(l, id, &v, &seq) == 1)
        return cli_fail(c, CLI_FAILED, "withdrawal %lu is %s and can not become %s", id,
                        wire_withdraw_status(v.status), wire_withdraw_status(status));
    return cli_fail(c, CLI_FAILED, "refused with code %u, %s", code, wire_message(code));
}

static int decide(const struct cli *c, const struct verb *verb, struct segment *own,
                  struct segment *view, const struct ledger *l)
{
    struct msg_withdraw_step m = {.head = {.length = sizeof m, .kind = MSG_WITHDRAW_STEP},
                                  .status = verb->status};
    struct ops ops = {0};
    u64 seq = 0;
    u16 code = 0;
    char *end;
    const char *tx = cli_value(c, "--tx");
    m.transfer_id = strtoull(c->arg[1], &end, 10);
    if (*end || !m.transfer_id)
        return cli_fail(c, CLI_USAGE, "%s: expected the id of a withdrawal", c->arg[1]);
    if (verb->needs_tx && !tx)
        return cli_fail(c, CLI_USAGE, "--tx HASH is required: the transaction that pays it");
    m.has_tx = tx != NULL;
    if (tx && view_tx(c, tx, m.tx_hash)) return CLI_USAGE;
    int failed = ops_open(&ops, own, view) || ops_ask(&ops, &m.head, &code, &seq);
    ops_close(&ops);
    if (failed) return cli_fail(c, CLI_FAILED, "%s", err_text());
    if (code) return explain(c, l, code, m.transfer_id, verb->status);
    if (cli_value(c, "--json"))
        printf("{\"withdraw_id\":\"%lu\",\"status\":\"%s\",\"sequence\":%lu}\n", m.transfer_id,
               wire_withdraw_status(verb->status), seq);
    else
        printf("withdrawal %lu is %s, on disk as command %lu\n", m.transfer_id,
               wire_withdraw_status(verb->status), seq);
    return CLI_OK;
}

int cmd_withdrawal(int argc, char **argv)
{
    static struct segment own, view;
    struct filter filter;
    struct cli c;
    int result = cli_parse(&c, argc, argv);
    if (result) return result;
    const struct verb *verb = verb_of(c.arg[0]);
    bool is_list = strcmp(c.arg[0], "list") == 0;
    if (!verb && !is_list)
        return cli_fail(&c, CLI_USAGE,
                        "%s: expected list, approve, reject, submit, complete or fail", c.arg[0]);
    if (verb && c.args < 2) return cli_fail(&c, CLI_USAGE, "which one? its id is missing");
    if (is_list && (result = read_filter(&c, &filter))) return result;
    if ((verb && (result = cli_attach(&c, &own, ROLE_OPS))) ||
        (result = cli_attach(&c, &view, ROLE_COUNT)))
        return result;
    struct rules *rules = cli_object(&view, "rules");
    void *object = rules ? cli_object(&view, "ledger") : NULL;
    if (!object) return cli_fail(&c, CLI_FAILED, "%s", err_text());
    const struct ledger *ledger = ledger_join(object);
    if (verb) return decide(&c, verb, &own, &view, ledger);
    return list(&c, &view, ledger, rules, &filter);
}
