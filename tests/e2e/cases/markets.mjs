// What everybody may see, before anything happened.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { API, call, get, refused, send } from "../lib/client.mjs";
import { CHECKS, has } from "../lib/protocol.mjs";

export default (exchange) => describe("public data", () => {
    it("lists the markets", async () => {
        const list = await get(exchange, "/markets");
        for (const m of list) has("market", m);
        assert.deepEqual(list.map((m) => m.symbol).sort(), ["BTC-USDC", "ETH-USDC"]);
        const { price_decimals, amount_decimals, ...btc } = list.find((m) => m.symbol === "BTC-USDC");
        assert.deepEqual(btc, {
            symbol: "BTC-USDC", base_token: "BTC", quote_token: "USDC", tick_size: "0.01",
            lot_size: "0.00001", min_amount: "0.00001", max_amount: "1000", min_notional: "10",
            max_notional: "1000000", maker_fee_rate: "0.001", taker_fee_rate: "0.001",
            status: "active", quote_unit: "0.00000001",
        });
        assert.deepEqual([price_decimals, amount_decimals], [2, 5]);
    });

    it("tells the time", async () => {
        const before = Date.now();
        const data = await get(exchange, "/time");
        assert.deepEqual(Object.keys(data), ["server_time"]);
        assert.equal(CHECKS.time(data.server_time), null);
        assert.ok(data.server_time >= before && data.server_time <= Date.now());
    });

    it("tells the versions of its configuration", async () => {
        const data = await get(exchange, "/config/version");
        assert.ok(Object.keys(data).length > 0);
        for (const [scope, version] of Object.entries(data)) {
            assert.ok(["market_configs", "token_configs", "system_configs", "risk_rules"]
                .includes(scope), scope);
            assert.ok(Number.isSafeInteger(version));
        }
    });

    it("has a depth, a ticker and no trades for a quiet market", async () => {
        const depth = has("depth", await get(exchange, "/depth/BTC-USDC"));
        assert.deepEqual([depth.market, depth.bids, depth.asks], ["BTC-USDC", [], []]);
        const ticker = has("ticker", await get(exchange, "/ticker/BTC-USDC"));
        assert.deepEqual([ticker.market, ticker.last_price, ticker.trade_count], ["BTC-USDC", "0", 0]);
        assert.deepEqual(await get(exchange, "/trades/BTC-USDC/recent"), []);
        const all = await get(exchange, "/tickers");
        for (const t of all) has("ticker", t);
        assert.deepEqual(all.map((t) => t.market).sort(), ["BTC-USDC", "ETH-USDC"]);
    });

    it("answers by the older names, too", async () => {
        has("ticker", await get(exchange, "/markets/BTC-USDC/ticker"));
        has("depth", await get(exchange, "/markets/BTC-USDC/depth"));
        assert.deepEqual(await get(exchange, "/markets/BTC-USDC/trades"), []);
    });

    for (const path of ["/depth/DOGE-USDC", "/ticker/DOGE-USDC", "/trades/DOGE-USDC/recent",
        "/depth/btc-usdc", "/depth/BTC"])
        it(`does not know the market of ${path}`, () =>
            refused(13001, call(exchange, "GET", API + path)));

    for (const query of ["/depth/BTC-USDC?limit=0", "/depth/BTC-USDC?limit=1001",
        "/depth/BTC-USDC?limit=ten", "/depth/BTC-USDC?limit=-1", "/depth/BTC-USDC?limit=",
        "/depth/BTC-USDC?group=0", "/depth/BTC-USDC?group=x", "/depth/BTC-USDC?group=0.001",
        "/trades/BTC-USDC/recent?limit=0", "/trades/BTC-USDC/recent?limit=501"])
        it(`refuses ${query}`, () => refused(10003, call(exchange, "GET", API + query)));

    it("says 404 and 10003 to an unknown path", async () => {
        for (const path of [API + "/nothing", "/nothing", API, "/api/v2/markets"]) {
            const a = await send(exchange, "GET", path);
            assert.equal(a.status, 404, path);
            assert.equal(JSON.parse(a.text).code, 10003, path);
        }
    });

    it("is alive, ready and measured", async () => {
        for (const path of ["/health/live", "/health/ready"]) {
            const a = await send(exchange, "GET", path);
            assert.equal(a.status, 200, a.text);
            const body = JSON.parse(a.text);
            assert.equal(body.status, "ok");
            if (path.endsWith("ready")) assert.equal(typeof body.checks, "object");
        }
        const metrics = await send(exchange, "GET", "/metrics");
        assert.equal(metrics.status, 200);
        assert.match(metrics.text, /^# TYPE eidos_api_\w+ counter$/m);
    });
});
