// Two wallets sign orders and trade; every figure is computed by hand from the protocol.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually, get, newTrader } from "../lib/client.mjs";
import { has } from "../lib/protocol.mjs";

const figures = (o) => [o.status, o.amount, o.filled_amount, o.filled_quote, o.remaining_amount,
    o.avg_price];

export default (exchange) => describe("two wallets trade", () => {
    let alice, bob, ask;

    it("are funded", async () => {
        alice = await newTrader(exchange, { BTC: "2" });
        bob = await newTrader(exchange, { USDC: "100000" });
        assert.deepEqual(await alice.funds("BTC"), ["2", "0"]);
        const list = await bob.get("/balances");
        assert.ok(Array.isArray(list));
        for (const b of list) has("balance", b);
        assert.deepEqual(list.filter((b) => b.total !== "0").map((b) => [b.token, b.total]),
            [["USDC", "100000"]]);
    });

    it("Alice's offer rests and holds what it sells", async () => {
        ask = await alice.sell("50000", "0.5");
        assert.deepEqual(figures(ask), ["open", "0.5", "0", "0", "0.5", "0"]);
        assert.deepEqual([ask.market, ask.side, ask.type, ask.price, ask.time_in_force],
            ["BTC-USDC", "sell", "limit", "50000", "GTC"]);
        assert.equal(ask.wallet.toLowerCase(), alice.wallet.toLowerCase());
        for (const absent of ["client_order_id", "expire_at", "reject_reason"])
            assert.ok(!(absent in ask), absent);
        assert.ok(Math.abs(ask.created_at - Date.now()) < 10000);
        assert.deepEqual(await alice.funds("BTC"), ["1.5", "0.5"]);
        await eventually(async () => {
            const depth = has("depth", await get(exchange, "/depth/BTC-USDC"));
            assert.deepEqual([depth.bids, depth.asks], [[], [["50000", "0.5"]]]);
        });
    });

    it("Bob takes a part of it at Alice's price", async () => {
        const bid = await bob.buy("50100", "0.2");
        assert.deepEqual(figures(bid), ["filled", "0.2", "0.2", "10000", "0", "50000"]);
        assert.deepEqual(await bob.funds("USDC"), ["89990", "0"]); // 10000 and 0.1 % of it
        assert.deepEqual(await bob.funds("BTC"), ["0.2", "0"]);
        assert.deepEqual(await alice.funds("USDC"), ["9990", "0"]); // the fee comes off the proceeds
        assert.deepEqual(await alice.funds("BTC"), ["1.5", "0.3"]);
        ask = await alice.fetchOrder(ask.order_id);
        assert.deepEqual(figures(ask), ["partial", "0.5", "0.2", "10000", "0.3", "50000"]);
        assert.deepEqual(await bob.fetchOrder(bid.order_id), bid);
    });

    it("everybody sees the trade", async () => {
        await eventually(async () => {
            const [trade, ...more] = await get(exchange, "/trades/BTC-USDC/recent");
            has("recentTrade", trade);
            assert.deepEqual(more, []);
            assert.deepEqual([trade.price, trade.amount, trade.quote_amount, trade.side],
                ["50000", "0.2", "10000", "buy"]);
            const t = has("ticker", await get(exchange, "/ticker/BTC-USDC"));
            assert.deepEqual([t.last_price, t.open, t.high, t.low, t.volume, t.quote_volume],
                ["50000", "50000", "50000", "50000", "0.2", "10000"]);
            assert.deepEqual([t.best_bid_qty, t.best_ask, t.best_ask_qty, t.trade_count],
                ["0", "50000", "0.3", 1]);
            const depth = await get(exchange, "/depth/BTC-USDC");
            assert.deepEqual(depth.asks, [["50000", "0.3"]]);
        });
    });

    it("a bid holds its quote and the larger fee", async () => {
        const bid = await bob.buy("49000", "0.1");
        assert.deepEqual(figures(bid), ["open", "0.1", "0", "0", "0.1", "0"]);
        assert.deepEqual(await bob.funds("USDC"), ["85085.1", "4904.9"]);
        const sale = await alice.sell("48000", "0.04");
        assert.deepEqual(figures(sale), ["filled", "0.04", "0.04", "1960", "0", "49000"]);
        assert.deepEqual(await bob.funds("USDC"), ["85085.1", "2942.94"]);
        assert.deepEqual(await alice.funds("USDC"), ["11948.04", "0"]); // 9990 + 1960 - 1.96
        await bob.cancel(bid.order_id);
        assert.deepEqual(await bob.funds("USDC"), ["88028.04", "0"]);
        assert.deepEqual(await bob.funds("BTC"), ["0.24", "0"]);
    });

    it("many small fills cost what one large fill costs", async () => {
        await alice.cancelAll();
        await alice.sell("33333.33", "0.001");
        const before = (await alice.funds("USDC"))[0];
        assert.equal(before, "11948.04");
        await bob.buy("33333.33", "0.00031"); // 10.3333323, fee 0.0103333323 rounded up
        assert.deepEqual(await alice.funds("USDC"), ["11958.36299896", "0"]);
        assert.deepEqual(await bob.funds("USDC"), ["88017.69633436", "0"]);
        await bob.buy("33333.33", "0.00031"); // for both fills 0.0206666646 rounded up
        assert.deepEqual(await alice.funds("USDC"), ["11968.68599793", "0"]);
        assert.deepEqual(await bob.funds("USDC"), ["88007.35266872", "0"]);
        await alice.cancelAll();
    });

    it("the best price goes first, then the older order", async () => {
        const carol = await newTrader(exchange, { BTC: "1" });
        const second = await alice.sell("50000", "0.01");
        const third = await carol.sell("50000", "0.01");
        const first = await carol.sell("49999.99", "0.01");
        const bid = await bob.buy("50000", "0.025");
        assert.deepEqual(figures(bid),
            ["filled", "0.025", "0.025", "1249.9999", "0", "49999.99"]); // 49999.996 cut to ticks
        assert.equal((await carol.fetchOrder(first.order_id)).status, "filled");
        assert.equal((await alice.fetchOrder(second.order_id)).status, "filled");
        assert.deepEqual(figures(await carol.fetchOrder(third.order_id)),
            ["partial", "0.01", "0.005", "250", "0.005", "50000"]);
        await carol.cancelAll();
    });

    it("the depth is limited and grouped", async () => {
        for (const [price, amount] of [["50001", "0.01"], ["50009.5", "0.02"], ["50011", "0.04"]])
            await alice.sell(price, amount);
        for (const [price, amount] of [["49999", "0.01"], ["49990.5", "0.02"], ["49989", "0.04"]])
            await bob.buy(price, amount);
        await eventually(async () => {
            const two = await get(exchange, "/depth/BTC-USDC?limit=2");
            assert.deepEqual(two.asks, [["50001", "0.01"], ["50009.5", "0.02"]]);
            assert.deepEqual(two.bids, [["49999", "0.01"], ["49990.5", "0.02"]]);
            const tens = has("depth", await get(exchange, "/depth/BTC-USDC?group=10"));
            assert.deepEqual(tens.asks, [["50010", "0.03"], ["50020", "0.04"]]);
            assert.deepEqual(tens.bids, [["49990", "0.03"], ["49980", "0.04"]]);
        });
        await alice.cancelAll();
        await bob.cancelAll();
        await eventually(async () => {
            const depth = await get(exchange, "/depth/BTC-USDC");
            assert.deepEqual([depth.bids, depth.asks], [[], []]);
        });
    });
});
