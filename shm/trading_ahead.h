/* trading_ahead.h: hints for who knows which records come next. What applying them will touch is
 * spread over arenas far larger than any cache; asked for in time it is there when its turn comes.
 * A record is told of in stages, from far to near: each follows what the one before has loaded.
 *
 *   stage 0   account, order slot
 *   stage 1   rows and nonce window of the account; the owner of the order that had the slot
 *   stage 2   the nonces; the neighbours of that order in its owner's list
 *
 * Hints change nothing, and a wrong one costs nothing: between hint and turn the state moves on.
 * For the writer, or a replay. */
#ifndef EIDOS_SHM_TRADING_AHEAD_H
#define EIDOS_SHM_TRADING_AHEAD_H

#include "shm/trading.h"

#define TRADING_AHEAD_STAGES 3U

void trading_ahead(const struct trading *t, const struct rec *cmd, u32 stage);

/* The same for a match record that is going to be merged. Stage 0: the orders; stage 1: their
 * accounts, rows, and neighbours in the list of open orders. */
void trading_ahead_match(const struct trading *t, const struct rec *match, u32 stage);

#endif
