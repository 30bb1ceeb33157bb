/* push_put.h: one message, many readers: the data is written once, its envelope once for each
 * channel and dialect that somebody uses. The frames of a turn are gathered by topic, so that a
 * reader of every market takes all of them with one copy and one write.
 *
 *   {"type":"update","channel":"depth.BTC-USDC.20","data":..,"timestamp":..,"sequence":..}
 *   {"type":"update","channel":"depth.*.20","data":{"market":"BTC-USDC",..},..}
 *   {"type":"update","channel":"trades.*","market":"BTC-USDC","data":..,..}    market where data
 * has none
 *   {"type":"update","channel":"kline","market":"BTC-USDC","interval":"1m","data":..,..}      older
 */
#ifndef EIDOS_API_PUSH_PUT_H
#define EIDOS_API_PUSH_PUT_H

#include "procs/api/hub.h"

struct push {
    const char *type;       /* snapshot, update */
    struct channel channel; /* with the market that the data is of */
    u64 sequence, prev_sequence;
    bool has_prev;
};

/* Begin the data of the next message: write one JSON value. */
struct json_out *push_data(struct api *a);

/* Send it at once to one connection: as `channel` calls it, in one dialect. */
void push_one(struct api *a, const struct push *p, struct ws *ws, const struct channel *channel,
              bool older);

/* Put it among what is due to those of the wave who listen to its market or to every market. */
void push_all(struct api *a, struct wave *w, const struct push *p);

/* Write what is due to the wave; depth, tickers and candles to slow readers only later. How many
 * messages. */
u32 push_flush(struct api *a, struct wave *w);

#endif
