// Who may do what: signatures of orders and headers, and everything that is not one.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ethers } from "ethers";
import { API, Trader, call, newTrader, ok, refused, timestamp } from "../lib/client.mjs";
import { has } from "../lib/protocol.mjs";

const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const limit = { side: "buy", price: "1000", amount: "0.05" };
const v2 = { ...limit, signature_type: "v2", client_order_id: "a", stp: "reject" };

// The twin with the other s: the same signature for the curve.
function highS(signature) {
    const { r, s, v } = ethers.Signature.from(signature);
    const twin = ethers.toBeHex(N - BigInt(s), 32).slice(2);
    return r + twin + (v === 27 ? "1c" : "1b");
}

const withV = (signature, v) => signature.slice(0, -2) + v.toString(16).padStart(2, "0");

export default (exchange) => describe("authentication", () => {
    let trader, other;

    describe("of an order", () => {
        it("is by the wallet's own key", async () => {
            trader = await newTrader(exchange, { USDC: "100000", BTC: "1" });
            other = await newTrader(exchange, { USDC: "1000" });
            const order = await other.order(limit);
            await refused(10001, other.send({ ...order, wallet: trader.wallet }));
            const stolen = await trader.order(limit);
            await refused(10001, trader.send({ ...stolen, wallet: other.wallet }));
        });

        const changes = {
            market: "ETH-USDC", side: "sell", price: "1000.01", amount: "0.05001", nonce: "1",
            expire_at: 4102444800000,
        };
        const expiring = (Math.floor(Date.now() / 1000) + 86400) * 1000;
        for (const [name, value] of Object.entries(changes))
            it(`v1 binds ${name}`, async () => {
                await refused(10001, trader.post({ ...limit, expire_at: expiring }, { [name]: value }));
            });
        for (const [name, value] of Object.entries({ ...changes, time_in_force: "IOC",
            client_order_id: "b", stp: "cancel_both", client_order_id_absent: null }))
            it(`v2 binds ${name}`, async () => {
                const field = name.replace("_absent", "");
                await refused(10001, trader.post({ ...v2, expire_at: expiring }, { [field]: value }));
            });
        it("v1 binds the type", async () => {
            const after = { type: "market", price: undefined };
            await refused(10001, trader.post(limit, after));
        });
        it("v2 binds slippage and quote_amount", async () => {
            const market = { side: "buy", type: "market", quote_amount: "100", signature_type: "v2" };
            await refused(10001, trader.post(market, { quote_amount: "101" }));
            await refused(10001, trader.post(market, { slippage_bps: 200 }));
        });

        for (const [field, fields] of Object.entries({
            time_in_force: { ...limit, time_in_force: "IOC" },
            stp: { ...limit, stp: "cancel_taker" },
            slippage_bps: { side: "buy", type: "market", amount: "0.05", slippage_bps: 50 },
            quote_amount: { side: "buy", type: "market", quote_amount: "100" },
        }))
            it(`v1 does not bind ${field}, so it is refused by name`, async () => {
                const a = await refused(10003, trader.post(fields));
                assert.equal(a.data.field, field);
                assert.match(JSON.stringify(a), /v2/);
            });

        it("is for this exchange, version, chain and contract", async () => {
            const body = await trader.order(limit);
            const [type, message] = trader.typedOrder(body);
            for (const domain of [{ name: "Eidos" }, { version: "2" }, { chainId: 42161 },
                { verifyingContract: trader.wallet }])
                await refused(10001, trader.send({ ...body,
                    signature: await trader.sign(type, message, domain) }));
        });

        it("refuses high s, for both types", async () => {
            for (const fields of [limit, v2]) {
                const order = await trader.order(fields);
                await refused(10001, trader.send({ ...order, signature: highS(order.signature) }));
            }
        });

        it("takes v as 27, 28, 0, 1 and nothing else", async () => {
            const order = await trader.order(limit);
            const v = parseInt(order.signature.slice(-2), 16);
            await refused(10001, trader.send({ ...order, signature: withV(order.signature, v ^ 7) }));
            for (const bad of [2, 26, 29, 255])
                await refused(10001, trader.send({ ...order,
                    signature: withV(order.signature, bad) }));
            const made = await ok(trader.send({ ...order,
                signature: withV(order.signature, v - 27) }));
            await ok(trader.cancel(made.order_id));
        });

        for (const bad of ["0x", "0x12", "x", "0x" + "0".repeat(130), "0x" + "f".repeat(130),
            "0x" + "g".repeat(130)])
            it(`refuses the signature ${bad.slice(0, 8)}`, async () => {
                const order = await trader.order(limit);
                await refused(10001, trader.send({ ...order, signature: bad }));
            });

        it("is missing: 10008", async () => {
            await refused(10008, trader.post(limit, { signature: undefined }));
        });

        it("the same order again answers itself, never a second one", async () => {
            const order = await trader.order(limit);
            const first = has("order", await ok(trader.send(order)));
            assert.deepEqual(await ok(trader.send(order)), first);
            const text = { ...order, price: "1000.00", wallet: order.wallet.toLowerCase() };
            assert.deepEqual(await ok(trader.send(text)), first);
            const { pagination } = await trader.list("/orders/open", "order");
            assert.equal(pagination.total, 1);
            await ok(trader.cancel(first.order_id));
            const again = await ok(trader.send(order));
            assert.deepEqual([again.order_id, again.status], [first.order_id, "cancelled"]);
        });
    });

    describe("of a request", () => {
        const path = API + "/balances";
        const asked = (authorization, method = "GET", at = path) =>
            call(exchange, method, at, { headers: authorization ? { authorization } : {} });

        it("is missing: 10008", async () => {
            await refused(10008, asked());
            await refused(10008, call(exchange, "DELETE", API + "/orders"));
            await refused(10008, call(exchange, "GET", API + "/orders"));
        });

        it("is of another form: 10009", async () => {
            const { authorization } = await trader.header("GET", path);
            for (const bad of ["Bearer abc", "EIP712", "EIP712 ", "EIP712 a", "EIP712 a:b",
                authorization.replace("EIP712", "EIP191"), authorization.slice(0, -1),
                authorization + "0", authorization + ":x"])
                await refused(10009, asked(bad));
        });

        it("has a wallet: 10010", async () => {
            const { authorization } = await trader.header("GET", path);
            await refused(10010, asked(authorization.replace(trader.wallet, "0x1234")));
        });

        it("has a timestamp: 10007", async () => {
            const { authorization } = await trader.header("GET", path);
            await refused(10007, asked(authorization.replace(/:\d+:/, ":now:")));
        });

        it("is fresh: 10002", async () => {
            const old = await trader.header("GET", path, Date.now() - 301000);
            await refused(10002, asked(old.authorization));
            const early = await trader.header("GET", path, Date.now() + 301000);
            const a = await asked(early.authorization);
            assert.ok([10002, 10007].includes(a.code), a.code);
            const edge = await trader.header("GET", path, Date.now() - 290000);
            await ok(asked(edge.authorization));
        });

        it("signs wallet, method, path and time", async () => {
            const good = await trader.header("GET", path);
            await ok(asked(good.authorization));
            await refused(10001, asked(good.authorization.replace(trader.wallet, other.wallet)));
            await refused(10001, asked(good.authorization.replace(/:(\d+):/, (_, t) => `:${+t + 1}:`)));
            await refused(10001, asked((await trader.header("POST", path)).authorization));
            await refused(10001, asked((await trader.header("GET", path + "/")).authorization));
            await refused(10001, asked((await trader.header("GET", "/balances")).authorization));
            const wrong = await trader.sign("Request", { method: "GET", path, timestamp: Date.now() },
                { chainId: 1 });
            await refused(10001, asked(`EIP712 ${trader.wallet}:${Date.now()}:${wrong}`));
        });

        it("does not sign the query", async () => {
            const { authorization } = await trader.header("GET", API + "/orders");
            await ok(asked(authorization, "GET", API + "/orders?status=open"));
        });

        it("ignores the case of the wallet", async () => {
            const { authorization } = await trader.header("GET", path);
            const lower = authorization.replace(trader.wallet, trader.wallet.toLowerCase());
            await ok(asked(lower));
            await ok(asked(authorization.replace(trader.wallet,
                "0x" + trader.wallet.slice(2).toUpperCase())));
        });

        it("refuses high s", async () => {
            const { authorization } = await trader.header("GET", path);
            const [head, signature] = authorization.split(/:(?=0x[0-9a-f]{130}$)/);
            await refused(10001, asked(`${head}:${highS(signature)}`));
        });

        it("may repeat when it changes nothing", async () => {
            const { authorization } = await trader.header("GET", path);
            await ok(asked(authorization));
            await ok(asked(authorization));
        });

        it("is good once when it changes something: 10006", async () => {
            const all = API + "/orders";
            const { authorization } = await trader.header("DELETE", all);
            await ok(asked(authorization, "DELETE", all));
            await refused(10006, asked(authorization, "DELETE", all));
            const lower = authorization.replace(trader.wallet, trader.wallet.toLowerCase());
            await refused(10006, asked(lower, "DELETE", all));
            const v = parseInt(authorization.slice(-2), 16);
            await refused(10006, asked(withV(authorization, v - 27), "DELETE", all));
        });

        it("that changes something is fresh, from after the start, and signed", async () => {
            const all = API + "/orders";
            const old = await trader.header("DELETE", all, Date.now() - 301000);
            await refused(10002, asked(old.authorization, "DELETE", all));
            const before = await trader.header("DELETE", all, Date.now() - 290000);
            await refused(10002, asked(before.authorization, "DELETE", all));
            const good = await trader.header("DELETE", all);
            await refused(10001, asked(good.authorization.replace(trader.wallet, other.wallet),
                "DELETE", all));
            const { order_id } = await trader.buy("1000", "0.05");
            await refused(10001, asked(good.authorization, "DELETE", `${all}/${order_id}`));
            await ok(asked(good.authorization, "DELETE", all));
        });

        it("two wallets may sign the same", async () => {
            const at = timestamp(), all = API + "/orders";
            for (const t of [trader, other])
                await ok(asked((await t.header("DELETE", all, at)).authorization, "DELETE", all));
        });
    });

    it("a wallet never funded is refused and leaves nothing", async () => {
        const stranger = new Trader(exchange);
        const order = await stranger.order(limit);
        await refused(12001, stranger.send(order));
        assert.equal((await stranger.list("/orders")).pagination.total, 0);
        await stranger.fund("USDC", "1000");
        const made = await ok(stranger.send(order)); // the nonce was not used
        await ok(stranger.cancel(made.order_id));
        exchange.traders.push(stranger);
    });
});
