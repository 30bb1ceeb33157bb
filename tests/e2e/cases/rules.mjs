// Every rule a field must keep, and which of two broken rules speaks.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { newTrader, refused } from "../lib/client.mjs";

const limit = { side: "buy", price: "50000", amount: "0.01" };
const inSeconds = (s) => (Math.floor(Date.now() / 1000) + s) * 1000;

export default (exchange) => describe("rules", () => {
    let trader;
    const post = async (change) => {
        trader ??= await newTrader(exchange, { USDC: "3000000", BTC: "100" });
        return trader.post({ ...limit, ...change });
    };
    // Fields that cannot even be signed: a good order, changed afterwards.
    const raw = async (change) => {
        trader ??= await newTrader(exchange, { USDC: "3000000", BTC: "100" });
        return trader.post(limit, change);
    };

    for (const [what, code, change] of [
        ["price off the tick", 11004, { price: "50000.001" }],
        ["price of zero", 11004, { price: "0" }],
        ["price above the maximum", 11006, { side: "sell", price: "10000000.01", amount: "0.00002" }],
        ["amount off the lot", 11005, { amount: "0.010001" }],
        ["amount above the maximum", 11009, { price: "1", amount: "1000.00001" }],
        ["notional below 10", 11010, { price: "999.99", amount: "0.01" }],
        ["notional above 1000000", 11020, { amount: "20.00001" }],
        ["expired already", 11011, { expire_at: inSeconds(-10) }],
        ["expiry in a month and a day", 10003, { expire_at: inSeconds(31 * 86400) }],
    ])
        it(`${what}: ${code}`, () => post(change).then((a) => refused(code, a)));

    it("amount of zero: 11005 or 11008", async () => {
        const a = await post({ amount: "0" });
        assert.ok([11005, 11008].includes(a.code), a.code);
    });

    it("notional of 10 and of 1000000 are good", async () => {
        for (const change of [{ price: "1000", amount: "0.01" }, { price: "49999.99", amount: "20" },
            { price: "50000", amount: "20" }])
            await trader.place({ ...limit, ...change });
        await trader.cancelAll();
    });

    it("a balance that does not suffice: 12001", async () => {
        await trader.buy("50000", "20");
        await trader.buy("50000", "20");
        await refused(12001, post({ amount: "20" }));
        await refused(12001, trader.post({ side: "sell", price: "5000", amount: "101" }));
        await trader.cancelAll();
        assert.deepEqual(await trader.funds("USDC"), ["3000000", "0"]);
    });

    for (const [code, name, ...values] of [
        [11014, "side", "hold", "BUY", "", 1],
        [11015, "type", "stop", "LIMIT", "stop_limit", 1],
        [11016, "time_in_force", "DAY", "gtc", 1],
        [10003, "stp", "none", 0],
        [10003, "signature_type", "v3", 1],
        [10003, "price", "-1", "+1", "1e3", ".5", "5.", "007", " 1", "", "0x10", 50000, "1,5", "NaN",
            "9".repeat(60), "1." + "0".repeat(18) + "1", [], {}, true],
        [10003, "amount", "-1", "1e3", "", 0.01, "∞"],
        [10003, "nonce", "-1", "1.5", "", "18446744073709551616", 7, "abc"],
        [10003, "expire_at", "soon", -1, 1.5, inSeconds(60) + 1, []],
        [10003, "client_order_id", "x".repeat(37), "ü", "a b", 7],
        [10003, "market", 7, []],
        [13001, "market", "DOGE-USDC", "btc-usdc", "BTC-USDC ", "BTC", ""],
        [10010, "wallet", "0x12", "", "0x" + "g".repeat(40), "1".repeat(42)],
    ])
        for (const value of values)
            it(`${name} ${JSON.stringify(value).slice(0, 24)}: ${code}`, () =>
                raw({ [name]: value }).then((a) => refused(code, a)));

    for (const name of ["side", "type", "market", "nonce", "wallet", "price", "amount"])
        it(`${name} is required`, async () => {
            const a = await refused(10003, raw({ [name]: undefined }));
            assert.equal(a.data.field, name);
        });

    describe("of two broken rules the earlier speaks", () => {
        it("syntax before market", () => raw({ market: "DOGE-USDC", side: "hold" })
            .then((a) => refused(11014, a)));
        it("market before authentication", () => raw({ market: "DOGE-USDC" })
            .then((a) => refused(13001, a)));
        it("authentication before price", () => raw({ price: "0.001" })
            .then((a) => refused(10001, a)));
        it("price before amount", () => post({ price: "50000.001", amount: "0.000001" })
            .then((a) => refused(11004, a)));
        it("amount before notional", () => post({ price: "1", amount: "0.000001" })
            .then((a) => refused(11005, a)));
        it("notional before expiry", () => post({ price: "1", expire_at: inSeconds(-10) })
            .then((a) => refused(11010, a)));
        it("expiry before nonce", async () => {
            const used = await trader.place({ ...limit, price: "1000" });
            await refused(11011, post({ nonce: used.nonce, expire_at: inSeconds(-10) }));
            await trader.cancelAll();
        });
        it("nonce before balance", async () => {
            const used = await trader.place({ ...limit, price: "1000" });
            await refused(11017, trader.post({ side: "sell", price: "5000", amount: "150",
                nonce: used.nonce }));
            await trader.cancelAll();
        });
    });

    it("a market has 200 open orders of a wallet: 11019", async () => {
        const one = { side: "buy", price: "1000", amount: "0.01" };
        const bodies = await Promise.all(Array.from({ length: 200 }, () => trader.order(one)));
        for (const a of await Promise.all(bodies.map((b) => trader.send(b))))
            assert.equal(a.code, 0, JSON.stringify(a));
        await refused(11019, trader.post(one));
        await trader.place({ side: "buy", price: "500", amount: "0.1", market: "ETH-USDC" });
        const { cancelled, failed } = await trader.cancelAll();
        assert.deepEqual([cancelled.length, failed], [201, []]);
        assert.deepEqual(await trader.funds("USDC"), ["3000000", "0"]);
    });
});
