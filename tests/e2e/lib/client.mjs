// A trader: an ethers wallet that signs what the protocol says, and HTTP without any help from it.
import assert from "node:assert/strict";
import http from "node:http";
import { ethers } from "ethers";
import { DOMAIN, HTTP_OF, TYPES, has } from "./protocol.mjs";
import { conforms } from "./schema.mjs";

export const API = "/api/v1";
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });

// One HTTP exchange, as it is: {status, headers, text}. What schema/openapi.json does not allow fails.
export function send(exchange, method, path, { headers = {}, body } = {}) {
    return new Promise((resolve, reject) => {
        const request = http.request({
            host: exchange.host, port: exchange.port, method, path, agent,
            headers: body === undefined ? headers
                : { "content-type": "application/json", "content-length": Buffer.byteLength(body),
                    ...headers },
        }, (response) => {
            const parts = [];
            response.on("data", (part) => parts.push(part));
            response.on("end", () => {
                const answer = { status: response.statusCode, headers: response.headers,
                    text: Buffer.concat(parts).toString() };
                try {
                    conforms(method, path, answer);
                    resolve(answer);
                } catch (e) {
                    reject(e);
                }
            });
            response.on("error", reject);
        });
        request.setTimeout(15000, () => request.destroy(new Error(`${method} ${path}: no answer`)));
        request.on("error", reject);
        request.end(body);
    });
}

// An answer in the envelope: exactly {code, message, data}, and the HTTP status of the code.
export function envelope({ status, headers, text }, what = "") {
    let answer;
    try {
        answer = JSON.parse(text);
    } catch {
        assert.fail(`${what}: HTTP ${status}, not JSON: ${text.slice(0, 200)}`);
    }
    assert.deepEqual(Object.keys(answer).sort(), ["code", "data", "message"], `${what}: ${text}`);
    assert.equal(typeof answer.message, "string");
    assert.match(headers["content-type"] ?? "", /^application\/json/, what);
    if (answer.code === 0) assert.equal(answer.message, "success", what);
    assert.equal(status, answer.code === 0 ? 200 : HTTP_OF[answer.code], `${what}: ${text}`);
    return { status, headers, ...answer };
}

export async function call(exchange, method, path, options = {}) {
    const body = options.body === undefined || typeof options.body === "string" ? options.body
        : JSON.stringify(options.body);
    return envelope(await send(exchange, method, path, { ...options, body }), `${method} ${path}`);
}

// The data of a call that must succeed.
export async function ok(answer) {
    const a = await answer;
    assert.equal(a.code, 0, JSON.stringify(a));
    return a.data;
}

// A call that must be refused with this code. Returns the answer.
export async function refused(code, answer) {
    const a = await answer;
    assert.equal(a.code, code, JSON.stringify({ ...a, headers: undefined }));
    return a;
}

export async function get(exchange, path) {
    return ok(call(exchange, "GET", API + path));
}

const SIDE = { buy: 0, sell: 1 }, KIND = { limit: 0, market: 1 };
const TIF = { GTC: 0, IOC: 1, FOK: 2, GTX: 3 };
const STP = { reject: 0, cancel_taker: 1, cancel_maker: 2, cancel_both: 3 };
const wad = (text) => ethers.parseUnits(text ?? "0", 18);

let lastTimestamp = 0;
// Milliseconds, each one once: two changes on one path need two timestamps.
export function timestamp() {
    lastTimestamp = Math.max(lastTimestamp + 1, Date.now());
    return lastTimestamp;
}

export class Trader {
    constructor(exchange, key = ethers.hexlify(ethers.randomBytes(32))) {
        this.exchange = exchange;
        this.signer = new ethers.Wallet(key);
        this.wallet = this.signer.address;
        this.nonce = BigInt(Date.now());
    }

    nextNonce() {
        return String(++this.nonce);
    }

    fund(token, amount) {
        return this.exchange.credit(this.wallet, token, amount);
    }

    sign(type, message, domain = {}) {
        return this.signer.signTypedData({ ...DOMAIN, ...domain }, TYPES[type], message);
    }

    // What an order signs: v1 binds eight fields, v2 all.
    typedOrder(o) {
        const expiry = o.expire_at ? BigInt(o.expire_at) / 1000n : 0n;
        const common = {
            wallet: this.wallet, market: o.market, side: SIDE[o.side], orderType: KIND[o.type],
            price: wad(o.price), amount: wad(o.amount), nonce: o.nonce, expiry,
        };
        if (o.signature_type !== "v2") return ["Order", common];
        const market = o.type === "market";
        return ["OrderV2", {
            ...common, timeInForce: TIF[o.time_in_force ?? (market ? "IOC" : "GTC")],
            quoteAmount: wad(o.quote_amount), stp: STP[o.stp ?? "reject"],
            slippageBps: o.slippage_bps ?? (market ? 100 : 0), clientOrderId: o.client_order_id ?? "",
        }];
    }

    // A signed body for POST /orders. `after` changes fields once it is signed.
    async order(fields, after = {}) {
        const body = { wallet: this.wallet, nonce: this.nextNonce(), type: "limit",
            market: "BTC-USDC", ...fields };
        const [type, message] = this.typedOrder(body);
        return { ...body, signature: await this.sign(type, message), ...after };
    }

    async post(fields, after) {
        return this.send(await this.order(fields, after));
    }

    send(body) {
        return call(this.exchange, "POST", API + "/orders", { body });
    }

    // An order that must be accepted; its object is as documented.
    async place(fields, after) {
        return has("order", await ok(this.post(fields, after)));
    }

    buy(price, amount, more) {
        return this.place({ side: "buy", price, amount, ...more });
    }

    sell(price, amount, more) {
        return this.place({ side: "sell", price, amount, ...more });
    }

    async header(method, path, at = timestamp()) {
        const signature = await this.sign("Request", { method, path, timestamp: at });
        return { authorization: `EIP712 ${this.wallet}:${at}:${signature}` };
    }

    // A call with header authentication; the query is not signed.
    async call(method, path, options = {}) {
        const full = API + path;
        const headers = await this.header(method, full.split("?")[0]);
        return call(this.exchange, method, full, { headers, ...options });
    }

    async get(path) {
        return ok(this.call("GET", path));
    }

    async list(path, shape) {
        const data = await this.get(path);
        const { window, ...rest } = data; // there where something asked for is no longer held
        if (window) assert.deepEqual(Object.keys(window), ["oldest"]);
        assert.deepEqual(Object.keys(rest).sort(), ["items", "pagination"]);
        has("pagination", data.pagination);
        if (shape) for (const item of data.items) has(shape, item);
        return data;
    }

    async fetchOrder(id) {
        return has("order", await this.get(`/orders/${id}`));
    }

    cancel(id) {
        return this.call("DELETE", `/orders/${id}`);
    }

    // A signed Cancel in place of the header.
    async signedCancel(orderId, nonce = this.nextNonce()) {
        const signature = await this.sign("Cancel", { wallet: this.wallet, orderId, nonce });
        return { wallet: this.wallet, nonce, signature };
    }

    cancelAll(query = "") {
        return ok(this.call("DELETE", `/orders${query}`));
    }

    async balance(token) {
        const b = has("balance", await this.get(`/balances/${token}`));
        assert.equal(b.wallet.toLowerCase(), this.wallet.toLowerCase());
        assert.equal(b.token, token);
        return b;
    }

    // [available, frozen] as settled: without a chain nothing is pending.
    async funds(token) {
        const b = await this.balance(token);
        assert.equal(b.pending_available, "0");
        assert.equal(b.pending_frozen, "0");
        assert.equal(b.total_available, b.settled_available);
        assert.equal(b.withdrawable, b.settled_available);
        assert.equal(units(b.total), units(b.settled_available) + units(b.settled_frozen));
        return [b.settled_available, b.settled_frozen];
    }
}

// A funded stranger.
export async function newTrader(exchange, funds = {}) {
    const t = new Trader(exchange);
    exchange.traders.push(t);
    for (const [token, amount] of Object.entries(funds)) await t.fund(token, amount);
    return t;
}

// Try again until the assertion holds: what is public follows what was answered, a moment later.
export async function eventually(check, timeoutMs = 3000) {
    const until = Date.now() + timeoutMs;
    for (;;) {
        try {
            return await check();
        } catch (e) {
            if (Date.now() > until) throw e;
            await new Promise((resolve) => setTimeout(resolve, 20));
        }
    }
}

// Exact sums in ledger units: 8 decimals for each token of the default markets.
export const units = (text) => ethers.parseUnits(text, 8);
export const amount = (value) => ethers.formatUnits(value, 8).replace(/\.0$/, "");
