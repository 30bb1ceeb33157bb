// Orders over WebSocket: the same signed bodies as over HTTP, answered by `ack`.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { API, newTrader, timestamp } from "../lib/client.mjs";
import { has } from "../lib/protocol.mjs";
import { Socket } from "../lib/socket.mjs";

export default (exchange) => describe("WebSocket orders", () => {
    let trader, other, s;
    const ack = async (type, params) => {
        const a = await s.ask({ type, params });
        assert.equal(a.type, "ack", JSON.stringify(a));
        return a.data;
    };
    const code = async (type, params) => (await ack(type, params)).code ?? 0;
    const request = async (t, path) => {
        const at = timestamp();
        return { wallet: t.wallet, timestamp: at,
            signature: await t.sign("Request", { method: "DELETE", path: API + path, timestamp: at }) };
    };
    const limit = { side: "buy", price: "1000", amount: "0.01" };

    it("order.place, v1 and v2", async () => {
        trader = await newTrader(exchange, { USDC: "1000", BTC: "1" });
        other = await newTrader(exchange, { USDC: "1000", BTC: "1" });
        s = await Socket.open(exchange); // an order authenticates itself
        const body = await trader.order(limit);
        const first = has("order", await ack("order.place", body));
        assert.equal(first.status, "open");
        assert.deepEqual(await ack("order.place", body), first);
        assert.deepEqual(await trader.fetchOrder(first.order_id), first);
        const sale = await ack("order.place", await other.order({ side: "sell", price: "1000",
            amount: "0.02", signature_type: "v2", time_in_force: "IOC" }));
        assert.deepEqual([sale.status, sale.filled_amount], ["cancelled", "0.01"]);
        assert.equal((await trader.fetchOrder(first.order_id)).status, "filled");
    });

    it("order.place, refused", async () => {
        const body = await trader.order(limit);
        assert.equal(await code("order.place", { ...body, price: "1001" }), 10001);
        assert.equal(await code("order.place", { ...body, market: "DOGE-USDC" }), 13001);
        assert.equal(await code("order.place", { ...body, side: "hold" }), 11014);
        assert.equal(await code("order.place", { ...body, signature: undefined }), 10008);
        assert.equal(await code("order.place", await trader.order({ ...limit, amount: "5" })), 12001);
        assert.equal(await code("order.place", await trader.order({ ...limit, price: "1000.001" })),
            11004);
        assert.equal(await code("order.place", {}), 10003);
    });

    it("order.cancel by a signed Cancel or Request", async () => {
        const a = await trader.buy("1000", "0.01"), b = await trader.buy("1000", "0.01");
        const cancel = { order_id: a.order_id, ...await trader.signedCancel(a.order_id) };
        assert.equal(await code("order.cancel", { ...cancel, order_id: b.order_id }), 10001);
        assert.equal(has("order", await ack("order.cancel", cancel)).status, "cancelled");
        const byRequest = { order_id: b.order_id, ...await request(trader, `/orders/${b.order_id}`) };
        assert.equal(has("order", await ack("order.cancel", byRequest)).status, "cancelled");
        assert.equal(await code("order.cancel", byRequest), 10006);
        const again = { order_id: a.order_id, ...await trader.signedCancel(a.order_id) };
        assert.equal(await code("order.cancel", again), 11002);
        const foreign = { order_id: a.order_id, ...await other.signedCancel(a.order_id) };
        assert.equal(await code("order.cancel", foreign), 11001);
    });

    it("order.cancel_all, with filters", async () => {
        const bid = await trader.buy("1000", "0.01"), ask = await trader.sell("5000", "0.01");
        const sells = await ack("order.cancel_all",
            { side: "sell", ...await request(trader, "/orders") });
        assert.deepEqual(sells, { cancelled: [ask.order_id], failed: [] });
        const all = await request(trader, "/orders");
        assert.deepEqual(await ack("order.cancel_all", all),
            { cancelled: [bid.order_id], failed: [] });
        assert.equal(await code("order.cancel_all", all), 10006);
        assert.equal(await code("order.cancel_all", { ...all, wallet: other.wallet }), 10001);
    });

    it("a message of the client has at most 4096 bytes", async () => {
        s.send({ type: "ping", id: "big", pad: "x".repeat(4096) });
        const { code: closed, reason } = await s.whenClosed;
        assert.ok([1008, 1009].includes(closed), closed);
        assert.notEqual(reason, "");
    });
});
