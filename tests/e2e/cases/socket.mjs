// WebSocket: channels in both dialects, both ways to authenticate, limits.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually, get, newTrader, timestamp } from "../lib/client.mjs";
import { CHECKS, has } from "../lib/protocol.mjs";
import { Socket } from "../lib/socket.mjs";

const on = (channel, type) => (m) => m.channel === channel && (!type || m.type === type);

// An update: {type, channel, data, timestamp, sequence} and, for a depth, prev_sequence; the older
// dialect names the market beside the channel.
function isPush(m, { depth = false, older = false } = {}) {
    const fields = ["channel", "data", "sequence", "timestamp", "type"];
    if (depth && m.type === "update") fields.push("prev_sequence");
    if (older) fields.push("market");
    if (older && m.channel === "kline") fields.push("interval");
    assert.deepEqual(Object.keys(m).sort(), fields.sort(), JSON.stringify(m));
    assert.equal(CHECKS.time(m.timestamp), null);
    assert.ok(Number.isSafeInteger(m.sequence));
}

// A book kept from a snapshot and updates; a gap is an error.
class Book {
    constructor(snapshot) {
        this.sequence = snapshot.sequence;
        this.sides = { bids: new Map(snapshot.data.bids), asks: new Map(snapshot.data.asks) };
    }

    apply(update) {
        isPush(update, { depth: true, older: "market" in update });
        assert.equal(update.prev_sequence, this.sequence, "a gap in the depth");
        assert.ok(update.sequence > this.sequence);
        this.sequence = update.sequence;
        for (const side of ["bids", "asks"])
            for (const [price, amount] of update.data[side])
                if (amount === "0") this.sides[side].delete(price);
                else this.sides[side].set(price, amount);
    }

    get levels() {
        const sorted = (map, sign) => [...map].sort((a, b) => sign * (a[0] - b[0]));
        return { bids: sorted(this.sides.bids, -1), asks: sorted(this.sides.asks, 1) };
    }
}

export default (exchange) => describe("WebSocket channels", () => {
    let maker, taker;

    it("pings and pongs, repeating the id", async () => {
        maker = await newTrader(exchange, { BTC: "10", USDC: "100000" });
        taker = await newTrader(exchange, { USDC: "500000", BTC: "10" });
        const s = await Socket.open(exchange);
        assert.equal((await s.ask({ type: "ping" })).type, "pong");
        assert.equal((await s.ask({ type: "ping", id: 7 })).id, 7);
        await s.close();
    });

    for (const [dialect, subscription, channel] of [
        ["new", { channels: ["depth.BTC-USDC.20"] }, "depth.BTC-USDC.20"],
        ["older", { channel: "depth", market: "BTC-USDC", params: {} }, "depth"],
    ])
        it(`depth: a snapshot, then updates without a gap (${dialect} dialect)`, async () => {
            const older = dialect === "older";
            await maker.sell("50000", "0.1");
            const s = await Socket.open(exchange);
            const answer = await s.ask({ type: "subscribe", ...subscription });
            assert.equal(answer.type, "subscribed");
            if (older) assert.deepEqual([answer.channel, answer.market], ["depth", "BTC-USDC"]);
            else assert.ok([answer.channel, ...(answer.channels ?? [])].includes(channel));
            const snapshot = await s.next(on(channel, "snapshot"));
            isPush(snapshot, { depth: true, older });
            has("depth", snapshot.data);
            const book = new Book(snapshot);
            for (let i = 0; i < 10; i++) {
                await maker.sell(String(50001 + i), "0.01");
                await taker.buy(String(49000 - i), "0.02");
            }
            await taker.buy("50003", "0.115");
            await maker.cancelAll("?side=sell&market=BTC-USDC");
            await taker.buy("48000.5", "0.03");
            for (;;) {
                book.apply(await s.next(on(channel, "update")));
                const depth = await get(exchange, "/depth/BTC-USDC?limit=20");
                if (depth.sequence !== book.sequence) continue;
                assert.deepEqual(book.levels, { bids: depth.bids, asks: depth.asks });
                if (depth.bids.length === 11 && depth.asks.length === 0) break;
            }
            assert.equal((await s.ask({ type: "unsubscribe", ...subscription })).type, "unsubscribed");
            await taker.cancelAll();
            assert.deepEqual(await s.drain(on(channel)), []);
            await s.close();
        });

    it("depth of 5 levels brings in the sixth when one goes", async () => {
        const bids = [];
        for (let i = 0; i < 7; i++) bids.push(await taker.buy(String(40000 - i), "0.01"));
        const s = await Socket.open(exchange);
        await s.subscribe("depth.BTC-USDC.5");
        const book = new Book(await s.next(on("depth.BTC-USDC.5", "snapshot")));
        assert.equal(book.levels.bids.length, 5);
        await taker.cancel(bids[1].order_id);
        book.apply(await s.next(on("depth.BTC-USDC.5", "update")));
        assert.deepEqual(book.levels.bids.map(([price]) => price),
            ["40000", "39998", "39997", "39996", "39995"]);
        await taker.cancelAll();
        await s.close();
    });

    it("trades and tickers", async () => {
        const s = await Socket.open(exchange);
        await s.subscribe("trades.BTC-USDC", "ticker.BTC-USDC", "ticker.*");
        await maker.sell("50000", "0.02");
        await taker.buy("50000", "0.01");
        const trade = await s.next(on("trades.BTC-USDC", "update"));
        isPush(trade);
        has("recentTrade", Array.isArray(trade.data) ? trade.data[0] : trade.data);
        const [recent] = await get(exchange, "/trades/BTC-USDC/recent?limit=1");
        assert.deepEqual(trade.data, recent);
        for (const channel of ["ticker.BTC-USDC", "ticker.*"]) {
            const ticker = await s.next((m) => on(channel, "update")(m) &&
                m.data.market === "BTC-USDC" && m.data.best_ask_qty === "0.01");
            isPush(ticker);
            assert.equal(has("ticker", ticker.data).last_price, "50000");
        }
        await maker.cancelAll();
        await s.close();
    });

    it("every market at once: one subscription, each book exact", async () => {
        const s = await Socket.open(exchange);
        await s.subscribe("depth.*.20", "trades.*", "ticker.*", "kline.*.1m");
        const books = {};
        for (const market of ["BTC-USDC", "ETH-USDC"]) {
            const snapshot = await s.next((m) => on("depth.*.20", "snapshot")(m) &&
                m.data.market === market);
            books[market] = new Book(snapshot);
        }
        for (let i = 0; i < 15; i++) {
            await maker.sell(String(50001 + i), "0.01");
            await taker.buy(String(2900 - i), "0.02", { market: "ETH-USDC" });
        }
        await taker.buy("50002", "0.015");
        for (const [market, side, count] of [["BTC-USDC", "asks", 14], ["ETH-USDC", "bids", 15]])
            for (;;) {
                books[market].apply(await s.next((m) => on("depth.*.20", "update")(m) &&
                    m.data.market === market));
                const depth = await get(exchange, `/depth/${market}?limit=20`);
                if (depth.sequence !== books[market].sequence) continue;
                assert.deepEqual(books[market].levels, { bids: depth.bids, asks: depth.asks });
                if (depth[side].length === count) break;
            }
        const trade = await s.next(on("trades.*", "update"));
        assert.equal(trade.market, "BTC-USDC");
        has("recentTrade", trade.data);
        await s.next((m) => on("ticker.*", "update")(m) && m.data.market === "BTC-USDC");
        const kline = await s.next((m) => on("kline.*.1m", "update")(m) && m.market === "BTC-USDC");
        has("kline", kline.data);
        await maker.cancelAll();
        await taker.cancelAll();
        await s.close();
    });

    for (const older of [false, true])
        it(`candles, ${older ? "older dialect" : "by name"}`, async () => {
            const s = await Socket.open(exchange);
            const channel = older ? "kline" : "kline.BTC-USDC.5m";
            const answer = await s.ask({ type: "subscribe", ...(older
                ? { channel, market: "BTC-USDC", params: { interval: "5m" } }
                : { channels: [channel] }) });
            assert.equal(answer.type, "subscribed");
            const snapshot = await s.next(on(channel, "snapshot"));
            isPush(snapshot, { older });
            has("kline", snapshot.data);
            if (older) assert.deepEqual([snapshot.market, snapshot.interval], ["BTC-USDC", "5m"]);
            await maker.sell("50000", "0.01");
            await taker.buy("50000", "0.01");
            let last;
            await eventually(async () => {
                last = await s.next(on(channel, "update"));
                const [now] = await get(exchange, "/klines/BTC-USDC?interval=5m&limit=1");
                assert.deepEqual(last.data, now);
                assert.notDeepEqual(last.data, snapshot.data);
            });
            isPush(last, { older });
            await s.close();
        });

    it("orders, balances and trades of the wallet, after auth", async () => {
        const s = await Socket.open(exchange);
        const early = await s.ask({ type: "subscribe", channels: ["orders"] });
        assert.deepEqual([early.type, early.data.code], ["error", 10004]);
        assert.equal((await s.auth(maker)).type, "auth");
        await s.subscribe("orders", "balances", "trades");
        const spy = await Socket.open(exchange);
        await spy.auth(taker);
        await spy.subscribe("orders", "balances", "trades");

        const ask = await maker.sell("50000", "0.02");
        const accepted = await s.next((m) => on("orders")(m) && m.data.order_id === ask.order_id);
        isPush(accepted);
        has("order", accepted.data, { event: (v) => (["accepted", "open"].includes(v) ? null : v) });
        const held = await s.next((m) => on("balances")(m) && m.data.token === "BTC");
        has("balance", held.data, { reason: CHECKS.text, "ref_type?": CHECKS.text,
            "ref_id?": CHECKS.id });
        assert.equal(held.data.settled_frozen, "0.02");

        const bid = await taker.buy("50000", "0.01");
        const event = await s.next((m) => on("orders")(m) && m.data.event === "trade");
        assert.deepEqual([event.data.order_id, event.data.status, event.data.filled_amount],
            [ask.order_id, "partial", "0.01"]);
        const mine = await s.next(on("trades"));
        isPush(mine);
        has("trade", mine.data);
        assert.deepEqual([mine.data.role, mine.data.side, mine.data.price, mine.data.amount,
            mine.data.quote_amount, mine.data.fee, mine.data.fee_token, mine.data.order_id],
        ["maker", "sell", "50000", "0.01", "500", "0.5", "USDC", ask.order_id]);
        const theirs = (await spy.next(on("trades"))).data;
        assert.deepEqual([theirs.role, theirs.side, theirs.order_id, theirs.trade_id],
            ["taker", "buy", bid.order_id, mine.data.trade_id]);
        const filled = await spy.next((m) => on("orders")(m) && m.data.status === "filled");
        assert.equal(filled.data.order_id, bid.order_id);

        await maker.cancel(ask.order_id);
        const gone = await s.next((m) => on("orders")(m) && m.data.event === "cancelled");
        assert.equal(gone.data.order_id, ask.order_id);
        const seen = await spy.drain((m) => m.data?.order_id === ask.order_id);
        assert.deepEqual(seen, [], "another's order was told");
        await s.close();
        await spy.close();
    });

    it("auth: the older text, signed by personal_sign", async () => {
        const s = await Socket.open(exchange);
        assert.equal((await s.authPersonal(maker)).type, "auth");
        await s.subscribe("balances");
        await s.close();
    });

    it("auth: wrong keys, stale times and broken forms are refused", async () => {
        const s = await Socket.open(exchange);
        const code = async (answer) => {
            const a = await answer;
            assert.equal(a.type, "error", JSON.stringify(a));
            return a.data.code;
        };
        assert.equal(await code(s.auth(maker, { wallet: taker.wallet })), 10001);
        const old = Date.now() - 301000;
        const signature = await maker.sign("Request", { method: "WS", path: "/ws", timestamp: old });
        const params = { wallet: maker.wallet, timestamp: old, signature };
        assert.equal(await code(s.ask({ type: "auth", params })), 10002);
        assert.equal(await code(s.auth(maker, { timestamp: timestamp() + 5 })), 10001);
        assert.equal(await code(s.auth(maker, { wallet: "0x12" })), 10010);
        for (const broken of [{}, [], "x"])
            assert.ok(await code(s.ask({ type: "auth", params: broken })) > 10000);
        assert.equal((await s.auth(maker)).type, "auth");
        await s.close();
    });

    it("says what is wrong with a message", async () => {
        const s = await Socket.open(exchange);
        for (const [code, message] of [
            [10003, { type: "dance" }], [10003, {}], [10003, { type: 7 }],
            [10003, { type: "subscribe" }], [10003, { type: "subscribe", channels: [] }],
            [10003, { type: "subscribe", channels: "depth.BTC-USDC.20" }],
            [10003, { type: "subscribe", channels: ["depth.BTC-USDC.21"] }],
            [10003, { type: "subscribe", channels: ["gossip.BTC-USDC"] }],
            [10003, { type: "subscribe", channels: [7] }],
            [13001, { type: "subscribe", channels: ["trades.DOGE-USDC"] }],
            [13001, { type: "subscribe", channel: "depth", market: "DOGE-USDC" }],
        ]) {
            const a = await s.ask(message);
            assert.deepEqual([a.type, a.data.code], ["error", code], JSON.stringify(message));
        }
        await s.close();
        const t = await Socket.open(exchange);
        for (const text of ["", "{", "[]", "7", "null", "{\"type\":\"ping\"} x",
            "{\"type\":\"ping\",\"type\":\"ping\"}"]) {
            t.send(text);
            assert.equal((await t.next("error")).data.code, 10003, text);
        }
        assert.equal((await t.ask({ type: "ping" })).type, "pong");
        await t.close();
    });

    it("20 messages a second, then 20001 and 1008", async () => {
        const s = await Socket.open(exchange);
        for (let i = 0; i < 41; i++) s.send({ type: "ping" });
        assert.equal((await s.next("error")).data.code, 20001);
        const { code, reason } = await s.whenClosed;
        assert.equal(code, 1008);
        assert.notEqual(reason, "");
    });

    it("50 subscriptions, then 20001 and 1008", async () => {
        const s = await Socket.open(exchange);
        const markets = (await get(exchange, "/markets")).map((m) => m.symbol);
        const all = markets.flatMap((m) => [`trades.${m}`, `ticker.${m}`,
            ...[5, 10, 20, 50, 100].map((n) => `depth.${m}.${n}`)]);
        all.push("ticker.*");
        await s.subscribe(...all);
        await s.subscribe(...all); // the same again counts once
        const older = [];
        for (const market of markets)
            for (const channel of ["depth", "trades", "ticker"]) older.push({ channel, market });
        for (const o of older) assert.equal((await s.ask({ type: "subscribe", ...o })).type, "subscribed");
        await s.close();
        const t = await Socket.open(exchange);
        t.send({ type: "subscribe", channels: Array(51).fill("ticker.*") });
        assert.ok([10003, 20001].includes((await t.next("error")).data.code));
        await t.close();
    });
});
