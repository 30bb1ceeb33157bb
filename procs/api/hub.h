/* hub.h: all WebSockets of this process and who wants what.
 *
 *   hub.waves -> wave -> wave ...                       each a part of the connections
 *   wave.topics[channel] --subs--> sub -> sub -> ...    public channels, fan-out
 *        |--due: frames of this turn, written once       hub.due: the topics that have some
 *   hub.wallets[hash]   ----ws--> ws -> ...             private channels, by wallet
 *   ws.subs[50]         --------> sub, sub, ...         what one connection has
 *
 * A slow reader: what it has not taken yet is kept, up to 1 MiB. From WS_SLOW_BYTES on it gets no
 * depth and no ticker; its subs turn `stale`, and once it has caught up it gets a fresh snapshot.
 * Other messages go on until the limit closes it (1008).
 */
#ifndef EIDOS_API_HUB_H
#define EIDOS_API_HUB_H

#include "procs/api/api.h"
#include "procs/api/ws_message.h"

#define WS_OUT_MAX     (1UL << 20)
#define WS_SLOW_BYTES  (256UL << 10)
#define WS_SUBS_MAX    50U
#define WS_RATE_MAX    20U /* messages a second */
#define WALLET_BUCKETS 16384U
#define WS_REFS_MAX    4U   /* frames of others that a connection has to write */
#define WAVE_CONNS     256U /* connections of a wave, at most */
#define TOPICS_MAX     ((MARKETS_MAX + 1U) * CHANNEL_MINE) /* of each market, and of all at once */

struct wslay_frame_context;

struct ws {
    struct link all;    /* hub.all */
    struct link writes; /* hub.writes while something is to be sent */
    struct link ending; /* hub.ending: its subscriptions go at the end of the turn */
    struct wslay_frame_context *frames;
    struct api *api;
    u64 address;        /* limit.h */
    struct ssl_st *tls; /* stream.h */
    int fd;
    bool dead, closing, ended, polls_write;
    bool masked_ok; /* the frame being read passed its checks */

    /* In: the message being put together, and the frame it comes in. */
    char *extra; /* what came with the upgrade request */
    size_t extra_len, extra_at;
    char *part; /* WS_MESSAGE_MAX bytes while a message is incomplete */
    u32 part_len;
    bool in_message;
    u64 frame_left;
    u8 opcode, control_len;
    bool fin, in_frame;
    u8 control[125];
    u32 rate_count;
    u64 rate_from_ns, heard_ns, pinged_ns, closed_ns;

    /* Out. */
    char *out;
    size_t out_from, out_to, out_room;
    const struct frames *refs[WS_REFS_MAX]; /* behind it: frames that the wave owns */
    u32 ref_count;
    size_t ref_len; /* their bytes */

    /* Who and what. */
    bool authenticated;
    u8 wallet[WALLET_BYTES];
    struct link by_wallet;
    struct sub *subs; /* WS_SUBS_MAX places, made at the first public subscription */
    u32 sub_count, in_flight;
    u8 mine[3]; /* CHANNEL_MINE + i: 1 = new dialect, 2 = older, 3 = both */
    struct wave *wave;
};

struct sub {
    struct link of_topic;
    struct ws *ws; /* NULL: the place is free */
    struct channel channel;
    bool older, stale;
};

/* A view of a book that was last told to a depth channel's subscribers. */
struct depth_view {
    u64 sequence;
    u32 count[2]; /* bids, asks */
    struct {
        u64 price, lots;
    } level[2][100];
};

/* Whole WebSocket frames, the same for all who get them. */
struct frames {
    char *at;
    size_t len, room;
    u32 count;
};

/* A channel's subscribers, by dialect: [0] the new one, [1] the older. */
struct topic {
    struct link subs;
    u32 count[2];
    struct frames due[2];    /* go out at the end of the wave's turn */
    struct depth_view *view; /* depth of one market; made when somebody asks for it */
};

/* What was last told of a market. */
struct market_feed {
    u64 depth_seq, trade_number, ticker_key;
    struct {
        u64 index, count;
    } kline[INTERVALS];
    u32 subs; /* public subscriptions of this market alone */
};

/* Connections that are told of public data together. Thousands are not told at once, but a wave at
 * a time, each of what is newest when its turn comes: nobody waits while others are written to, and
 * where there is more to tell than can be written, all are told less often, not later. */
struct wave {
    struct link of_hub;
    u32 conns;
    u32 feeds;             /* public subscriptions */
    u32 every;             /* of those, of every market */
    bool stale;            /* some sub is */
    u64 stamp, slow_stamp; /* what push_stamp was when all, and tickers and candles, were told */
    u64 next_ns, slow_ns;  /* not to be told before */
    struct market_feed markets[MARKETS_MAX];
    struct topic topics[TOPICS_MAX]; /* subs.next NULL: nobody ever listened */
};

struct hub {
    struct link all, writes, ending, dead;
    u32 count;     /* connections */
    u32 mine;      /* private subscriptions */
    u32 feeds;     /* public ones */
    u64 looked_ns; /* at timeouts */

    struct link waves; /* the next one to look at is first */
    u32 wave_count;
    u64 rest_until_ns;              /* nobody is told before */
    u32 due[TOPICS_MAX], due_count; /* topics of the wave whose turn it is */
    struct link wallets[WALLET_BUCKETS];
    char *text; /* the frame being written, SCRATCH_BYTES */
};

static inline u32 topic_of(const struct channel *c)
{
    return (u32)c->market * CHANNEL_MINE + c->kind;
}

static inline struct topic *wave_topic(struct wave *v, u32 kind, u32 market)
{
    return &v->topics[market * CHANNEL_MINE + kind];
}

static inline u32 topic_count(const struct topic *t)
{
    return t->count[0] + t->count[1];
}

/* Does anybody of the wave listen to this kind of a market's data? */
static inline bool wave_wants(struct wave *v, u32 kind, u32 market)
{
    return topic_count(wave_topic(v, kind, market)) ||
           topic_count(wave_topic(v, kind, EVERY_MARKET));
}

/* Give a new connection its wave; false when memory is short. Take it away again; free all. */
bool wave_join(struct hub *h, struct ws *ws);
void wave_leave(struct ws *ws);
void waves_delete(struct hub *h);

#endif
