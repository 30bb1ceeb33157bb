// Own trades and the balance log: what a fill is to both sides, filters, paging, privacy, and that a
// restart of the process that remembers loses none of it.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { API, call, newTrader, ok, refused, units } from "../lib/client.mjs";
import { has } from "../lib/protocol.mjs";

export default (exchange) => describe("history", () => {
    let maker, taker, ask, bid, began;

    it("is empty for a stranger and a newcomer", async () => {
        began = Date.now();
        maker = await newTrader(exchange, { BTC: "5" });
        taker = await newTrader(exchange, { USDC: "500000" });
        const stranger = await newTrader(exchange);
        for (const t of [maker, stranger]) {
            const { items, pagination } = await t.list("/mytrades");
            assert.deepEqual([items, pagination.total, pagination.total_pages], [[], 0, 0]);
        }
        assert.equal((await stranger.list("/transactions")).pagination.total, 0);
    });

    it("a fill is a trade to both, each with its own fee, at once", async () => {
        ask = await maker.sell("50000", "0.5");
        bid = await taker.buy("50000", "0.2");
        const mine = (await taker.list("/mytrades", "trade")).items;
        const theirs = (await maker.list("/mytrades", "trade")).items;
        assert.equal(mine.length, 1);
        assert.deepEqual([mine[0].order_id, mine[0].role, mine[0].side, mine[0].price, mine[0].amount,
            mine[0].quote_amount, mine[0].fee, mine[0].fee_token],
        [bid.order_id, "taker", "buy", "50000", "0.2", "10000", "10", "USDC"]);
        assert.deepEqual([theirs[0].trade_id, theirs[0].order_id, theirs[0].role, theirs[0].side],
            [mine[0].trade_id, ask.order_id, "maker", "sell"]);
        assert.deepEqual(await taker.get(`/mytrades/${mine[0].trade_id}`), mine[0]);
        assert.deepEqual(await maker.get(`/mytrades/${mine[0].trade_id}`), theirs[0]);
    });

    it("another's trade is not there", async () => {
        const { trade_id } = (await taker.list("/mytrades")).items[0];
        const other = await newTrader(exchange, { USDC: "1" });
        await refused(14001, other.call("GET", `/mytrades/${trade_id}`));
        await refused(14001, taker.call("GET", "/mytrades/99999999"));
        await refused(10003, taker.call("GET", "/mytrades/x"));
        await refused(10003, taker.call("GET", "/mytrades/0"));
        assert.deepEqual((await other.list(`/mytrades?order_id=${bid.order_id}`)).items, []);
    });

    it("trades have pages, newest first, and filters", async () => {
        for (let i = 0; i < 5; i++) await taker.buy("50000", "0.01");
        const all = (await taker.list("/mytrades", "trade")).items;
        assert.equal(all.length, 6);
        for (let i = 1; i < 6; i++) assert.ok(BigInt(all[i - 1].trade_id) > BigInt(all[i].trade_id));
        const ids = (page) => page.items.map((t) => t.trade_id);
        const second = await taker.list("/mytrades?page=2&page_size=4");
        assert.deepEqual(second.pagination, { total: 6, page: 2, page_size: 4, total_pages: 2 });
        assert.deepEqual(ids(second), all.slice(4).map((t) => t.trade_id));
        assert.equal((await taker.list(`/mytrades?order_id=${bid.order_id}`)).items.length, 1);
        assert.equal((await maker.list(`/mytrades?order_id=${ask.order_id}`)).items.length, 6);
        assert.equal((await taker.list("/mytrades?market=ETH-USDC")).items.length, 0);
        assert.equal((await taker.list("/mytrades?market=BTC-USDC")).items.length, 6);
        const at = all[2].matched_at;
        const early = await taker.list(`/mytrades?end_time=${at}`);
        const late = await taker.list(`/mytrades?start_time=${at + 1}`);
        assert.equal(early.items.length + late.items.length, 6);
        assert.ok(ids(early).includes(all[2].trade_id));
        assert.equal((await taker.list(`/mytrades?end_time=${began - 1000}`)).items.length, 0);
    });

    for (const query of ["page=0", "page=3&page_size=4", "page_size=101", "page_size=x", "order_id=x",
        "order_id=0", "start_time=x", "start_time=20&end_time=10"])
        it(`trades refuse ${query}`, () =>
            refused(10003, taker.call("GET", `/mytrades?${query}`)));
    it("trades refuse an unknown market", () =>
        refused(13001, taker.call("GET", "/mytrades?market=DOGE-USDC")));
    it("nobody reads them without a signature", async () => {
        for (const path of ["/mytrades", "/mytrades/1", "/transactions", "/balances/history"])
            await refused(10008, call(exchange, "GET", API + path));
    });

    it("the balance log says what came, what went and the fee, each with the balance after", async () => {
        const { items } = await taker.list(`/transactions?end_time=${bid.updated_at}`, "transaction");
        const lines = items.filter((e) => e.type !== "deposit").slice(-3)
            .map((e) => [e.type, e.token, e.amount, e.balance_after, e.ref_type]);
        assert.deepEqual(lines, [
            ["fee", "USDC", "-10", "489990", "trade"],
            ["trade", "USDC", "-10000", "490000", "trade"],
            ["trade", "BTC", "0.2", "0.2", "trade"],
        ]);
        const sold = (await maker.list("/transactions", "transaction")).items
            .filter((e) => e.type !== "deposit").slice(-3)
            .map((e) => [e.type, e.token, e.amount, e.balance_after]);
        assert.deepEqual(sold, [["fee", "USDC", "-10", "9990"], ["trade", "USDC", "10000", "10000"],
            ["trade", "BTC", "-0.2", "4.8"]]);
    });

    it("its amounts add up to the balances", async () => {
        for (const [t, token] of [[maker, "BTC"], [maker, "USDC"], [taker, "BTC"],
            [taker, "USDC"]]) {
            const { items } = await t.list(`/transactions?token=${token}&page_size=100`);
            const sum = items.reduce((s, e) => s + units(e.amount), 0n);
            assert.equal(sum, units((await t.balance(token)).total));
            assert.equal(items[0].balance_after, (await t.balance(token)).total);
        }
    });

    it("it is filtered, paged, and known by its older name", async () => {
        const of = async (q) => (await taker.list(`/transactions?page_size=100&${q}`)).items;
        assert.equal((await of("type=fee")).length, 6);
        assert.equal((await of("type=trade")).length, 12);
        assert.equal((await of("type=trade&token=BTC")).length, 6);
        assert.deepEqual(await of("type=withdraw"), []);
        const all = await of("");
        const second = await taker.list("/transactions?page=2&page_size=7");
        assert.deepEqual(second.items, all.slice(7, 14));
        assert.deepEqual((await taker.list("/balances/history?page_size=100")).items, all);
        assert.equal(new Set(all.map((e) => e.transaction_id)).size, all.length);
        await refused(10003, taker.call("GET", "/transactions?type=freeze"));
        await refused(12003, taker.call("GET", "/transactions?token=DOGE"));
        await refused(10003, taker.call("GET", "/transactions?page=99"));
    });

    it("is the same after the process that remembers it was killed", async () => {
        const before = [await taker.get("/mytrades"), await taker.get("/transactions")];
        await exchange.kill("history");
        assert.deepEqual([await taker.get("/mytrades"), await taker.get("/transactions")], before);
    });

    it("ends", async () => {
        await maker.cancelAll();
        assert.equal((await ok(maker.call("GET", "/orders/open"))).pagination.total, 0);
    });
});
