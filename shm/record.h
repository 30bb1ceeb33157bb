/* record.h: what stands in the logs. The command log is the exchange; the others are views of it.
 *
 *   command log   written by trading    every intent, in the order that counts
 *   match log     written by matching   what each command did to a book
 *   account log   written by trading    what each command did to orders and balances
 *
 * A record is a head, a body of its kind, and nothing else: fixed width, little-endian, a multiple
 * of 8 bytes, no pointers. Kinds are never redefined; a changed layout is a new version. Money is
 * in ledger units of its token, prices in ticks, sizes in lots, rates in parts per billion.
 */
#ifndef EIDOS_SHM_RECORD_H
#define EIDOS_SHM_RECORD_H

#include "shm/base.h"

#define WALLET_BYTES    20
#define SYMBOL_BYTES    24 /* "BTC-USDC", zero padded */
#define CLIENT_ID_BYTES 36 /* as in Binance's newClientOrderId */
#define DIGEST_BYTES    32
#define SIGNATURE_BYTES 65
#define TX_HASH_BYTES   32
#define TO_BYTES        42 /* "0x" and 40 hex digits: the text that was signed */

#define RATE_ONE   1000000000U /* a fee rate of 1.0 */
#define NO_MARKET  UINT16_MAX
#define NO_TOKEN   UINT16_MAX
#define NO_ACCOUNT UINT32_MAX
#define NO_SOURCE  UINT16_MAX

/* The numbers of protocol.md section 1. */
enum side { SIDE_BUY = 1, SIDE_SELL = 2 };
enum order_type { TYPE_LIMIT = 1, TYPE_MARKET = 2 };
enum tif { TIF_GTC = 1, TIF_IOC = 2, TIF_FOK = 3, TIF_GTX = 4 };
enum stp { STP_REJECT = 0, STP_CANCEL_TAKER = 1, STP_CANCEL_MAKER = 2, STP_CANCEL_BOTH = 3 };
enum order_status {
    STATUS_PENDING = 0,
    STATUS_OPEN = 1,
    STATUS_PARTIAL = 2,
    STATUS_FILLED = 3,
    STATUS_CANCELLED = 4,
    STATUS_EXPIRED = 5,
    STATUS_REJECTED = 6,
};
enum signature_type { SIG_V1 = 1, SIG_V2 = 2 };

/* Exchange-wide or market mode. */
enum mode { MODE_NORMAL = 0, MODE_CANCEL_ONLY = 1, MODE_HALTED = 2 };
enum mode_reason { MODE_BY_OPERATOR = 0, MODE_BY_CLOCK = 1, MODE_BY_DISK = 2 };

enum record_kind {
    /* command log */
    CMD_START = 1,            /* a trading process took the pen; how many orders may rest */
    CMD_TOKEN = 2,            /* a token was added or changed */
    CMD_MARKET = 3,           /* a market was added or changed */
    CMD_LIMITS = 4,           /* the exchange-wide limits */
    CMD_DEPOSIT = 5,          /* funds came in */
    CMD_ORDER = 6,            /* a signed order, accepted or refused */
    CMD_CANCEL = 7,           /* a signed wish to cancel one or more orders */
    CMD_EXPIRE = 8,           /* orders whose time is up */
    CMD_MERGE = 9,            /* the match log is admitted through a sequence */
    CMD_MODE = 10,            /* normal, cancel-only or halted */
    CMD_WITHDRAW = 11,        /* a signed withdrawal, accepted or refused */
    CMD_WITHDRAW_STEP = 12,   /* a withdrawal goes on, or ends */
    CMD_WITHDRAW_LIMITS = 13, /* how much may be withdrawn */
    /* match log */
    MATCH_OPENED = 32,   /* an order rests */
    MATCH_TRADE = 33,    /* two orders met */
    MATCH_CANCELED = 34, /* an order, or what was left of it, is gone */
    MATCH_REJECTED = 35, /* matching refused an accepted order; it never traded */
    MATCH_MISSED = 36,   /* a cancel found its order already gone */
    MATCH_BEST = 37,     /* the best prices of a market changed */
    MATCH_FILLED = 38,   /* an order by quote amount ended: its budget buys no further lot */
    /* account log */
    ACCOUNT_ORDER = 64,   /* an order and its balances as they now are */
    ACCOUNT_BALANCE = 65, /* a balance as it now is, moved by something that is no order */
    ACCOUNT_TRADE = 66,   /* the same, and the fill: one for each side of a trade */
};

/* Why an order left the book or never got there (MATCH_CANCELED.reason, CMD_CANCEL.reason). */
enum cancel_reason {
    REASON_NONE = 0,
    REASON_USER = 1, /* its owner asked */
    REASON_EXPIRED = 2,
    REASON_IOC = 3,    /* remainder of an IOC or market order */
    REASON_FOK = 4,    /* could not fill whole */
    REASON_STP = 5,    /* self-trade prevention */
    REASON_BUDGET = 6, /* the quote budget does not buy a single lot */
    REASON_OPERATOR = 7,
    REASON_CAPACITY = 8, /* partly filled, and no room in the book for the remainder */
};

/* Head of every record. 40 bytes. */
struct rec {
    u64 seq;     /* of its log, from 1, without gaps; 0 is padding, see log.h */
    u64 time_ns; /* Unix time, never decreasing; a derived record has its cause's */
    u64 cause;   /* the command sequence it follows from; its own in the command log */
    u32 length;  /* whole record, multiple of 8 */
    u32 crc;     /* CRC-32C of the whole record with this field 0 */
    u16 kind;    /* enum record_kind */
    u16 version; /* of the kind's layout, from 1 */
    u32 zero;
};
SIZE_IS(struct rec, 40);
OFFSET_IS(struct rec, length, 24);
OFFSET_IS(struct rec, kind, 32);

#define RECORD_VERSION   1
#define RECORD_BYTES_MAX 16384U

/* Where a command came from: after a takeover the ingress positions follow from the log. */
struct origin {
    u64 position; /* ingress ring position after the message */
    u64 request;  /* request id, 0 = nobody waits; its top 16 bits name the api instance */
    u16 source;   /* trading's ingress ring, NO_SOURCE = trading itself */
    u16 zero16;
    u32 zero32;
};
SIZE_IS(struct origin, 24);

#define REQUEST_API(request) ((u16)((request) >> 48))

struct evidence {
    u8 digest[DIGEST_BYTES];       /* EIP-712 digest that was signed */
    u8 signature[SIGNATURE_BYTES]; /* r || s || v */
    u8 zero[7];
};
SIZE_IS(struct evidence, 104);

struct cmd_start {
    struct rec head;
    u64 epoch;     /* of the trading role; 1 = the first of a segment */
    u64 journaled; /* the sequence this trading process recovered through */
    char build[48];
};

/* Version 2 says how many resting orders each matching process has room for, in all its markets,
 * from here on: whom a full book turns away follows from the log, whatever the arenas that replay
 * it. Fewer than rest already: those stay, and new ones are refused. Version 1 sets no number: then
 * the arena is the limit. */
struct cmd_start_2 {
    struct cmd_start was;
    u32 resting_max; /* at least 1 */
    u32 zero32;
};
SIZE_IS(struct cmd_start_2, 112);

struct cmd_token {
    struct rec head;
    u16 token;   /* index, from 0 */
    u8 decimals; /* ledger unit = 10^-decimals */
    u8 zero8;
    u32 version; /* config version that brought it */
    char symbol[SYMBOL_BYTES];
};

struct cmd_market {
    struct rec head;
    u16 market; /* index, from 0 */
    u16 base, quote;
    u16 matching;   /* which matching process */
    u32 maker_rate; /* parts per billion */
    u32 taker_rate;
    u64 tick_wad;  /* tick size x 10^18 */
    u64 lot_wad;   /* lot size x 10^18 */
    u64 lot_units; /* one lot in base ledger units */
    u64 tick_lot;  /* one tick x one lot in quote ledger units */
    u64 price_max; /* ticks */
    u64 lots_min, lots_max;
    u64 notional_min, notional_max; /* quote ledger units */
    u32 version;
    u8 mode;                            /* enum mode */
    u8 price_decimals, amount_decimals; /* as published */
    u8 zero8;
    char symbol[SYMBOL_BYTES];
};

struct cmd_limits {
    struct rec head;
    u32 open_orders;    /* per wallet and market */
    u32 resting_orders; /* per market */
    u64 expiry_max_ns;
    u32 version;
    u32 zero32;
};

struct cmd_deposit {
    struct rec head;
    struct origin origin;
    u64 amount; /* ledger units */
    u16 token;
    u16 zero16;
    u8 wallet[WALLET_BYTES];
};

/* Version 2 names the deposit, and the transaction it came by. */
struct cmd_deposit_2 {
    struct cmd_deposit was;
    u64 transfer_id;
    u64 block;                 /* of the chain, 0 = not known */
    u8 tx_hash[TX_HASH_BYTES]; /* with log_index: the deposit's name on the chain */
    u32 log_index;
    u8 has_tx; /* 0: credited by hand, the two above say nothing */
    u8 zero[3];
};
SIZE_IS(struct cmd_deposit_2, 152);

struct cmd_withdraw {
    struct rec head;
    struct origin origin;
    u64 transfer_id; /* 0 when refused */
    u64 nonce;
    u64 amount; /* ledger units, in flight from here on */
    u32 account;
    u16 token;
    u16 code; /* 0 = accepted, else the protocol code */
    u8 wallet[WALLET_BYTES];
    char to_address[TO_BYTES];
    u8 zero[2];
    struct evidence evidence;
};
SIZE_IS(struct cmd_withdraw, 264);

/* By whom a withdrawal goes on. */
enum step_by { STEP_BY_OWNER = 1, STEP_BY_OPERATOR = 2 };

struct cmd_withdraw_step {
    struct rec head;
    struct origin origin;
    u64 transfer_id;
    u8 status; /* enum withdraw_status: what it is from here on */
    u8 by;     /* enum step_by */
    u8 has_tx; /* tx_hash says something */
    u8 zero[5];
    u8 tx_hash[TX_HASH_BYTES];
    struct evidence evidence; /* by its owner: the signed Request; else zero */
};
SIZE_IS(struct cmd_withdraw_step, 216);

/* TOKENS_MAX of rules.h. Amounts of 0 and counts of 0 do not limit. */
struct cmd_withdraw_limits {
    struct rec head;
    u64 single, daily;     /* worth of one, and of a wallet's last 24 hours, in units of `token` */
    u32 per_hour, per_day; /* of a wallet */
    u16 token;             /* the one that worth is told in */
    u16 zero16;
    u32 version;
    u64 least[64]; /* of one withdrawal, by token, in its ledger units */
};
SIZE_IS(struct cmd_withdraw_limits, 584);

enum transfer_kind { TRANSFER_DEPOSIT = 0, TRANSFER_WITHDRAWAL = 1, TRANSFER_KINDS = 2 };
enum deposit_status { DEPOSIT_PENDING = 0, DEPOSIT_CONFIRMED = 1, DEPOSIT_CREDITED = 2 };
enum withdraw_status {
    WITHDRAW_PENDING = 0,    /* nobody has decided; its owner may cancel it */
    WITHDRAW_PROCESSING = 1, /* approved, nothing is on the chain yet */
    WITHDRAW_SUBMITTED = 2,  /* a transaction is on its way */
    WITHDRAW_CONFIRMED = 3,  /* done */
    WITHDRAW_FAILED = 4,     /* could not be done; the funds are back */
    WITHDRAW_CANCELLED = 5,  /* by its owner; the funds are back */
    WITHDRAW_REJECTED = 6,   /* by whoever decides; the funds are back */
};

/* A deposit or a withdrawal as the world sees it. */
struct transfer_view {
    u64 id;
    u64 amount; /* ledger units */
    u64 nonce;  /* withdrawal */
    u64 block;  /* deposit; 0 = not known */
    u64 created_ns, updated_ns;
    u32 account;
    u32 log_index; /* deposit */
    u16 token;
    u8 kind;   /* enum transfer_kind */
    u8 status; /* enum deposit_status or withdraw_status */
    u8 has_tx; /* tx_hash (and log_index of a deposit) say something */
    u8 zero[3];
    u8 wallet[WALLET_BYTES];
    u8 tx_hash[TX_HASH_BYTES];
    char to_address[TO_BYTES]; /* withdrawal */
    u8 zero2[2];
};
SIZE_IS(struct transfer_view, 160);

struct cmd_order {
    struct rec head;
    struct origin origin;
    u64 order_id; /* 0 when refused */
    u64 nonce;
    u64 price;        /* limit in ticks; for a market order the protection price */
    u64 lots;         /* 0 for an order by quote amount */
    u64 quote_amount; /* budget in quote ledger units, 0 = none */
    u64 hold;         /* what was held: quote units for a buy, base units for a sell */
    u64 expire_ns;    /* 0 = never */
    u32 account;
    u32 maker_rate, taker_rate;
    u16 market;
    u16 code; /* 0 = accepted, else the protocol code; matching skips refused orders */
    u16 slippage_bps;
    u8 side, type, tif, stp, signature_type, client_id_length;
    u8 wallet[WALLET_BYTES];
    u8 client_id[CLIENT_ID_BYTES];
    struct evidence evidence;
};
SIZE_IS(struct cmd_order, 304);
OFFSET_IS(struct cmd_order, account, 120);
OFFSET_IS(struct cmd_order, slippage_bps, 136);
OFFSET_IS(struct cmd_order, wallet, 144);

/* One order of a cancel list. */
struct cancel_item {
    u64 order_id;
    u16 market;
    u16 zero16;
    u32 account;
};
SIZE_IS(struct cancel_item, 16);

/* CMD_CANCEL and CMD_EXPIRE: `count` items follow, then (CMD_CANCEL by a wallet) the evidence. */
struct cmd_cancel {
    struct rec head;
    struct origin origin;
    u64 nonce; /* of a signed Cancel */
    u32 account;
    u16 count;
    u8 reason;     /* enum cancel_reason */
    u8 uses_nonce; /* 1: a signed Cancel; 0: by header, or not by a wallet */
    u16 code;      /* 0, or why nothing is cancelled (the nonce is used all the same) */
    u16 zero16;
    u32 replies; /* how many answers the request gets in all */
};
SIZE_IS(struct cmd_cancel, 88);

#define CANCEL_ITEMS_MAX 512

struct cmd_merge {
    struct rec head;
    u64 through; /* match log sequence, inclusive */
    u16 matching;
    u16 zero16;
    u32 zero32;
};

struct cmd_mode {
    struct rec head;
    struct origin origin;
    u16 market; /* NO_MARKET = the whole exchange */
    u8 mode;
    u8 reason; /* enum mode_reason */
    u8 zero[4];
};

/* OPENED, CANCELED, REJECTED, MISSED, FILLED: what happened to one order. */
struct match_order {
    struct rec head;
    u64 order_id;
    u64 price; /* ticks */
    u64 lots;  /* OPENED: now resting; CANCELED: what was left */
    u32 account;
    u16 market;
    u16 code; /* REJECTED: protocol code */
    u8 side;
    u8 reason;      /* CANCELED: enum cancel_reason */
    u8 was_resting; /* CANCELED: 1 if it stood in the book, 0 if it was the incoming order */
    u8 zero[5];
};
SIZE_IS(struct match_order, 80);
OFFSET_IS(struct match_order, account, 64);
OFFSET_IS(struct match_order, side, 72);

struct match_trade {
    struct rec head;
    u64 maker_id, taker_id;
    u64 price; /* the maker's, ticks */
    u64 lots;
    u64 maker_left, taker_left; /* lots after this trade */
    u32 maker_account, taker_account;
    u16 market;
    u8 taker_side;
    u8 zero[5];
};
SIZE_IS(struct match_trade, 104);
OFFSET_IS(struct match_trade, maker_account, 88);
OFFSET_IS(struct match_trade, market, 96);

struct match_best {
    struct rec head;
    u64 bid, ask; /* ticks, 0 = that side is empty */
    u16 market;
    u16 zero16;
    u32 zero32;
};

/* A trade is named by its matching process and match sequence, so replay names it the same. */
static inline u64 trade_id_of(u16 matching, u64 match_seq)
{
    return (u64)matching << 52 | match_seq;
}

/* An order as the world sees it; the body of replies and of ACCOUNT_ORDER. */
struct order_view {
    u64 order_id;
    u64 nonce;
    u64 price; /* ticks; 0 for a market order */
    u64 lots;  /* 0 while an order by quote amount is not done */
    u64 filled_lots;
    u64 filled_quote; /* quote ledger units */
    u64 quote_amount; /* quote ledger units, 0 = none */
    u64 fee;          /* charged so far, quote ledger units */
    u64 expire_ns;
    u64 created_ns, updated_ns;
    u32 account;
    u16 market;
    u16 code; /* why it was rejected, 0 otherwise */
    u8 side, type, tif, stp, status, reason, signature_type, client_id_length;
    u8 wallet[WALLET_BYTES];
    u8 client_id[CLIENT_ID_BYTES];
};
SIZE_IS(struct order_view, 160);

enum order_event {
    EVENT_ACCEPTED = 1,
    EVENT_OPEN = 2,
    EVENT_TRADE = 3,
    EVENT_CANCELLED = 4,
    EVENT_EXPIRED = 5,
    EVENT_REJECTED = 6,
};

/* One settled balance. Ledger units. */
struct balance_view {
    u64 available, frozen;
};

/* An order as it now is, with the two balances of its account that it works with. The last part of
 * its record, which ends behind the client id: what is beyond client_id_length is not there. */
struct account_state {
    struct balance_view base, quote;
    struct order_view order;
};

struct account_order {
    struct rec head;
    u8 event; /* enum order_event */
    u8 zero[7];
    struct account_state now;
};
SIZE_IS(struct account_order, 240);

/* One record for the maker, the next one for the taker. What they share they have equal. */
struct account_trade {
    struct rec head;
    u64 trade_id;
    u64 other_id; /* the order on the other side */
    u64 price, lots;
    u64 quote; /* quote ledger units */
    u64 fee;   /* charged to this side for this trade, quote ledger units */
    u8 takes;  /* 1: this is the taker's */
    u8 zero[7];
    struct account_state now;
};
SIZE_IS(struct account_trade, 288);

/* Length of an account record whose state begins at `state_at`. */
static inline u32 account_record_length(size_t state_at, u8 client_id_length)
{
    size_t end = state_at + offsetof(struct account_state, order.client_id) + client_id_length;
    return (u32)align_up(end, 8);
}

enum balance_reason {
    BALANCE_DEPOSIT = 1,
    BALANCE_HOLD = 2,
    BALANCE_RELEASE = 3,
    BALANCE_TRADE = 4,
    BALANCE_WITHDRAW = 5, /* a withdrawal was asked for: it is in flight */
    BALANCE_RETURN = 6,   /* and did not come about: it is back */
};

struct account_balance {
    struct rec head;
    u64 settled_available, settled_frozen; /* ledger units */
    u64 pending_available, pending_frozen;
    u64 ref_id; /* version 1: deposit sequence; 2: transfer id */
    u32 account;
    u16 token;
    u8 reason; /* enum balance_reason */
    u8 zero8;
    u8 wallet[WALLET_BYTES];
    u32 zero32;
};
SIZE_IS(struct account_balance, 112);

/* Version 2 says how much moved. */
struct account_balance_2 {
    struct account_balance now;
    u64 amount; /* ledger units */
    u8 left;    /* 1 = it left the balance, 0 = it came */
    u8 zero[7];
};
SIZE_IS(struct account_balance_2, 128);

#endif
