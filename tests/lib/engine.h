/* engine.h: trading and one matching process in private memory, meeting through their real logs, in
 * one thread: what the processes do, without processes. Everything is settled after each call. */
#ifndef EIDOS_TESTS_LIB_ENGINE_H
#define EIDOS_TESTS_LIB_ENGINE_H

#include "shm/matching.h"
#include "shm/trading.h"

struct engine_sizes {
    u32 accounts, balances, nonce_windows, orders, resting;
    u64 log_bytes; /* of each log */
};

struct engine {
    struct trading trading;
    struct matching matching;
    struct log_writer command, account, match;
    struct log_reader commands; /* matching's */
    struct log_reader matches;  /* trading's */
    struct log_reader accounts; /* the test's */
    struct log_reader matched;  /* the test's, of the match log */
    void *memory[8];
    u32 memory_count;
};

extern const struct engine_sizes engine_small;

/* Both machines empty; `reply` gets every answer. */
void engine_init(struct engine *e, const struct engine_sizes *sizes, trading_reply_fn *reply,
                 void *context);
void engine_free(struct engine *e);

/* Log what a start of the exchange does: its epoch, and how many orders may rest. */
void engine_start(struct engine *e, u64 epoch, u32 resting_max);

/* Let matching and trading work until neither has anything left. */
void engine_settle(struct engine *e);

/* Set the clock, expire what is due, and settle. */
void engine_clock(struct engine *e, u64 now_ns);

#endif
