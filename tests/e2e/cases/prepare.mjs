// POST /orders/prepare answers the typed data that POST /orders verifies.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { API, call, newTrader, ok, refused } from "../lib/client.mjs";
import { CHECKS, DOMAIN, TYPES, has } from "../lib/protocol.mjs";

const fields = { market: "BTC-USDC", side: "buy", type: "limit", price: "1234.5", amount: "0.1",
    time_in_force: "GTX", client_order_id: "prepared" };

export default (exchange) => describe("prepare", () => {
    let trader;

    it("gives typed data as wallets take it", async () => {
        trader = await newTrader(exchange, { USDC: "1000" });
        const data = await ok(trader.call("POST", "/orders/prepare", { body: fields }));
        assert.deepEqual(Object.keys(data).sort(), ["expires_at", "nonce", "typed_data"]);
        assert.equal(CHECKS.id(data.nonce), null);
        assert.equal(CHECKS.time(data.expires_at), null);
        assert.ok(data.expires_at > Date.now());
        const t = data.typed_data;
        assert.deepEqual(Object.keys(t).sort(), ["domain", "message", "primaryType", "types"]);
        assert.equal(t.primaryType, "OrderV2");
        assert.deepEqual(t.types.OrderV2, TYPES.OrderV2.OrderV2);
        assert.deepEqual({ ...t.domain, chainId: Number(t.domain.chainId) }, DOMAIN);
        const m = t.message;
        assert.equal(m.wallet.toLowerCase(), trader.wallet.toLowerCase());
        assert.deepEqual(
            [m.market, ...["side", "orderType", "timeInForce", "price", "amount", "quoteAmount",
                "nonce", "expiry", "stp", "slippageBps"].map((f) => String(m[f])), m.clientOrderId],
            ["BTC-USDC", "0", "0", "3", "1234500000000000000000", "100000000000000000", "0",
                data.nonce, "0", "0", "0", "prepared"]);
    });

    it("what it gives, once signed, is accepted", async () => {
        const { typed_data: t, nonce } =
            await ok(trader.call("POST", "/orders/prepare", { body: fields }));
        const { EIP712Domain: _, ...types } = t.types;
        const signature = await trader.signer.signTypedData(t.domain, types, t.message);
        const order = has("order", await ok(trader.send({ ...fields, wallet: trader.wallet, nonce,
            signature, signature_type: "v2" })));
        assert.deepEqual([order.status, order.client_order_id, order.nonce], ["open", "prepared", nonce]);
        await trader.cancelAll();
    });

    it("prepares a market order as it will be verified", async () => {
        const market = { market: "BTC-USDC", side: "buy", type: "market", quote_amount: "100" };
        const { typed_data: t } =
            await ok(trader.call("POST", "/orders/prepare", { body: market }));
        const m = t.message;
        assert.deepEqual([m.orderType, m.timeInForce, m.price, m.amount, m.quoteAmount, m.slippageBps]
            .map(String), ["1", "1", "0", "0", "100000000000000000000", "100"]);
    });

    it("needs a header and good fields", async () => {
        await refused(10008, call(exchange, "POST", API + "/orders/prepare", { body: fields }));
        const bad = (change) =>
            trader.call("POST", "/orders/prepare", { body: { ...fields, ...change } });
        await refused(11014, bad({ side: "hold" }));
        await refused(11015, bad({ type: "stop" }));
        await refused(11016, bad({ time_in_force: "DAY" }));
        await refused(13001, bad({ market: "DOGE-USDC" }));
        await refused(10003, bad({ amount: "x" }));
    });
});
