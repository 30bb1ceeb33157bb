/* push.h: what is new, to everyone who wants it.
 *
 *   market region --sequence moved?--> depth, trades, ticker --> topics --> subs
 *   account log   --cause durable?---> orders, balances, trades --> wallet's connections
 *
 * Public data goes out in slots of 10 ms, tickers and candles of 100 ms, and all of a slot at once:
 * one write for each connection, however many markets it listens to. A depth update tells the
 * difference between what was told last and the book as it is now, with its sequence and the one
 * told before. Where pushing takes longer than a slot, the process rests as long as it took: frames
 * then come less often and carry more, and orders still find their turn.
 */
#ifndef EIDOS_API_PUSH_H
#define EIDOS_API_PUSH_H

#include "procs/api/hub.h"

/* Make the memory that a public channel needs; false when it is short. */
bool push_ready(struct api *a, const struct channel *c);

/* A channel gets a subscriber: markets nobody listened to begin from now. */
void push_begin(struct api *a, const struct channel *c);

/* The first private subscription: read the account log from now on. */
void push_begin_mine(struct api *a);

/* The snapshots a new subscription begins with (depth, ticker, kline), one for each market. */
void push_first(struct api *a, struct sub *s);

/* Look at everything once; returns how many messages were queued. */
u32 push_turn(struct api *a);

/* After the writes of a turn: see above. */
void push_rest(struct api *a);

#endif
