/* trading_ahead.h: hints for who knows which records come next. What applying them will touch is
 * spread over arenas far larger than any cache; asked for in time it is there when its turn comes.
 * A record is told of in stages, from far to near: each follows what the one before has loaded.
 *
 *   stage 0   account, order slot
 *   stage 1   rows and nonce window of the account; the owner of the order that had the slot; the
 *             neighbours of an order that is cancelled
 *   stage 2   the nonces; the neighbours of a new order, and of the one that had the slot
 *
 * Hints change nothing, and a wrong one costs nothing: between hint and turn the state moves on.
 * For the writer, or a replay. */
#ifndef EIDOS_SHM_TRADING_AHEAD_H
#define EIDOS_SHM_TRADING_AHEAD_H

#include "shm/ring.h"
#include "shm/trading.h"

#define TRADING_AHEAD_STAGES 3U

void trading_ahead(const struct trading *t, const struct rec *cmd, u32 stage);

/* Slots that the next new orders take, in turn: those of the orders that closed first. Private to
 * who tells; to begin all 0. */
#define TRADING_SLOTS_AHEAD 16U /* power of two */
struct trading_slots {
    u32 slot[TRADING_SLOTS_AHEAD];
    u64 end; /* the number of the order that takes the one after those known */
};

/* Before a message of `length` is taken from a ring: tell of those behind it, as far as they are
 * known to be there, that are orders and cancels. They are not checked yet, and name a wallet, not
 * an account: two stages find that, two more do what stages 1 and 2 do for a command. `told`: for
 * each the position up to which that was done; 0 to begin. Nothing while accounts are so few that
 * they stay in the cache. */
#define TRADING_AHEAD_MESSAGE_STAGES 4U
void trading_look_ahead(const struct trading *t, const struct ring_rx *rx, u32 length,
                        u64 told[TRADING_AHEAD_MESSAGE_STAGES], struct trading_slots *slots);

/* The same for a match record that is going to be merged. Mostly the makers of trades are news: the
 * command told of the others. Stage 0: order and account; stage 1: rows and neighbours. */
#define TRADING_AHEAD_MATCH_STAGES 2U
void trading_ahead_match(const struct trading *t, const struct rec *match, u32 stage);

#endif
