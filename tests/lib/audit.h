/* audit.h: does the exchange still stand by everything it answered? Asked over its public interface
 * while nobody trades, and compared with the notes of a load:
 *
 *   each order by its id     is there, no further back than last heard; ids belong to one order
 *   each wallet's list       holds those orders, each once, and no other
 *   balances                 of all wallets and the fees add up to what was credited; what sells
 *                            is frozen to the unit
 *   depth                    is the sum of the open orders, level by level
 *   trades                   keep their ids and their content
 *   sequences                go on where they were
 */
#ifndef EIDOS_TESTS_LIB_AUDIT_H
#define EIDOS_TESTS_LIB_AUDIT_H

#include "tests/lib/exchange.h"
#include "tests/lib/load.h"

#define AUDIT_TRADES 500U

struct audit_trade {
    u64 id, price, amount;
};

struct audit {
    struct load *load;
    struct exchange *exchange;
    u64 number; /* of audits so far */
    u32 every;  /* closed orders are asked for again when this divides the number; 0 = always */
    u64 sequence, durable; /* as last seen */
    u64 depth_sequence[CLIENT_MARKETS];
    struct audit_trade trades[CLIENT_MARKETS][AUDIT_TRADES]; /* newest first */
    u32 trade_count[CLIENT_MARKETS];
    u64 orders, open; /* found in the last audit */
};

/* Credit every trader of the load with every token, and note it. */
void audit_fund(struct audit *a);

/* Note the sequences before a kill. Cheap; while trading goes on. */
void audit_look(struct audit *a);

/* The whole. The load is settled. Faults are counted by the load. */
void audit_all(struct audit *a);

/* Let the load settle for so many ms at most, then the whole. False if an order never got an answer
 * or there was ever a fault; what the processes wrote is shown then. */
bool audit_settled(struct audit *a, u64 ms);

#endif
