/* verify.h: who signed this? The only way to trading.
 *
 *   api's message --check_shape--> fields --> market --> EIP-712 digest --> recover --> compare
 *        (copied out: nobody                                                   |
 *         else can change it)       replay guard and wallet rates <------------+
 *
 * The api may be hostile: nothing it says is believed. What leaves is the message that was signed,
 * with its digest, or a code. The order of the checks is that of protocol.md 2: syntax, market,
 * authentication, wallet rate.
 */
#ifndef EIDOS_VERIFY_VERIFY_H
#define EIDOS_VERIFY_VERIFY_H

#include "procs/lib/eth/eip712.h"
#include "procs/verify/guard.h"
#include "procs/verify/rates.h"
#include "shm/codes.h"
#include "shm/msg.h"
#include "shm/rules.h"

struct verify_params {
    u64 chain_id;
    u8 contract[20];
    u32 instance, workers;      /* this one, of how many */
    u32 per_second[RATE_KINDS]; /* of a wallet; 0 = no limit */
    struct guard_memory *guard; /* that outlives the process, or NULL */
    u32 guard_slots;            /* without it: of a minute, a power of two */
    u64 start_ms;               /* signed requests from before are refused */
    u64 salt;                   /* a random number */
};

struct verify {
    struct eip712 domain;
    u32 instance, workers;
    u32 markets, tokens; /* known so far */
    char symbols[MARKETS_MAX][SYMBOL_BYTES];
    char token_symbols[TOKENS_MAX][SYMBOL_BYTES];
    u64 start_ms;
    struct guard guard;
    struct rates rates;
};

struct verdict {
    u16 code;           /* 0: proven */
    u32 retry_after_ms; /* with CODE_RATE_LIMIT */
};

/* Everything that is ever allocated. secp_init must have been called. 0 or -1. */
int verify_init(struct verify *v, const struct verify_params *p);
void verify_fini(struct verify *v);

/* Learn the names of markets and tokens that came since. They keep index and name for good. `rules`
 * may be another process's: it must have been whole before, and still be after, or `v->markets`
 * and `v->tokens` are to be set back. */
void verify_learn(struct verify *v, const struct rules *rules);

/* Is this, of `length` bytes at an 8-byte aligned place, a message that api `api` could have sent?
 * -1 with what is wrong: then nothing from that ring can be trusted. */
int verify_shape(const void *message, u32 length, u16 api);

/* Judge a message of good shape. When proven, it is ready for trading: unused fields are zero and
 * evidence.digest is filled in. Uses up the request (replay guard, rate) only when proven. */
struct verdict verify_message(struct verify *v, struct msg *m, u64 now_ns);

#endif
