// Each nonce once; the last 128 are remembered; client_order_id beside them.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { newTrader, ok, refused } from "../lib/client.mjs";

const limit = { side: "buy", price: "1000", amount: "0.01" };

export default (exchange) => describe("nonces", () => {
    let trader;

    it("are good once", async () => {
        trader = await newTrader(exchange, { USDC: "100" });
        const first = await trader.place({ ...limit, nonce: "5000" });
        assert.equal(first.nonce, "5000");
        await refused(11017, trader.post({ ...limit, price: "1001", nonce: "5000" }));
        await trader.place({ ...limit, nonce: "4999" }); // order does not matter
        await trader.cancelAll();
    });

    it("of orders and of cancels are apart", async () => {
        const o = await trader.place({ ...limit, nonce: "6000" });
        const body = await trader.signedCancel(o.order_id, "6000");
        await ok(trader.call("DELETE", `/orders/${o.order_id}`, { headers: {}, body }));
    });

    it("are used by a refusal after the nonce check, which answers the same again", async () => {
        const poor = await trader.order({ ...limit, amount: "1", nonce: "7000" });
        await refused(12001, trader.send(poor));
        await refused(12001, trader.send(poor));
        await refused(11017, trader.post({ ...limit, nonce: "7000" }));
        await trader.fund("USDC", "5000"); // too late for that order
        await refused(12001, trader.send(poor));
    });

    it("are not used by a refusal before it", async () => {
        await refused(11004, trader.post({ ...limit, price: "1000.001", nonce: "7100" }));
        await refused(10001, trader.post({ ...limit, nonce: "7100" }, { price: "1001" }));
        await trader.place({ ...limit, nonce: "7100" });
        await trader.cancelAll();
    });

    it("of a refused order hold for what matching refuses, too", async () => {
        const own = await newTrader(exchange, { USDC: "1000", BTC: "1" });
        await own.sell("2000", "0.01");
        const crossing = await own.order({ side: "buy", price: "2000", amount: "0.01" });
        await refused(11018, own.send(crossing));
        await own.cancelAll();
        await refused(11018, own.send(crossing));
    });

    it("have a floor once 128 are held", async () => {
        const many = await newTrader(exchange, { USDC: "10" });
        const order = (n) => many.order({ ...limit, nonce: String(n) }); // too dear: 12001
        const first = await order(1000);
        await refused(12001, many.send(first));
        for (let n = 1001; n < 1128; n += 16)
            await Promise.all(Array.from({ length: Math.min(16, 1128 - n) }, async (_, i) =>
                refused(12001, many.send(await order(n + i)))));
        await refused(12001, many.send(first)); // 128 held: the first is still known
        await refused(11017, many.send(await order(999))); // not above the smallest
        await refused(12001, many.send(await order(1128))); // 1000 is forgotten
        await refused(11017, many.send(first));
        await refused(11017, many.send(await order(1000)));
        await refused(12001, many.send(await order("18446744073709551615")));
    });

    it("client_order_id is one of the open orders of its wallet", async () => {
        const named = (id, more) => trader.order({ ...limit, client_order_id: id,
            signature_type: "v2", ...more });
        const first = await ok(trader.send(await named("mine")));
        assert.equal(first.client_order_id, "mine");
        const second = await named("mine");
        await refused(11012, trader.send(second));
        await refused(11012, trader.send(second)); // its nonce is used, the answer the same
        await refused(11012, trader.send(await named("mine", { market: "ETH-USDC", amount: "0.1" })));
        const other = await newTrader(exchange, { USDC: "100" });
        await other.place({ ...limit, client_order_id: "mine", signature_type: "v2" });
        await other.cancelAll();
        await ok(trader.cancel(first.order_id));
        await ok(trader.send(await named("mine")));
        await trader.cancelAll();
        assert.equal((await trader.funds("USDC"))[1], "0");
    });
});
