// Candles of every interval equal those computed here from the trades, also after eidos-market was
// killed and after the whole exchange was stopped and started.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { API, call, eventually, get, newTrader, refused, units, amount } from "../lib/client.mjs";
import { has } from "../lib/protocol.mjs";

const MINUTE = 60000, DAY = 1440 * MINUTE;
const LENGTH = { "1m": MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE, "30m": 30 * MINUTE,
    "1h": 60 * MINUTE, "4h": 240 * MINUTE, "1d": DAY, "1w": 7 * DAY };
const MONDAY = Date.UTC(2024, 0, 1);
const MARKET = "ETH-USDC";

function openTime(interval, ms) {
    if (interval !== "1w") return ms - ms % LENGTH[interval];
    let week = MONDAY;
    while (week + 7 * DAY <= ms) week += 7 * DAY;
    return week;
}

const max = (a, b) => (units(a) > units(b) ? a : b), min = (a, b) => (units(a) < units(b) ? a : b);

// From trades, oldest first, the candles until `now`.
function candles(trades, interval, now) {
    const list = [];
    const quiet = (until) => {
        while (list.length && list.at(-1).close_time + 1 < until) {
            const { close, close_time } = list.at(-1);
            list.push({ open_time: close_time + 1, open: close, high: close, low: close, close,
                volume: "0", quote_volume: "0", close_time: close_time + LENGTH[interval],
                trade_count: 0 });
        }
    };
    for (const t of trades) {
        const open_time = openTime(interval, t.timestamp);
        quiet(open_time);
        if (list.at(-1)?.open_time !== open_time)
            list.push({ open_time, open: t.price, high: t.price, low: t.price, close: t.price,
                volume: "0", quote_volume: "0", close_time: open_time + LENGTH[interval] - 1,
                trade_count: 0 });
        const c = list.at(-1);
        Object.assign(c, { high: max(c.high, t.price), low: min(c.low, t.price), close: t.price,
            volume: amount(units(c.volume) + units(t.amount)),
            quote_volume: amount(units(c.quote_volume) + units(t.quote_amount)),
            trade_count: c.trade_count + 1 });
    }
    quiet(openTime(interval, now) + LENGTH[interval]);
    return list;
}

const trades = async (exchange) => (await get(exchange, `/trades/${MARKET}/recent?limit=500`)).reverse();

async function same(exchange, query = "") {
    const all = await trades(exchange);
    for (const interval of Object.keys(LENGTH)) {
        const before = Date.now();
        const got = await get(exchange, `/klines/${MARKET}?interval=${interval}${query}`);
        const after = Date.now();
        for (const k of got) has("kline", k);
        const [wanted, later] = [before, after].map((now) => candles(all, interval, now));
        assert.ok(all.length && got.length);
        assert.deepEqual(got, got.length === later.length ? later : wanted, interval);
    }
    return all;
}

export default (exchange) => describe("klines", () => {
    it("are absent before the first trade", async () => {
        for (const interval of Object.keys(LENGTH))
            assert.deepEqual(await get(exchange, `/klines/BTC-USDC?interval=${interval}`), []);
        for (const interval of Object.keys(LENGTH))
            assert.deepEqual(await get(exchange, `/klines/${MARKET}?interval=${interval}`), []);
    });

    it("equal what the trades make", async () => {
        const maker = await newTrader(exchange, { ETH: "100" });
        const taker = await newTrader(exchange, { USDC: "100000" });
        for (let i = 0; i < 40; i++) {
            const price = (2000 + (i * 37) % 23 + i / 100).toString();
            await maker.sell(price, "0.05", { market: MARKET });
            await taker.buy(price, "0.05", { market: MARKET });
        }
        await eventually(async () => assert.equal((await trades(exchange)).length, 40));
        await same(exchange);
    });

    it("answer by the older name, and by ranges", async () => {
        const [first] = await get(exchange, `/markets/${MARKET}/klines?interval=1m&limit=1`);
        const [now] = await get(exchange, `/klines/${MARKET}?interval=1w`);
        assert.equal(now.trade_count, 40);
        const ask = (query) => get(exchange, `/klines/${MARKET}?interval=1w${query}`);
        assert.deepEqual(await ask(`&start_time=${now.open_time}`), [now]);
        assert.deepEqual(await ask(`&start_time=${now.open_time + 1}`), []);
        assert.deepEqual(await ask(`&end_time=${now.open_time}`), [now]);
        assert.deepEqual(await ask(`&end_time=${now.open_time - 1}`), []);
        assert.deepEqual(await ask(`&start_time=0&end_time=${first.close_time}&limit=1500`), [now]);
    });

    for (const query of ["", "?interval=", "?interval=2m", "?interval=1M", "?interval=1m&limit=0",
        "?interval=1m&limit=1501", "?interval=1m&limit=1.5", "?interval=1m&start_time=-1",
        "?interval=1m&end_time=soon", "?interval=1m&start_time=2&end_time=1",
        "?interval=1m&start_time=10000000000000", "?interval=1m&interval=5m"])
        it(`refuse ${query}`, () =>
            refused(10003, call(exchange, "GET", `${API}/klines/${MARKET}${query}`)));

    it("do not know other markets", () =>
        refused(13001, call(exchange, "GET", `${API}/klines/DOGE-USDC?interval=1m`)));

    it("are the same after eidos-market was killed", async () => {
        await exchange.kill("market");
        await eventually(() => get(exchange, `/klines/${MARKET}?interval=1m`), 20000);
        await same(exchange);
    });

    it("are the same after a restart of everything", async () => {
        const before = await same(exchange);
        await exchange.stop();
        await exchange.start();
        assert.deepEqual(await same(exchange, "&limit=1500"), before);
    });
});
