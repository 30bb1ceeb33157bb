// Lists of orders: paging, filters, and what is out of range.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { newTrader, refused } from "../lib/client.mjs";
import { has } from "../lib/protocol.mjs";

export default (exchange) => describe("lists", () => {
    let trader;
    const made = [];

    it("begin empty", async () => {
        trader = await newTrader(exchange, { USDC: "100000", BTC: "5" });
        for (const path of ["/orders", "/orders/open"]) {
            const data = await trader.list(path);
            assert.deepEqual(data, { items: [],
                pagination: { total: 0, page: 1, page_size: 20, total_pages: 0 } });
        }
    });

    it("have pages", async () => {
        for (let i = 0; i < 25; i++) made.push(await trader.buy(String(1000 + i), "0.01"));
        const pages = [];
        for (const page of [1, 2, 3]) {
            const { items, pagination } =
                await trader.list(`/orders/open?page=${page}&page_size=10`, "order");
            assert.deepEqual(pagination, { total: 25, page, page_size: 10, total_pages: 3 });
            pages.push(...items.map((o) => o.order_id));
        }
        assert.deepEqual([...pages].sort(), made.map((o) => o.order_id).sort());
        const { items, pagination } = await trader.list("/orders", "order");
        assert.deepEqual([items.length, pagination.page_size, pagination.total], [20, 20, 25]);
        assert.equal((await trader.list("/orders?page_size=100")).items.length, 25);
    });

    for (const query of ["page=0", "page=-1", "page=x", "page=1.5", "page=4&page_size=10", "page=",
        "page_size=0", "page_size=101", "page_size=x", "status=lost", "start_time=x",
        "end_time=-1", "page=99999999999999999999"])
        it(`refuse ${query}`, () =>
            trader.call("GET", `/orders?${query}`).then((a) => refused(10003, a)));
    it("refuse an unknown market and side", async () => {
        await refused(13001, trader.call("GET", "/orders?market=DOGE-USDC"));
        await refused(11014, trader.call("GET", "/orders?side=both"));
    });

    it("are filtered", async () => {
        await trader.cancel(made[0].order_id);
        const ask = await trader.sell("90000", "0.01");
        const eth = await trader.buy("500", "0.1", { market: "ETH-USDC" });
        const ids = async (query) =>
            (await trader.list(`/orders?page_size=100&${query}`, "order")).items.map((o) => o.order_id);
        assert.deepEqual(await ids("market=ETH-USDC"), [eth.order_id]);
        assert.deepEqual(await ids("side=sell"), [ask.order_id]);
        assert.deepEqual(await ids("status=cancelled"), [made[0].order_id]);
        assert.equal((await ids("status=open")).length, 26);
        assert.deepEqual(await ids("status=open&market=BTC-USDC&side=sell"), [ask.order_id]);
        assert.deepEqual(await ids("status=filled"), []);
        const middle = made[12].created_at;
        const early = await ids(`end_time=${middle}`), late = await ids(`start_time=${middle + 1}`);
        assert.equal(early.length + late.length, 27);
        assert.ok(early.includes(made[0].order_id) && late.includes(eth.order_id));
        assert.equal((await trader.list("/orders/open")).pagination.total, 26);
    });

    it("end", async () => {
        await trader.cancelAll();
        assert.equal((await trader.list("/orders/open")).pagination.total, 0);
        assert.equal((await trader.list("/orders?status=cancelled")).pagination.total, 27);
    });

    it("balances are plain, one is an object", async () => {
        const all = await trader.get("/balances");
        assert.ok(Array.isArray(all));
        for (const b of all) has("balance", b);
        await refused(12003, trader.call("GET", "/balances/DOGE"));
        const none = await trader.balance("ETH");
        assert.equal(none.total, "0");
    });
});
