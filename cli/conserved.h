/* conserved.h: is every token all there? balances + fees + in flight = deposits - withdrawals +
 * shortfall.
 *
 * The sums are taken from the running ledger without stopping it: a sum counts only when the
 * ledger stood at the same sequence before and after. Under load that may not happen for a while;
 * the answer then is "busy", which is neither yes nor no.
 */
#ifndef EIDOS_CLI_CONSERVED_H
#define EIDOS_CLI_CONSERVED_H

#include "cli/cli.h"
#include "shm/ledger.h"

enum conserved_verdict { CONSERVED_NO = 0, CONSERVED_YES = 1, CONSERVED_BUSY = 2 };

struct conserved {
    enum conserved_verdict all; /* NO if any token is not, else BUSY if any is, else YES */
    u32 tokens;
    enum conserved_verdict token[TOKENS_MAX];
    struct ledger_sum sum[TOKENS_MAX];
};

/* Look for at most about a second. `rules` NULL: nothing is there yet, BUSY. */
void conserved_check(struct segment *s, const struct rules *rules, struct conserved *out);

/* "conserved": true | false | null (busy), "tokens": [...] */
void conserved_json(struct json_out *out, const struct conserved *c, const struct rules *rules);
void conserved_print(const struct conserved *c, const struct rules *rules);

#endif
