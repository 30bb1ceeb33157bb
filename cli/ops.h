/* ops.h: asking trading for something through the operators' ring.
 *
 *   eidosctl --ring.ops.trading--> trading --ring.trading.ops--> eidosctl
 *
 * The ring has one writer at a time: whoever holds <dir>/run/ops.lock. An answer counts when the
 * command it names is durable.
 */
#ifndef EIDOS_CLI_OPS_H
#define EIDOS_CLI_OPS_H

#include "cli/cli.h"
#include "shm/msg.h"

struct ops {
    const struct segment *view; /* attached as an onlooker */
    struct ring_tx tx;
    struct ring_rx rx;
    int lock;
    u64 patience_ns; /* for the lock and for an answer; 0 = half a minute */
};

/* Take the lock, waiting for whoever has it, and join the rings. `own` is attached as ROLE_OPS,
 * `view` as an onlooker; both stay the caller's. `o` is zero but for the patience.
 * 0 or -1; ops_close is due in either case. */
int ops_open(struct ops *o, const struct segment *own, const struct segment *view);
void ops_close(struct ops *o);

/* Send a message whose head has length and kind; wait until it is answered and durable. *code
 * receives what trading said (0 = done) and *seq the command. -1: no answer, and whether it was
 * done is unknown. */
int ops_ask(struct ops *o, struct msg *message, u16 *code, u64 *seq);

/* Book a deposit: amount, token, wallet and the transaction are filled in. 0, or -1 with err. */
int ops_deposit(struct ops *o, struct msg_credit *m, u64 *seq);

/* Credit `amount` ledger units of a token to a wallet. 0, or -1 with err. Only where
 * exchange.env = dev. */
int ops_credit(struct ops *o, const u8 wallet[WALLET_BYTES], u16 token, u64 amount, u64 *seq);

#endif
