// Deposits and withdrawals: signing one, what it does to the balance, every refusal, the operator's
// decision, taking it back, privacy, and what the balance log says of it all.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ethers } from "ethers";
import { API, call, newTrader, ok, refused, timestamp } from "../lib/client.mjs";
import { has } from "../lib/protocol.mjs";
import { Socket } from "../lib/socket.mjs";

const TO = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"; // with its checksum

export default (exchange) => describe("deposits and withdrawals", () => {
    let trader, first;

    const body = async (t, fields = {}, after = {}) => {
        const b = { wallet: t.wallet, token: "USDC", amount: "100", to_address: TO,
            nonce: t.nextNonce(), ...fields };
        const signature = await t.sign("Withdraw", { wallet: b.wallet, token: b.token,
            amount: ethers.parseUnits(b.amount, 18), toAddress: b.to_address, nonce: b.nonce });
        return { ...b, signature, ...after };
    };
    const send = (b, path = "/withdrawals") => call(exchange, "POST", API + path, { body: b });
    const withdraw = async (t, fields, after) => send(await body(t, fields, after));
    const accepted = async (t, fields) => has("withdrawal", await ok(withdraw(t, fields)));
    const status = async (t, id) => (await t.get(`/withdrawals/${id}`)).status;
    const decide = async (verb, id, ...more) =>
        JSON.parse(await exchange.ctl("withdrawal", verb, id, ...more, "--json"));
    const tx = () => ethers.hexlify(ethers.randomBytes(32));

    it("a deposit is listed, and counts once", async () => {
        trader = await newTrader(exchange, { USDC: "1000" });
        const hash = tx();
        const book = () => exchange.ctl("deposit", trader.wallet, "ETH", "2", "--tx", hash,
            "--log-index", "7", "--block", "1234");
        await book();
        exchange.credited.push({ wallet: trader.wallet, token: "ETH", amount: "2" });
        await book(); // told twice
        await assert.rejects(exchange.ctl("deposit", trader.wallet, "ETH", "3", "--tx", hash,
            "--log-index", "7"), /booked before/);
        assert.deepEqual(await trader.funds("ETH"), ["2", "0"]);
        const { items, pagination } = await trader.list("/deposits", "deposit");
        assert.equal(pagination.total, 2);
        assert.deepEqual([items[0].token, items[0].amount, items[0].tx_hash, items[0].log_index,
            items[0].block_num, items[0].status], ["ETH", "2", hash, 7, 1234, "credited"]);
        assert.deepEqual([items[1].token, items[1].tx_hash], ["USDC", null]);
        assert.deepEqual(await trader.get(`/deposits/${items[0].deposit_id}`), items[0]);
        const only = async (q) => (await trader.list(`/deposits?${q}`)).items.length;
        assert.deepEqual([await only("token=ETH"), await only("status=credited"),
            await only("status=pending"), await only(`end_time=${items[1].created_at - 1}`)],
        [1, 2, 0, 0]);
        const other = await newTrader(exchange, { USDC: "1" });
        await refused(12007, other.call("GET", `/deposits/${items[0].deposit_id}`));
        await refused(12007, trader.call("GET", "/deposits/999999"));
        await refused(10003, trader.call("GET", "/deposits/x"));
        await refused(10003, trader.call("GET", "/deposits?status=lost"));
    });

    it("a withdrawal is pending, and its funds have left the balance", async () => {
        first = await accepted(trader);
        assert.deepEqual([first.token, first.amount, first.to_address, first.status],
            ["USDC", "100", TO, "pending"]);
        assert.ok(!("tx_hash" in first));
        assert.deepEqual(await trader.funds("USDC"), ["900", "0"]);
        assert.deepEqual(await trader.get(`/withdrawals/${first.withdraw_id}`), first);
        assert.deepEqual((await trader.list("/withdrawals", "withdrawal")).items, [first]);
    });

    it("sent again it answers itself; its nonce is used", async () => {
        const again = await body(trader, { nonce: first.nonce });
        assert.deepEqual(await ok(send(again)), first);
        await refused(11017, withdraw(trader, { nonce: first.nonce, amount: "101" }));
        assert.deepEqual(await trader.funds("USDC"), ["900", "0"]);
    });

    it("another's is not there", async () => {
        const other = await newTrader(exchange, { USDC: "1" });
        await refused(12006, other.call("GET", `/withdrawals/${first.withdraw_id}`));
        await refused(12006, other.call("DELETE", `/withdrawals/${first.withdraw_id}`));
        await refused(12006, trader.call("GET", "/withdrawals/999999"));
        const { items } = await trader.list("/deposits");
        await refused(12006, trader.call("GET", `/withdrawals/${items[0].deposit_id}`));
        for (const [method, path] of [["GET", "/withdrawals"], ["DELETE", "/withdrawals/1"]])
            await refused(10008, call(exchange, method, API + path));
    });

    it("is refused with the code of what is wrong", async () => {
        const wrong = async (code, fields, after) => refused(code, withdraw(trader, fields, after));
        await wrong(10001, {}, { amount: "200" });
        await wrong(10001, {}, { to_address: ethers.getAddress(ethers.hexlify(ethers.randomBytes(20))) });
        await wrong(10001, {}, { signature: "0x12" });
        await wrong(10008, {}, { signature: undefined });
        await wrong(10003, {}, { nonce: 5 });
        await wrong(10003, {}, { amount: 5 });
        await wrong(10003, {}, { amount: "-5" });
        await wrong(10003, { amount: "1.000000001" }); // more than the ledger keeps
        await wrong(10010, {}, { wallet: "0x12" });
        await wrong(12003, { token: "DOGE" });
        await wrong(12004, { amount: "0" });
        await wrong(12001, { amount: "900.00000001" });
        for (const to of ["0x1234", TO.toLowerCase().slice(2), TO.replace("C", "c"), `${TO}00`,
            ethers.ZeroAddress, "someone"])
            await wrong(12008, { to_address: to });
        for (const field of ["token", "amount", "to_address", "nonce"])
            await wrong(10003, {}, { [field]: undefined });
        const stranger = await newTrader(exchange);
        await refused(12001, withdraw(stranger));
        assert.deepEqual(await trader.funds("USDC"), ["900", "0"]);
    });

    it("takes an address in one case, and the older path", async () => {
        const w = await ok(send(await body(trader, { to_address: TO.toLowerCase(), amount: "1" }),
            "/balances/withdraw"));
        assert.equal(w.to_address, TO.toLowerCase());
        assert.equal((await ok(trader.call("DELETE", `/withdrawals/${w.withdraw_id}`))).status,
            "cancelled");
    });

    it("a refusal after the nonce uses it and answers again", async () => {
        const poor = await body(trader, { amount: "5000" });
        await refused(12001, send(poor));
        await trader.fund("USDC", "9000");
        await refused(12001, send(poor));
        await refused(11017, withdraw(trader, { nonce: poor.nonce, amount: "1" }));
    });

    it("its owner takes it back while it is pending, once", async () => {
        const path = `/withdrawals/${first.withdraw_id}`;
        const at = timestamp(), headers = await trader.header("DELETE", API + path, at);
        const gone = await ok(call(exchange, "DELETE", API + path, { headers }));
        assert.deepEqual([gone.status, gone.withdraw_id], ["cancelled", first.withdraw_id]);
        await refused(10006, call(exchange, "DELETE", API + path, { headers }));
        await refused(12005, trader.call("DELETE", path));
        assert.deepEqual(await trader.funds("USDC"), ["10000", "0"]);
        assert.equal((await ok(send(await body(trader, { nonce: first.nonce })))).status, "cancelled");
    });

    it("an operator approves and completes, rejects, or lets it fail", async () => {
        const rich = await newTrader(exchange, { ETH: "10" });
        const paid = await accepted(rich, { token: "ETH", amount: "3" });
        const refusedOne = await accepted(rich, { token: "ETH", amount: "2" });
        const failing = await accepted(rich, { token: "ETH", amount: "1" });
        const waiting = JSON.parse(await exchange.ctl("withdrawal", "list", "--wallet", rich.wallet,
            "--json"));
        assert.deepEqual(waiting.map((w) => w.status), ["pending", "pending", "pending"]);
        await assert.rejects(decide("complete", paid.withdraw_id, "--tx", tx()), /is pending/);
        await decide("approve", paid.withdraw_id);
        assert.equal(await status(rich, paid.withdraw_id), "processing");
        await refused(12005, rich.call("DELETE", `/withdrawals/${paid.withdraw_id}`));
        const hash = tx();
        await decide("complete", paid.withdraw_id, "--tx", hash);
        const done = has("withdrawal", await rich.get(`/withdrawals/${paid.withdraw_id}`));
        assert.deepEqual([done.status, done.tx_hash], ["confirmed", hash]);
        exchange.credited.push({ wallet: rich.wallet, token: "ETH", amount: "-3" });
        await decide("reject", refusedOne.withdraw_id);
        await decide("approve", failing.withdraw_id);
        await decide("submit", failing.withdraw_id, "--tx", tx());
        assert.equal(await status(rich, failing.withdraw_id), "submitted");
        await decide("fail", failing.withdraw_id);
        assert.deepEqual([await status(rich, refusedOne.withdraw_id),
            await status(rich, failing.withdraw_id)], ["rejected", "failed"]);
        assert.deepEqual(await rich.funds("ETH"), ["7", "0"]);
        await assert.rejects(decide("approve", paid.withdraw_id), /is confirmed/);
        await assert.rejects(decide("approve", "99999"), /no withdrawal/);
        const lines = (await rich.list("/transactions", "transaction")).items
            .map((e) => [e.type, e.amount, e.balance_after]);
        assert.deepEqual(lines, [["withdraw_return", "1", "7"], ["withdraw_return", "2", "6"],
            ["withdraw", "-1", "4"], ["withdraw", "-2", "5"], ["withdraw", "-3", "7"],
            ["deposit", "10", "10"]]);
        const [line] = (await rich.list("/transactions?type=withdraw_return")).items;
        assert.deepEqual([line.ref_type, line.ref_id], ["withdrawal", failing.withdraw_id]);
        const only = async (q) => (await rich.list(`/withdrawals?${q}`)).items.map((w) => w.status);
        assert.deepEqual(await only("status=failed"), ["failed"]);
        assert.deepEqual(await only("token=USDC"), []);
        assert.deepEqual(await only(`end_time=${done.created_at - 1}`), []);
        assert.equal((await only("page_size=2&page=2")).length, 1);
        await refused(10003, rich.call("GET", "/withdrawals?page=3&page_size=2"));
    });

    it("the balances channel tells of each step that moves funds", async () => {
        const s = await Socket.open(exchange);
        assert.equal((await s.auth(trader)).type, "auth");
        await s.subscribe("balances");
        const told = async (reason) => (await s.next((m) =>
            m.channel === "balances" && m.data?.reason === reason)).data;
        const w = await accepted(trader, { amount: "3" });
        const left = await told("withdraw");
        assert.deepEqual([left.token, left.total, left.ref_id], ["USDC", "9997", w.withdraw_id]);
        await ok(trader.call("DELETE", `/withdrawals/${w.withdraw_id}`));
        assert.equal((await told("withdraw_return")).total, "10000");
        await s.close();
    });

    it("has limits: 50,000 at once, 500,000 and 50 a day, 10 an hour", async () => {
        const whale = await newTrader(exchange, { USDC: "700000" });
        await refused(12002, withdraw(whale, { amount: "50000.01" }));
        const made = [];
        for (let i = 0; i < 10; i++)
            made.push(await accepted(whale, { amount: i ? "50000" : "49999" }));
        await refused(12002, withdraw(whale, { amount: "1" })); // the eleventh this hour
        for (const w of made)
            assert.equal((await ok(whale.call("DELETE", `/withdrawals/${w.withdraw_id}`))).status,
                "cancelled");
        assert.deepEqual(await whale.funds("USDC"), ["700000", "0"]);
    });

    it("every token is all there, and a restart brings all of it back", async () => {
        await accepted(trader, { amount: "7" });
        const see = async () => [await trader.get("/withdrawals"), await trader.get("/deposits"),
            await trader.get("/transactions"), await trader.get("/balances")];
        const before = await see();
        assert.equal((await exchange.status()).conserved, true);
        await exchange.kill("trading");
        assert.deepEqual(await see(), before);
        await exchange.stop();
        await exchange.start();
        assert.deepEqual(await see(), before);
        const status = await exchange.status();
        assert.equal(status.conserved, true);
        const usdc = status.tokens.find((t) => t.token === "USDC");
        assert.equal(usdc.in_flight, "7");
        const [w] = (await trader.list("/withdrawals?status=pending")).items;
        await ok(trader.call("DELETE", `/withdrawals/${w.withdraw_id}`));
    });
});
