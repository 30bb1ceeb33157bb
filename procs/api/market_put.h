/* market_put.h: market data as JSON, the same over HTTP and WebSocket. */
#ifndef EIDOS_API_MARKET_PUT_H
#define EIDOS_API_MARKET_PUT_H

#include "procs/lib/json.h"
#include "shm/market.h"
#include "shm/rules.h"

/* [["price","amount"],..]: ticks and lots, best first. */
void market_put_levels(struct json_out *o, const struct market *m,
                       const struct market_level *levels, u32 count);

/* Merge levels into steps of `group` ticks, bids downwards and asks upwards, in place; returns how
 * many steps, `max` at most. */
u32 market_group(struct market_level *levels, u32 count, u64 group, bool asks, u32 max);

void market_put_depth(struct json_out *o, const struct market *m, const struct market_depth *d,
                      u64 now_ns);
void market_put_trade(struct json_out *o, const struct rules *r, const struct market *m,
                      const struct market_trade *t);
void market_put_ticker(struct json_out *o, const struct rules *r, const struct market *m,
                       const struct market_ticker *t, u64 now_ns);

/* A candle of an interval (enum market_interval). */
void market_put_kline(struct json_out *o, const struct rules *r, const struct market *m,
                      u32 interval, const struct market_candle *c);

/* "1m" -> INTERVAL_1M; INTERVALS when there is none of that name. */
#define MARKET_INTERVALS "1m 5m 15m 30m 1h 4h 1d 1w"
u32 market_interval_of(const char *name, size_t len);

#endif
