/* push_feeds.h: one kind of public data each, as push.c calls them.
 *
 *   begin      nobody of the wave listened so far: what is now is told by snapshots, updates follow
 *   snapshot   what is now, to one subscriber (trades have none)
 *   turn       what has changed since the wave was told last; false: it could not be read just now
 */
#ifndef EIDOS_API_PUSH_FEEDS_H
#define EIDOS_API_PUSH_FEEDS_H

#include "procs/api/hub.h"

/* The memory a depth channel needs; false when it is short. */
bool depth_ready(struct wave *w, u32 kind, u16 market);
void depth_begin(struct api *a, struct wave *w, u32 kind, u16 market);
void depth_snapshot(struct api *a, struct sub *s, u16 market);
bool depth_turn(struct api *a, struct wave *w, u16 market, const struct market *m);

void trades_begin(struct api *a, struct wave *w, u16 market);
bool trades_turn(struct api *a, struct wave *w, u16 market, const struct market *m);

void ticker_begin(struct api *a, struct wave *w, u16 market);
void ticker_snapshot(struct api *a, struct sub *s, u16 market);
bool ticker_turn(struct api *a, struct wave *w, u16 market, const struct market *m);

void kline_begin(struct api *a, struct wave *w, u32 interval, u16 market);
void kline_snapshot(struct api *a, struct sub *s, u16 market);
void kline_turn(struct api *a, struct wave *w, u32 interval, u16 market, const struct market *m);

#endif
