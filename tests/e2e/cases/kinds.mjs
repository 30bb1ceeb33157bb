// Kinds of orders beyond GTC limit: all need v2, which signs every field.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually, get, newTrader, refused } from "../lib/client.mjs";
import { has } from "../lib/protocol.mjs";

const v2 = { signature_type: "v2" };
const figures = (o) => [o.status, o.amount, o.filled_amount, o.remaining_amount];

export default (exchange) => describe("kinds of orders", () => {
    let maker, taker;
    const offer = (price = "50000", amount = "0.01") => maker.sell(price, amount, v2);

    it("v2 binds every field and answers it", async () => {
        maker = await newTrader(exchange, { BTC: "10", USDC: "100000" });
        taker = await newTrader(exchange, { BTC: "10", USDC: "100000" });
        const expire_at = (Math.floor(Date.now() / 1000) + 3600) * 1000;
        const o = await maker.buy("1000.5", "0.02",
            { ...v2, client_order_id: "grid:7/a_b.c-d", expire_at, stp: "cancel_both" });
        assert.deepEqual([o.client_order_id, o.expire_at, o.status], ["grid:7/a_b.c-d", expire_at, "open"]);
        await maker.cancelAll();
    });

    it("IOC takes what is there and leaves nothing", async () => {
        await offer();
        const o = await taker.buy("50000", "0.03", { ...v2, time_in_force: "IOC" });
        assert.deepEqual(figures(o), ["cancelled", "0.03", "0.01", "0.02"]);
        assert.equal(o.time_in_force, "IOC");
        assert.equal((await taker.funds("USDC"))[1], "0");
        const none = await taker.buy("50000", "0.03", { ...v2, time_in_force: "IOC" });
        assert.deepEqual(figures(none), ["cancelled", "0.03", "0", "0.03"]);
    });

    it("FOK takes all or nothing", async () => {
        const resting = await offer();
        const before = await taker.funds("USDC");
        const killed = await taker.buy("50000", "0.02", { ...v2, time_in_force: "FOK" });
        assert.deepEqual(figures(killed), ["cancelled", "0.02", "0", "0.02"]);
        assert.deepEqual(await taker.funds("USDC"), before);
        assert.equal((await maker.fetchOrder(resting.order_id)).status, "open");
        const filled = await taker.buy("50000", "0.01", { ...v2, time_in_force: "FOK" });
        assert.deepEqual(figures(filled), ["filled", "0.01", "0.01", "0"]);
    });

    it("GTX rests or is refused", async () => {
        await offer();
        const post = { side: "buy", amount: "0.01", ...v2, time_in_force: "GTX" };
        const order = await taker.order({ ...post, price: "50000" });
        await refused(11021, taker.send(order));
        const { items } = await taker.list("/orders?status=rejected", "order");
        assert.deepEqual([items[0].nonce, items[0].reject_reason, ...figures(items[0])],
            [order.nonce, "WOULD_TAKE", "rejected", "0.01", "0", "0.01"]);
        assert.equal((await taker.place({ ...post, price: "49999.99" })).status, "open");
        await taker.cancelAll();
        await maker.cancelAll();
        assert.equal((await taker.funds("USDC"))[1], "0");
    });

    it("a market order needs somebody on the other side", async () => {
        await refused(13004, taker.post({ side: "buy", type: "market", amount: "0.01", ...v2 }));
        await refused(13004, taker.post({ side: "sell", type: "market", amount: "0.01", ...v2 }));
    });

    it("a market order stops at its protection price", async () => {
        await offer("50000");
        await offer("50100");
        const near = await taker.place(
            { side: "buy", type: "market", amount: "0.02", slippage_bps: 10, ...v2 });
        assert.deepEqual(figures(near), ["cancelled", "0.02", "0.01", "0.01"]);
        await offer("50000");
        const far = await taker.place(
            { side: "buy", type: "market", amount: "0.02", slippage_bps: 20, ...v2 });
        assert.deepEqual([...figures(far), far.filled_quote, far.avg_price, far.type],
            ["filled", "0.02", "0.02", "0", "1001", "50050", "market"]);
        assert.equal((await taker.funds("USDC"))[1], "0");
    });

    it("a market order of v1 has the usual slippage", async () => {
        await offer("50000");
        const o = await taker.place({ side: "buy", type: "market", amount: "0.01" });
        assert.deepEqual(figures(o), ["filled", "0.01", "0.01", "0"]);
    });

    it("a market buy may spend an amount of quote", async () => {
        await offer("50000", "0.02");
        const before = await taker.funds("USDC");
        const o = await taker.place({ side: "buy", type: "market", quote_amount: "500.2", ...v2 });
        assert.deepEqual([o.status, o.amount, o.filled_amount, o.filled_quote],
            ["filled", "0.01", "0.01", "500"]); // 0.2 does not buy a further lot
        const spent = Number(before[0]) - Number((await taker.funds("USDC"))[0]);
        assert.ok(Math.abs(spent - 500.5) < 1e-6, `${spent}`);
        const rest = await taker.place({ side: "buy", type: "market", quote_amount: "600", ...v2 });
        assert.deepEqual([rest.status, rest.filled_quote], ["cancelled", "500"]);
    });

    it("a market sell takes bids", async () => {
        await maker.buy("40000", "0.01", v2);
        const o = await taker.place({ side: "sell", type: "market", amount: "0.01", ...v2 });
        assert.deepEqual([...figures(o), o.avg_price], ["filled", "0.01", "0.01", "0", "40000"]);
    });

    for (const [what, fields] of [
        ["both amounts", { amount: "0.01", quote_amount: "500" }],
        ["neither amount", {}],
        ["quote_amount for a sell", { side: "sell", quote_amount: "500" }],
        ["slippage below 10", { amount: "0.01", slippage_bps: 9 }],
        ["slippage above 1000", { amount: "0.01", slippage_bps: 1001 }],
        ["slippage of a fraction", { amount: "0.01", slippage_bps: 100.5 }],
    ])
        it(`a market order with ${what} is refused`, async () => {
            const good = await taker.order({ side: "buy", type: "market", amount: "0.01", ...v2 });
            delete good.amount;
            await refused(10003, taker.send({ ...good, ...fields }));
        });

    describe("self trade", () => {
        const own = (stp, more) => maker.post({ side: "buy", price: "50000", amount: "0.01", ...v2,
            ...(stp ? { stp } : {}), ...more });
        let resting;
        const state = async () => (await maker.fetchOrder(resting.order_id)).status;

        it("reject, the default", async () => {
            resting = await offer();
            await refused(11018, own());
            await refused(11018, own("reject"));
            assert.equal(await state(), "open");
        });

        it("reject fills nothing, even before the own order is reached", async () => {
            const other = await taker.sell("49999", "0.001", v2);
            await refused(11018, own("reject"));
            assert.equal((await taker.fetchOrder(other.order_id)).status, "open");
            await taker.cancelAll();
        });

        it("cancel_taker", async () => {
            const o = (await own("cancel_taker")).data;
            assert.deepEqual(figures(has("order", o)), ["cancelled", "0.01", "0", "0.01"]);
            assert.equal(await state(), "open");
        });

        it("cancel_both", async () => {
            const o = (await own("cancel_both")).data;
            assert.deepEqual(figures(o), ["cancelled", "0.01", "0", "0.01"]);
            assert.equal(await state(), "cancelled");
        });

        it("cancel_maker", async () => {
            resting = await offer();
            const o = (await own("cancel_maker")).data;
            assert.deepEqual(figures(o), ["open", "0.01", "0", "0.01"]);
            assert.equal(await state(), "cancelled");
            await maker.cancelAll();
        });

        it("a killed FOK cancels nobody's order", async () => {
            resting = await offer();
            const o = (await own("cancel_maker", { amount: "0.05", time_in_force: "FOK" })).data;
            assert.deepEqual(figures(o), ["cancelled", "0.05", "0", "0.05"]);
            assert.equal(await state(), "open");
            await maker.cancelAll();
        });
    });

    it("an order expires by itself", async () => {
        const expire_at = (Math.floor(Date.now() / 1000) + 2) * 1000;
        const o = await maker.buy("100", "0.5", { expire_at });
        assert.deepEqual([o.status, o.expire_at], ["open", expire_at]);
        await eventually(async () => {
            assert.equal((await maker.fetchOrder(o.order_id)).status, "expired");
        }, 6000);
        assert.equal((await maker.funds("USDC"))[1], "0");
        await eventually(async () => {
            const depth = await get(exchange, "/depth/BTC-USDC");
            assert.deepEqual([depth.bids, depth.asks], [[], []]);
        });
    });
});
