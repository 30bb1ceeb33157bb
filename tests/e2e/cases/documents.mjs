// The protocol's own documents, and the paths that no other suite asks for.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { API, get, newTrader, send } from "../lib/client.mjs";

export default (exchange) => describe("documents", () => {
    it("serves schema/openapi.json as it is", async () => {
        const a = await send(exchange, "GET", "/openapi.json");
        assert.equal(a.status, 200);
        assert.match(a.headers["content-type"], /^application\/json/);
        const file = new URL("../../../schema/openapi.json", import.meta.url);
        assert.equal(a.text, readFileSync(file, "utf8"));
        assert.match(JSON.parse(a.text).openapi, /^3\.1\./);
    });

    it("serves a page that needs nothing from elsewhere", async () => {
        const a = await send(exchange, "GET", "/docs");
        assert.equal(a.status, 200);
        assert.match(a.headers["content-type"], /^text\/html; charset=utf-8/);
        for (const path of ["/api/v1/orders", "/api/v1/klines/{market}", "/ws"])
            assert.ok(a.text.includes(`<code>${path}</code>`), path);
        assert.doesNotMatch(a.text, /<script|<link|src=|@import|https?:/);
    });

    it("answers each older path like its newer one", async () => {
        for (const [older, newer] of [["/markets/BTC-USDC/ticker", "/ticker/BTC-USDC"],
            ["/markets/BTC-USDC/depth?limit=7", "/depth/BTC-USDC?limit=7"],
            ["/markets/BTC-USDC/klines?interval=1d", "/klines/BTC-USDC?interval=1d"],
            ["/markets/BTC-USDC/trades?limit=9", "/trades/BTC-USDC/recent?limit=9"]])
            assert.deepEqual(await get(exchange, older), await get(exchange, newer));
        const trader = await newTrader(exchange, { USDC: "5" });
        assert.deepEqual(await trader.get("/balances/history"), await trader.get("/transactions"));
        assert.equal((await trader.get("/balances/USDC")).total, "5");
        assert.equal((await send(exchange, "GET", API + "/openapi.json")).status, 404);
    });
});
