/* msg.h: what travels in the rings.
 *
 *   api --MSG_ORDER, MSG_CANCEL, MSG_WITHDRAW[_CANCEL]--> verify --the same, proven--> trading
 *   trading --MSG_REPLY_*--> api
 *                                     \--MSG_REFUSED (passed on by trading as a reply)--/
 *   eidosctl --MSG_CREDIT, MSG_MODE, MSG_WITHDRAW_STEP--> trading --MSG_REPLY_OPS--> eidosctl
 *
 * Amounts are still as signed here: decimal value x 10^18 ("wad"), because verify must hash what
 * the trader signed; trading turns them into ticks and lots after the signature is proven.
 */
#ifndef EIDOS_SHM_MSG_H
#define EIDOS_SHM_MSG_H

#include "shm/record.h"

enum msg_kind {
    MSG_ORDER = 1,
    MSG_CANCEL = 2,
    MSG_REFUSED = 3, /* verify to trading: pass this code on to the api */
    MSG_CREDIT = 4,  /* dev only */
    MSG_MODE = 5,
    MSG_WITHDRAW = 6,
    MSG_WITHDRAW_CANCEL = 7,
    MSG_WITHDRAW_STEP = 8, /* by an operator */
    MSG_REPLY_ORDER = 16,
    MSG_REPLY_CANCEL = 17, /* one for each order of a cancel */
    MSG_REPLY_OPS = 18,
    MSG_REPLY_WITHDRAW = 19,
};

struct msg {
    u32 length; /* whole message, multiple of 8 */
    u16 kind;
    u16 zero;
    u64 request; /* chosen by the asker, unique over its restarts; top 16 bits: api instance */
    u64 sent_ns; /* CLOCK_MONOTONIC when its sender handed it on; only metrics and traces look */
};
SIZE_IS(struct msg, 24);

/* In place of the api instance: asked by eidosctl. */
#define REQUEST_OPS UINT16_MAX

#define MSG_BYTES_MAX 16384U

/* A u128 in two words, so that messages stay 8-byte aligned. */
struct wad {
    u64 low, high;
};

static inline u128 wad_get(struct wad w)
{
    return (u128)w.high << 64 | w.low;
}

static inline struct wad wad_make(u128 v)
{
    return (struct wad){(u64)v, (u64)(v >> 64)};
}

/* Which of `workers` verify processes a wallet belongs to: api sends there, and verify takes
 * nothing else, so that a wallet's used requests and rates are known in one place. */
static inline u32 msg_worker_of(const u8 wallet[WALLET_BYTES], u32 workers)
{
    u32 tail = (u32)wallet[16] << 24 | (u32)wallet[17] << 16 | (u32)wallet[18] << 8 | wallet[19];
    return tail % workers;
}

#define MSG_PATH_BYTES 96

/* How a changing request is authenticated. */
enum auth {
    AUTH_ORDER = 1,   /* the order's own signature (v1 or v2) */
    AUTH_CANCEL = 2,  /* a signed Cancel, with a nonce */
    AUTH_REQUEST = 3, /* a signed Request(method, path, timestamp), good once */
};

struct msg_order {
    struct msg head;
    struct wad price, amount, quote_amount;
    u64 nonce;
    u64 expire_s; /* Unix seconds, 0 = none */
    u16 market;
    u16 slippage_bps;        /* 0 unless a market order */
    u8 side, type, tif, stp; /* protocol numbers, not signature numbers */
    u8 signature_type;
    u8 client_id_length;
    u8 zero[6];
    u8 wallet[WALLET_BYTES];
    u8 client_id[CLIENT_ID_BYTES];
    struct evidence evidence; /* the digest is verify's; what api writes there is ignored */
};

/* Cancel by list, or (count 0) all open orders that pass the filter. */
struct msg_cancel {
    struct msg head;
    u64 nonce;        /* AUTH_CANCEL */
    u64 timestamp_ms; /* AUTH_REQUEST */
    u16 market;       /* filter, NO_MARKET = any */
    u16 count;        /* order ids that follow this struct */
    u8 side;          /* filter, 0 = any */
    u8 auth;          /* AUTH_CANCEL or AUTH_REQUEST */
    u8 by_path;       /* 1: the one order id is in the signed path, which verify checks */
    u8 path_length;
    u8 wallet[WALLET_BYTES];
    u32 zero32;
    u8 path[MSG_PATH_BYTES]; /* AUTH_REQUEST: as sent, without the query */
    struct evidence evidence;
    u64 order_ids[];
};

#define MSG_CANCEL_IDS_MAX 500

struct msg_refused {
    struct msg head;
    u16 code;
    u16 zero16;
    u32 retry_after_ms; /* 0 = does not apply */
};

/* A deposit; without a transaction it is a credit by hand. */
struct msg_credit {
    struct msg head;
    u64 amount; /* ledger units */
    u16 token;
    u8 has_tx; /* the three below name the transaction */
    u8 zero8;
    u8 wallet[WALLET_BYTES];
    u64 block; /* 0 = not known */
    u8 tx_hash[TX_HASH_BYTES];
    u32 log_index;
    u32 zero32;
};

struct msg_withdraw {
    struct msg head;
    struct wad amount;
    u64 nonce;
    u16 token;
    u8 wallet[WALLET_BYTES];
    char to_address[TO_BYTES];
    struct evidence evidence;
};

/* By its owner, with a signed Request over DELETE and its path. */
struct msg_withdraw_cancel {
    struct msg head;
    u64 transfer_id;
    u64 timestamp_ms;
    u8 wallet[WALLET_BYTES];
    u32 zero32;
    struct evidence evidence;
};

struct msg_withdraw_step {
    struct msg head;
    u64 transfer_id;
    u8 status; /* enum withdraw_status to go to */
    u8 has_tx;
    u8 zero[6];
    u8 tx_hash[TX_HASH_BYTES];
};

struct msg_mode {
    struct msg head;
    u16 market;
    u8 mode;
    u8 reason; /* enum mode_reason; of others than trading: MODE_BY_OPERATOR */
    u8 zero[4];
};

/* Replies carry the command sequence that must be durable before anybody outside may know. */
struct msg_reply_order {
    struct msg head;
    u64 seq;
    u16 code;     /* 0 = accepted */
    u8 has_order; /* `order` is meaningful */
    u8 zero8;
    u32 retry_after_ms;
    struct order_view order;
};

struct msg_reply_cancel {
    struct msg head;
    u64 seq;
    u64 order_id;
    u16 code;
    u8 has_order;
    u8 zero8;
    u32 total; /* how many replies this request gets; 0: this one says that nothing matched */
    struct order_view order;
};

struct msg_reply_withdraw {
    struct msg head;
    u64 seq;
    u16 code;
    u8 has_transfer; /* `transfer` is meaningful */
    u8 zero[5];
    struct transfer_view transfer;
};

struct msg_reply_ops {
    struct msg head;
    u64 seq;
    u16 code;
    u8 zero[6];
};

#endif
