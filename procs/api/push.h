/* push.h: what is new, to everyone who wants it.
 *
 *   market region --sequence moved?--> depth, trades, ticker --> topics --> subs
 *   account log   --cause durable?---> orders, balances, trades --> wallet's connections
 *
 * Public data goes out a wave of connections at a time: depth and trades of a wave at most every
 * 10 ms, tickers and candles every 100 ms, all that is due to a connection in one write, however
 * many markets it listens to. What is read is what is newest when the wave's turn comes, so where
 * there is more to tell than can be written, frames come less often and carry more, but are no
 * older. Between slices of pushing, orders find their turn and other processes the processor.
 * A depth update tells the difference between what was told last and the book as it is now, with
 * its sequence and the one told before.
 */
#ifndef EIDOS_API_PUSH_H
#define EIDOS_API_PUSH_H

#include "procs/api/hub.h"

/* Make the memory that a public channel needs; false when it is short. */
bool push_ready(struct api *a, struct wave *w, const struct channel *c);

/* A channel gets a subscriber: markets nobody of the wave listened to begin from now. */
void push_begin(struct api *a, struct wave *w, const struct channel *c);

/* The first private subscription: read the account log from now on. */
void push_begin_mine(struct api *a);

/* The snapshots a new subscription begins with (depth, ticker, kline), one for each market. */
void push_first(struct api *a, struct sub *s);

/* Tell what is new, as long as a slice lasts; returns how many messages were written. */
u32 push_turn(struct api *a);

/* How long nothing can be due, at most `most_ns`. */
u64 push_sleep_ns(const struct api *a, u64 most_ns);

#endif
