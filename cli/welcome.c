#include "cli/welcome.h"

#include <string.h>

#include "cli/net.h"
#include "cli/ops.h"
#include "procs/lib/decimal.h"
#include "procs/lib/eth/hex.h"
#include "procs/lib/eth/keccak.h"
#include "procs/lib/eth/secp.h"
#include "shm/err.h"
#include "shm/ledger.h"

#define PATIENCE_NS 5000000000UL /* the supervisor does nothing else meanwhile */

/* What the wallet gets of tokens that are there. */
static const struct {
    const char *token, *amount;
} gifts[] = {{"USDC", "1000000"}, {"BTC", "10"}, {"ETH", "100"}};

/* What is there already counts, held or not. */
static bool has_any(const struct ledger *l, const u8 *wallet, u16 token)
{
    struct balance rows[TOKENS_MAX];
    u64 seq;
    u32 account = ledger_find(l, wallet);
    int count =
        account == NO_ACCOUNT ? 0 : ledger_read_balances(l, account, rows, TOKENS_MAX, &seq);
    for (int i = 0; i < count; i++)
        if (rows[i].token == token && (rows[i].available || rows[i].frozen)) return true;
    return false;
}

static int give(struct ops *ops, const struct rules *rules, const struct ledger *ledger,
                const u8 *wallet)
{
    u64 seq;
    for (u32 i = 0; i < COUNT_OF(gifts); i++) {
        u128 units;
        u16 token = rules_find_token(rules, gifts[i].token, strlen(gifts[i].token));
        if (token == NO_TOKEN || has_any(ledger, wallet, token)) continue;
        if (decimal_parse(gifts[i].amount, strlen(gifts[i].amount), rules->tokens[token].decimals,
                          &units) ||
            units > BALANCE_MAX)
            continue;
        if (ops_credit(ops, wallet, token, (u64)units, &seq)) return err_wrap("%s", gifts[i].token);
    }
    return 0;
}

static int fund(const struct segment *own, struct segment *s, const u8 *wallet)
{
    struct ops ops = {.patience_ns = PATIENCE_NS};
    void *rules = cli_object(s, "rules");
    void *ledger = rules ? cli_object(s, "ledger") : NULL;
    if (!ledger) return -1;
    int result = ops_open(&ops, own, s);
    if (result == 0) result = give(&ops, rules_join(rules), ledger_join(ledger), wallet);
    ops_close(&ops);
    return result;
}

static void print_balances(struct segment *s, const u8 *wallet)
{
    struct balance rows[TOKENS_MAX];
    u64 seq;
    struct ledger *ledger = cli_object(s, "ledger");
    const struct rules *rules = cli_object(s, "rules");
    u32 account = ledger && rules ? ledger_find(ledger, wallet) : NO_ACCOUNT;
    int count =
        account == NO_ACCOUNT ? 0 : ledger_read_balances(ledger, account, rows, TOKENS_MAX, &seq);
    printf("    holds        ");
    for (int i = 0; i < count; i++)
        printf("%s%s %s", i ? ", " : "",
               cli_decimal((u128)rows[i].available + rows[i].frozen,
                           rules->tokens[rows[i].token].decimals),
               rules->tokens[rows[i].token].symbol);
    printf("%s\n", count ? "" : "nothing");
}

static void print_wallet(const struct segment *own, struct segment *s)
{
    u8 key[SECP_KEY];
    struct secp_signer signer;
    char address[HEX_ADDRESS_TEXT], secret[HEX_TEXT(SECP_KEY)];
    keccak_256(WELCOME_SEED, strlen(WELCOME_SEED), key);
    if (secp_init() || secp_signer_of_key(key, &signer)) {
        printf("  no development wallet: %s\n", err_text());
        return;
    }
    if (fund(own, s, signer.address))
        printf("  the development wallet could not be funded: %s\n", err_text());
    hex_format_address(signer.address, address);
    hex_format(key, sizeof key, secret);
    printf("\n  development wallet (its key is public: keccak256(\"%s\"))\n"
           "    address      %s\n    private key  %s\n",
           WELCOME_SEED, address, secret);
    print_balances(s, signer.address);
}

void welcome(const struct segment *own, const struct config *config)
{
    static struct segment view;
    struct segment *s = &view;
    char host[NET_HOST_MAX];
    if (segment_attach(s, own->boot.dir, ROLE_COUNT, 0)) {
        printf("%s\n", err_text());
        return;
    }
    u32 port = atomic_load_explicit(&segment_proc(s, ROLE_API, 0)->port, memory_order_acquire);
    net_host(config->api.listen.s, host);
    const char *tls = config->api.tls_certificate.s[0] ? "s" : "";
    printf("\nEidos %s is ready in %s\n\n", cli_build(), s->boot.dir);
    printf("  REST       http%s://%s:%u/api/v1\n  WebSocket  ws%s://%s:%u/ws\n"
           "  health     http%s://%s:%u/health/ready\n",
           tls, host, port, tls, host, port, tls, host, port);
    if (config->limits.exempt.s[0])
        printf("  limits     not by address for %s (limits.exempt)\n", config->limits.exempt.s);
    print_wallet(own, s);
    printf("\n  try next:  %s demo --dir %s\n", net_program(), s->boot.dir);
    printf("             %s status --dir %s\n\n", net_program(), s->boot.dir);
    fflush(stdout);
    segment_detach(s);
}
