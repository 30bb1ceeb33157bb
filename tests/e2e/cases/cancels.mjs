// Ways to cancel, and what cannot be cancelled.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { API, call, newTrader, ok, refused } from "../lib/client.mjs";
import { has } from "../lib/protocol.mjs";

export default (exchange) => describe("cancels", () => {
    let trader, other;
    const sorted = (list) => [...list].sort();
    const signed = (id, body) => call(exchange, "DELETE", `${API}/orders/${id}`, { body });

    it("by header", async () => {
        trader = await newTrader(exchange, { USDC: "100000", BTC: "1" });
        other = await newTrader(exchange, { USDC: "1000", BTC: "1" });
        const o = await trader.buy("1000", "0.1");
        assert.deepEqual(await trader.funds("USDC"), ["99899.9", "100.1"]);
        const gone = has("order", await ok(trader.cancel(o.order_id)));
        assert.deepEqual([gone.order_id, gone.status, gone.filled_amount, gone.remaining_amount],
            [o.order_id, "cancelled", "0", "0.1"]);
        assert.deepEqual(await trader.funds("USDC"), ["100000", "0"]);
        assert.deepEqual(await trader.fetchOrder(o.order_id), gone);
    });

    it("by a signed Cancel in the body", async () => {
        const o = await trader.buy("1000", "0.1");
        const body = await trader.signedCancel(o.order_id);
        await refused(10001, signed(o.order_id, { ...body, wallet: other.wallet }));
        await refused(10001, signed(o.order_id, { ...body, nonce: trader.nextNonce() }));
        await refused(10001, signed("1", body));
        const gone = has("order", await ok(signed(o.order_id, body)));
        assert.equal(gone.status, "cancelled");
        const next = await trader.buy("1000", "0.1");
        const reused = await trader.signedCancel(next.order_id, body.nonce);
        await refused(11017, signed(next.order_id, reused));
        await ok(signed(next.order_id, await trader.signedCancel(next.order_id)));
    });

    it("a second time: 11002; what is filled: 11003", async () => {
        const o = await trader.buy("1000", "0.1");
        await ok(trader.cancel(o.order_id));
        await refused(11002, trader.cancel(o.order_id));
        const ask = await other.sell("2000", "0.01");
        const bid = await trader.buy("2000", "0.01");
        await refused(11003, trader.cancel(bid.order_id));
        await refused(11003, other.cancel(ask.order_id));
    });

    it("of what was rejected: 11013", async () => {
        await trader.sell("3000", "0.01");
        await refused(11018, trader.post({ side: "buy", price: "3000", amount: "0.01" }));
        const { items } = await trader.list("/orders?status=rejected", "order");
        await refused(11013, trader.cancel(items[0].order_id));
        await trader.cancelAll();
    });

    it("another's order does not exist", async () => {
        const o = await trader.buy("1000", "0.1");
        await refused(11001, other.call("GET", `/orders/${o.order_id}`));
        await refused(11001, other.cancel(o.order_id));
        await refused(11001, signed(o.order_id, await other.signedCancel(o.order_id)));
        assert.equal((await trader.fetchOrder(o.order_id)).status, "open");
        await trader.cancelAll();
    });

    it("an id that is none", async () => {
        await refused(11001, trader.call("GET", "/orders/18446744073709551615"));
        await refused(11001, trader.cancel("18446744073709551615"));
        for (const id of ["x", "-1", "18446744073709551616", "1.5"]) {
            await refused(10003, trader.call("GET", `/orders/${id}`));
            await refused(10003, trader.cancel(id));
        }
    });

    describe("many at once", () => {
        let bids, asks, eth;
        const fill = async () => {
            bids = [await trader.buy("1000", "0.01"), await trader.buy("1001", "0.01")];
            asks = [await trader.sell("90000", "0.01"), await trader.sell("90001", "0.01")];
            eth = [await trader.buy("500", "0.1", { market: "ETH-USDC" })];
        };
        const ids = (...orders) => sorted(orders.flat().map((o) => o.order_id));

        it("all of a wallet's", async () => {
            await fill();
            const theirs = await other.buy("999", "0.05");
            const { cancelled, failed } = await trader.cancelAll();
            assert.deepEqual([sorted(cancelled), failed], [ids(bids, asks, eth), []]);
            assert.equal((await other.fetchOrder(theirs.order_id)).status, "open");
            await other.cancelAll();
        });

        it("none", async () => {
            assert.deepEqual(await trader.cancelAll(), { cancelled: [], failed: [] });
        });

        it("by market, by side, by both", async () => {
            await fill();
            assert.deepEqual((await trader.cancelAll("?market=ETH-USDC")).cancelled, ids(eth));
            assert.deepEqual(sorted((await trader.cancelAll("?side=sell")).cancelled), ids(asks));
            assert.deepEqual(
                (await trader.cancelAll("?market=ETH-USDC&side=buy")).cancelled, []);
            const { cancelled } = await trader.cancelAll("?market=BTC-USDC&side=buy");
            assert.deepEqual(sorted(cancelled), ids(bids));
        });

        it("by ids, in the body or the query", async () => {
            await fill();
            const theirs = await other.buy("999", "0.05");
            const inBody = (body) => ok(trader.call("DELETE", "/orders", { body }));
            const a = await inBody({ order_ids: [bids[0].order_id, "999999999", theirs.order_id] });
            assert.deepEqual(a.cancelled, [bids[0].order_id]);
            assert.deepEqual(a.failed.map((f) => [f.order_id, Number(f.code)]).sort(),
                [["999999999", 11001], [theirs.order_id, 11001]].sort());
            const again = await inBody({ order_ids: [bids[0].order_id] });
            assert.deepEqual([again.cancelled, again.failed],
                [[], [{ order_id: bids[0].order_id, code: 11002 }]]);
            const filtered = await inBody({ side: "sell",
                order_ids: [bids[1].order_id, asks[0].order_id] });
            assert.deepEqual(filtered, { cancelled: [asks[0].order_id], failed: [] });
            const query = await trader.cancelAll(`?order_ids=${bids[1].order_id},${eth[0].order_id}`);
            assert.deepEqual(sorted(query.cancelled), ids(bids[1], eth));
            await trader.cancelAll();
            await other.cancelAll();
        });

        for (const [code, query] of [[13001, "?market=DOGE-USDC"], [11014, "?side=both"],
            [10003, "?order_ids=x"], [10003, "?order_ids="]])
            it(`refuses ${query}`, async () =>
                refused(code, trader.call("DELETE", "/orders" + query)));
        it("refuses ids that are not a list of strings", async () => {
            for (const order_ids of [[], "7", [7], {}, [null]])
                await refused(10003, trader.call("DELETE", "/orders", { body: { order_ids } }));
        });
    });

    it("what is left of a partly filled order", async () => {
        const bid = await trader.buy("2000", "0.03");
        await other.sell("2000", "0.01");
        const before = await trader.funds("USDC");
        assert.equal(before[1], "40.04"); // 40 and the fee for it
        const gone = await ok(trader.cancel(bid.order_id));
        assert.deepEqual([gone.status, gone.filled_amount, gone.remaining_amount],
            ["cancelled", "0.01", "0.02"]);
        assert.equal((await trader.funds("USDC"))[1], "0");
        await other.cancelAll();
    });
});
