/* push_put.h: one message, many readers: the data is written once, its envelope once for each
 * dialect that somebody uses.
 *
 *   {"type":"update","channel":"depth.BTC-USDC.20","data":..,"timestamp":..,"sequence":..}
 *   {"type":"update","channel":"depth","market":"BTC-USDC","data":..,...}             older
 */
#ifndef EIDOS_API_PUSH_PUT_H
#define EIDOS_API_PUSH_PUT_H

#include "procs/api/hub.h"

struct push {
    const char *type; /* snapshot, update */
    struct channel channel;
    u64 sequence, prev_sequence;
    bool has_prev;
};

/* Begin the data of the next message: write one JSON value. */
struct json_out *push_data(struct api *a);

/* Send it to one connection. */
void push_one(struct api *a, const struct push *p, struct ws *ws, bool older);

/* Send it to a topic's subscribers; to slow ones depth and ticker only later. How many got it. */
u32 push_all(struct api *a, const struct push *p, struct topic *t);

#endif
