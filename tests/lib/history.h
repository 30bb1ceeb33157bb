/* history.h: the journal of an exchange that has lived: the files of all three logs, made by the
 * real machines from a deterministic flow of orders and cancels, far faster than life. For tests
 * and benches of starts. */
#ifndef EIDOS_TESTS_LIB_HISTORY_H
#define EIDOS_TESTS_LIB_HISTORY_H

#include "shm/topo.h"

struct history_plan {
    u64 seed;
    u64 commands; /* of the command log, at least this many */
    u32 accounts; /* each funded in every token */
    u32 markets;  /* 0 = FLOW_MARKETS, or up to FLOW_MARKETS_MAX */
    u32 resting;  /* open orders it grows to, and then stays near */
    u64 segment_bytes;
};

struct history_made {
    u64 commands, account_records, match_records;
    u64 open, command_bytes;
};

/* Sizes with room for what the plan makes. */
void history_params(const struct history_plan *plan, struct topo_params *params);

/* Make <dir>/journal, which must not exist. CHECKs that it works. */
void history_make(const char *dir, const struct history_plan *plan, struct history_made *made);

#endif
