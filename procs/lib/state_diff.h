/* state_diff.h: how two states differ, object by object: rules, accounts and balances, orders,
 * books. */
#ifndef EIDOS_PROCS_LIB_STATE_DIFF_H
#define EIDOS_PROCS_LIB_STATE_DIFF_H

#include "procs/lib/replica.h"

/* Told each difference, at most `most` of them: "account 0x...", "USDC available", 5, 7. A value of
 * what is missing is 0. Sequences, times and positions in memory are no differences. */
typedef void state_diff_fn(void *context, const char *object, const char *field, u64 a, u64 b);

/* Compare two full replicas. Returns how many differences there are. */
u64 state_diff(const struct replica *a, const struct replica *b, u64 most, state_diff_fn *tell,
               void *context);

#endif
