// After everything: nothing appeared or vanished, a restart brings back the very same state, and the
// rates of a wallet hold when they are on.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { get, newTrader, ok, refused, units } from "../lib/client.mjs";
import { Socket } from "../lib/socket.mjs";

export default (exchange) => describe("afterwards", () => {
    const sumOf = async (token) => {
        let sum = 0n;
        for (const t of exchange.traders) sum += units((await t.balance(token)).total);
        return sum;
    };
    const credited = (token) => exchange.credited.filter((c) => c.token === token)
        .reduce((sum, c) => sum + units(c.amount), 0n);

    it("what came in is in the balances, but for the fees", async () => {
        assert.equal(await sumOf("BTC"), credited("BTC"));
        assert.equal(await sumOf("ETH"), credited("ETH"));
        let volume = 0n, trades = 0;
        for (const t of await get(exchange, "/tickers")) {
            volume += units(t.quote_volume);
            trades += t.trade_count;
        }
        const fees = credited("USDC") - await sumOf("USDC");
        const exact = volume / 500n; // 0.1 % of both sides
        assert.ok(trades > 0 && fees >= exact && fees <= exact + 2n * BigInt(trades),
            `fees ${fees}, 0.2 % of the volume ${exact}, ${trades} trades`);
    });

    it("a restart brings everything back", async () => {
        const alice = await newTrader(exchange, { BTC: "1" });
        const bob = await newTrader(exchange, { USDC: "10000" });
        const filled = await alice.order({ side: "sell", price: "7000", amount: "0.1" });
        await ok(alice.send(filled));
        await bob.buy("7000", "0.15");
        await alice.sell("7100", "0.2", { client_order_id: "kept", signature_type: "v2" });
        const view = async () => ({
            alice: [await alice.list("/orders"), await alice.get("/balances")],
            bob: [await bob.list("/orders"), await bob.get("/balances")],
            depth: await get(exchange, "/depth/BTC-USDC?limit=1000"),
            trades: await get(exchange, "/trades/BTC-USDC/recent?limit=500"),
            tickers: await get(exchange, "/tickers"),
            markets: await get(exchange, "/markets"),
        });
        const before = await view(), status = await exchange.status();
        await exchange.stop();
        await exchange.start("limits.rates=on", "limits.orders_per_second=5",
            "limits.cancels_per_second=5");
        const after = await view();
        for (const t of [...before.tickers, ...after.tickers]) delete t.timestamp;
        for (const v of [before, after]) delete v.depth.timestamp;
        assert.deepEqual(after, before);
        const now = await exchange.status();
        assert.ok(now.sequence >= status.sequence);
        assert.ok(now.durable_sequence <= now.sequence);

        assert.equal((await ok(alice.send(filled))).status, "filled"); // the nonces, too
        await refused(11017, alice.post({ side: "sell", price: "1", amount: "1",
            nonce: filled.nonce }).then((a) => (a.code === 11010 ? alice.post({ side: "sell",
                price: "9000", amount: "0.1", nonce: filled.nonce }) : a)));
        const bought = await bob.buy("7100", "0.01");
        assert.ok(BigInt(bought.order_id) > 0n);
        const orders = new Set([...after.alice[0].items, ...after.bob[0].items].map((o) => o.order_id));
        assert.ok(!orders.has(bought.order_id), "an order id was given out twice");
    });

    it("a wallet's orders have a rate: 20001 with what helps", async () => {
        const fast = await newTrader(exchange, { USDC: "1000" });
        const bodies = [];
        for (let i = 0; i < 8; i++)
            bodies.push(await fast.order({ side: "buy", price: "1000", amount: "0.01" }));
        const answers = await Promise.all(bodies.map((b) => fast.send(b)));
        const limited = answers.findIndex((a) => a.code === 20001);
        assert.equal(answers.filter((a) => a.code === 0).length, 5);
        const { headers, data } = answers[limited];
        assert.match(headers["retry-after"] ?? "", /^\d+$/);
        assert.equal(typeof data.retry_after, "number");
        await new Promise((resolve) => setTimeout(resolve, 1100));
        await ok(fast.send(bodies[limited])); // its nonce was not used
        await fast.cancelAll();
        const other = await newTrader(exchange, { USDC: "100" });
        await other.buy("1000", "0.01");
        await other.cancelAll();
    });

    it("a stop closes WebSockets with a code", async () => {
        const s = await Socket.open(exchange);
        await exchange.stop();
        const { code } = await s.whenClosed;
        assert.equal(code, 1001);
        await exchange.start();
    });
});
