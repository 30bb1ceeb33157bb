/* ws_message.h: what a client says over WebSocket, read from one text message. Two dialects:
 *
 *   {"type":"subscribe","id":1,"channels":["depth.BTC-USDC.20","orders"]}
 *   {"type":"subscribe","id":1,"channel":"depth","market":"BTC-USDC","params":{..}}      older
 *
 * "*" in place of a market is every market, also those that come later: ticker.*, depth.*.20. The
 * older dialect names a candle's interval in params: {"interval":"1m"}.
 *
 * This file knows no socket and no state but the rules, so that it is fuzzed alone.
 */
#ifndef EIDOS_API_WS_MESSAGE_H
#define EIDOS_API_WS_MESSAGE_H

#include "procs/api/request.h"
#include "shm/market.h"
#include "shm/rules.h"

#define WS_MESSAGE_MAX  4096U /* protocol.md 4 */
#define WS_CHANNELS_MAX 50U
#define WS_ID_MAX       64U
#define WS_NAME_MAX     64U

enum ws_type {
    WS_SUBSCRIBE,
    WS_UNSUBSCRIBE,
    WS_PING,
    WS_AUTH,
    WS_ORDER_PLACE,
    WS_ORDER_CANCEL,
    WS_ORDER_CANCEL_ALL,
};

enum channel_kind {
    CHANNEL_DEPTH_5,
    CHANNEL_DEPTH_10,
    CHANNEL_DEPTH_20,
    CHANNEL_DEPTH_50,
    CHANNEL_DEPTH_100,
    CHANNEL_TRADES,
    CHANNEL_TICKER,
    CHANNEL_KLINE, /* + enum market_interval */
    CHANNEL_MY_ORDERS = CHANNEL_KLINE + INTERVALS,
    CHANNEL_MY_BALANCES,
    CHANNEL_MY_TRADES,
    CHANNEL_KINDS,
};
#define CHANNEL_DEPTHS 5U
#define CHANNEL_MINE \
    ((u32)CHANNEL_MY_ORDERS)     /* from here on: private, of the wallet; `market` is 0 */
#define EVERY_MARKET MARKETS_MAX /* as `market`: ticker.*, depth.*.20, .. */

extern const u16 channel_levels[CHANNEL_DEPTHS];

struct channel {
    u16 kind;
    u16 market; /* index, or EVERY_MARKET */
};

struct ws_message {
    enum ws_type type;
    bool older;             /* the older dialect */
    char id[WS_ID_MAX + 8]; /* JSON of the id, "" = none */
    u32 count;
    struct channel channels[WS_CHANNELS_MAX];
    json_t *params; /* borrowed from `root`, NULL = none */
    json_t *root;   /* free it with ws_message_free */
};

/* Read text[0..len). 0, or -1 with the problem; `m` then still has the id, if that was readable.
 * `m` must be freed in both cases. */
int ws_message_read(struct ws_message *m, const char *text, size_t len, const struct rules *r,
                    struct problem *p);
void ws_message_free(struct ws_message *m);

/* The name of a channel: "depth.BTC-USDC.20", or in the older dialect only "depth". Returns the
 * length. */
size_t channel_name(const struct channel *c, const struct rules *r, bool older,
                    char name[WS_NAME_MAX]);

#endif
