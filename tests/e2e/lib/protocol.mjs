// protocol.md, sections 1 to 4, as data: codes with their HTTP status, objects with their fields and
// types, typed data. Written from the text, not from the code.
import assert from "node:assert/strict";

// --- Codes (section 2) ---------------------------------------------------------------------------

const BY_STATUS = {
    401: [10001, 10002, 10004, 10006, 10008, 10009],
    403: [10005, 15000],
    404: [11001, 12006, 12007, 13001, 14001],
    409: [11012, 11017],
    429: [20001],
    500: [20003],
    503: [20002, 20007, 20008],
    504: [20004],
    202: [15002],
    400: [10003, 10007, 10010, 11002, 11003, 11004, 11005, 11006, 11007, 11008, 11009, 11010, 11011,
        11013, 11014, 11015, 11016, 11018, 11019, 11020, 11021, 12001, 12002, 12003, 12004, 12005,
        12008, 12009, 13002, 13003, 13004],
};
export const HTTP_OF = Object.fromEntries(
    Object.entries(BY_STATUS).flatMap(([status, codes]) => codes.map((c) => [c, Number(status)])));

// --- Types of fields -----------------------------------------------------------------------------

const is = (pattern, what) => (v) =>
    typeof v === "string" && pattern.test(v) ? null : `expected ${what}`;
const oneOf = (...words) => (v) => (words.includes(v) ? null : `expected one of ${words}`);
const whole = (v) => (Number.isSafeInteger(v) && v >= 0 ? null : "expected a whole number");
// Milliseconds of this century: neither seconds nor nanoseconds.
const time = (v) => (Number.isSafeInteger(v) && v > 1e12 && v < 1e13 ? null : "expected Unix ms");
const decimal = is(/^(0|[1-9]\d*)(\.\d+)?$/, "a decimal string");
const signed = is(/^-?(0|[1-9]\d*)(\.\d+)?$/, "a signed decimal string");
const id = is(/^(0|[1-9]\d{0,19})$/, "an id in a string");
const address = is(/^0x[0-9a-fA-F]{40}$/, "an address");
const hash = is(/^0x[0-9a-f]{64}$/, "a transaction hash");
const orNull = (check) => (v) => (v === null ? null : check(v));
const text = is(/^.+$/, "a text");
const marketName = is(/^[A-Z0-9]+-[A-Z0-9]+$/, "a market");
const token = is(/^[A-Z0-9]{2,10}$/, "a token");
const side = oneOf("buy", "sell");
const levels = (v) => {
    const good = Array.isArray(v) && v.every((l) =>
        Array.isArray(l) && l.length === 2 && !decimal(l[0]) && !decimal(l[1]));
    return good ? null : "expected [[price, amount]] in decimal strings";
};

// --- Objects (section 1): every field, and no other; "?" marks those that may be absent ------------

export const SHAPES = {
    order: {
        order_id: id, wallet: address, market: marketName, side, type: oneOf("limit", "market"),
        price: decimal, amount: decimal, filled_amount: decimal, filled_quote: decimal,
        remaining_amount: decimal, avg_price: decimal,
        status: oneOf("pending", "open", "partial", "filled", "cancelled", "expired", "rejected"),
        time_in_force: oneOf("GTC", "IOC", "FOK", "GTX"), nonce: id, "client_order_id?": text,
        "expire_at?": time, "reject_reason?": text, created_at: time, updated_at: time,
    },
    balance: {
        wallet: address, token, settled_available: decimal, settled_frozen: decimal,
        pending_available: decimal, pending_frozen: decimal, total_available: decimal,
        total: decimal, withdrawable: decimal,
        updated_at: (v) => (v === 0 ? null : time(v)), // 0: there never was one
    },
    market: {
        symbol: marketName, base_token: token, quote_token: token, price_decimals: whole,
        amount_decimals: whole, tick_size: decimal, lot_size: decimal, min_amount: decimal,
        max_amount: decimal, min_notional: decimal, max_notional: decimal, maker_fee_rate: decimal,
        taker_fee_rate: decimal, status: oneOf("active", "cancel_only", "suspended"),
        quote_unit: decimal,
    },
    ticker: {
        market: marketName, last_price: decimal, price_change: signed, price_change_percent: signed,
        open: decimal, high: decimal, low: decimal, volume: decimal, quote_volume: decimal,
        best_bid: decimal, best_bid_qty: decimal, best_ask: decimal, best_ask_qty: decimal,
        trade_count: whole, timestamp: time,
    },
    depth: { market: marketName, bids: levels, asks: levels, sequence: whole, timestamp: time },
    kline: {
        open_time: time, open: decimal, high: decimal, low: decimal, close: decimal, volume: decimal,
        quote_volume: decimal, close_time: time, trade_count: whole,
    },
    recentTrade: {
        trade_id: id, price: decimal, amount: decimal, quote_amount: decimal, side, timestamp: time,
    },
    trade: {
        trade_id: id, market: marketName, order_id: id, role: oneOf("maker", "taker"), side,
        price: decimal, amount: decimal, quote_amount: decimal, fee: decimal, fee_token: token,
        settlement_status: oneOf("matched_offchain", "pending", "submitted", "settled_onchain",
            "failed", "rolled_back"),
        matched_at: time, "settled_at?": time,
    },
    // What is not known of a deposit's transaction (credited by hand) is null.
    deposit: {
        deposit_id: id, wallet: address, token, amount: decimal, tx_hash: orNull(hash),
        log_index: orNull(whole), block_num: orNull(whole),
        status: oneOf("pending", "confirmed", "credited"), created_at: time, updated_at: time,
    },
    withdrawal: {
        withdraw_id: id, wallet: address, token, amount: decimal, to_address: address, nonce: id,
        status: oneOf("pending", "processing", "submitted", "confirmed", "failed", "cancelled",
            "rejected"),
        "tx_hash?": hash, created_at: time, updated_at: time,
    },
    // One line of the balance log; what it holds is not in the text.
    transaction: {
        transaction_id: id, wallet: address, token,
        type: oneOf("deposit", "withdraw", "withdraw_return", "trade", "fee"), amount: signed,
        balance_after: decimal, ref_type: oneOf("deposit", "withdrawal", "trade"), ref_id: id,
        created_at: time,
    },
    pagination: { total: whole, page: whole, page_size: whole, total_pages: whole },
};

// `object` has exactly the fields of the shape (and `more`), each of its type. Returns it.
export function has(shapeName, object, more = {}) {
    const shape = { ...SHAPES[shapeName], ...more };
    assert.equal(typeof object, "object", `${shapeName}: ${JSON.stringify(object)}`);
    assert.ok(object, `${shapeName} is null`);
    const known = new Set();
    for (const [key, check] of Object.entries(shape)) {
        const name = key.replace("?", "");
        known.add(name);
        if (!(name in object)) {
            assert.ok(key.endsWith("?"), `${shapeName}.${name} is missing in ${JSON.stringify(object)}`);
            continue;
        }
        const wrong = check(object[name]);
        assert.equal(wrong, null, `${shapeName}.${name} = ${JSON.stringify(object[name])}: ${wrong}`);
    }
    for (const name of Object.keys(object))
        assert.ok(known.has(name), `${shapeName}.${name} is not documented`);
    return object;
}

export const CHECKS = { id, text, time, whole, decimal };

// --- Typed data (section 3) ----------------------------------------------------------------------

export const DOMAIN = {
    name: "EidosExchange", version: "1", chainId: 31337,
    verifyingContract: "0x0000000000000000000000000000000000000000",
};

const TEXTS = [
    "Request(string method,string path,uint256 timestamp)",
    "Order(address wallet,string market,uint8 side,uint8 orderType,uint256 price,uint256 amount," +
        "uint256 nonce,uint256 expiry)",
    "Cancel(address wallet,string orderId,uint256 nonce)",
    "Withdraw(address wallet,string token,uint256 amount,string toAddress,uint256 nonce)",
    "OrderV2(address wallet,string market,uint8 side,uint8 orderType,uint8 timeInForce," +
        "uint256 price,uint256 amount,uint256 quoteAmount,uint256 nonce,uint256 expiry,uint8 stp," +
        "uint16 slippageBps,string clientOrderId)",
];
export const TYPES = Object.fromEntries(TEXTS.map((encoded) => {
    const [, name, fields] = encoded.match(/^(\w+)\((.*)\)$/);
    return [name, { [name]: fields.split(",").map((f) => {
        const [type, field] = f.split(" ");
        return { name: field, type };
    }) }];
}));
