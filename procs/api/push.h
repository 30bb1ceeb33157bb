/* push.h: what is new, to everyone who wants it.
 *
 *   market region --sequence moved?--> depth, trades, ticker --> topics --> subs
 *   account log   --cause durable?---> orders, balances, trades --> wallet's connections
 *
 * Depth goes out at most every 10 ms and ticker every 100 ms; a depth update tells the difference
 * between what was told last and the book as it is now, with its sequence and the one told before.
 */
#ifndef EIDOS_API_PUSH_H
#define EIDOS_API_PUSH_H

#include "procs/api/hub.h"

/* A topic gets its first subscriber: begin from now. */
void push_begin_topic(struct api *a, const struct channel *c);

/* The first private subscription: read the account log from now on. */
void push_begin_mine(struct api *a);

/* The snapshot a new subscription begins with (depth, ticker). */
void push_first(struct api *a, struct sub *s);

/* Look at everything once; returns how many messages were queued. */
u32 push_turn(struct api *a);

#endif
