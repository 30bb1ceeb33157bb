/* push_feeds.h: one kind of public data each, as push.c calls them.
 *
 *   begin      nobody listened so far: what is now is told by snapshots, updates follow from there
 *   snapshot   what is now, to one subscriber (trades have none)
 *   turn       what has changed since it was told last, to all who listen
 */
#ifndef EIDOS_API_PUSH_FEEDS_H
#define EIDOS_API_PUSH_FEEDS_H

#include "procs/api/hub.h"

/* The memory a depth channel needs; false when it is short. */
bool depth_ready(struct api *a, u32 kind, u16 market);
void depth_begin(struct api *a, u32 kind, u16 market);
void depth_snapshot(struct api *a, struct sub *s, u16 market);
void depth_turn(struct api *a, u16 market, const struct market *m, struct market_feed *f);

void trades_begin(struct api *a, u16 market);
void trades_turn(struct api *a, u16 market, const struct market *m, struct market_feed *f);

void ticker_begin(struct api *a, u16 market);
void ticker_snapshot(struct api *a, struct sub *s, u16 market);
void ticker_turn(struct api *a, u16 market, const struct market *m, struct market_feed *f);

void kline_begin(struct api *a, u32 interval, u16 market);
void kline_snapshot(struct api *a, struct sub *s, u16 market);
void kline_turn(struct api *a, u32 interval, u16 market, const struct market *m,
                struct market_feed *f);

#endif
