/* view.h: naming things of a running exchange on a command line. Each says why when it can not. */
#ifndef EIDOS_CLI_VIEW_H
#define EIDOS_CLI_VIEW_H

#include "cli/cli.h"
#include "shm/rules.h"

/* "0x" and 40 hex digits. 0 or -1. */
int view_wallet(const struct cli *c, const char *text, u8 wallet[WALLET_BYTES]);

/* "0x" and 64 hex digits. 0 or -1. */
int view_tx(const struct cli *c, const char *text, u8 tx_hash[TX_HASH_BYTES]);

/* Index of a token or market by its symbol, or NO_TOKEN, NO_MARKET. */
u16 view_token(const struct cli *c, const struct rules *rules, const char *symbol);
u16 view_market(const struct cli *c, const struct rules *rules, const char *symbol);

/* Wait until command `seq` is on disk: what it did may be shown only then. 0 or -1. */
int view_durable(const struct cli *c, const struct segment *s, u64 seq);

#endif
