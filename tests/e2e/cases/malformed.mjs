// Bytes that are no HTTP, no JSON, no WebSocket: 400 with a code, or a close with a code, and the
// exchange goes on.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import net from "node:net";
import { before, describe, it } from "node:test";
import { API, call, get, newTrader, refused, send } from "../lib/client.mjs";

// Write bytes to a fresh connection; all that comes back until it closes or is quiet for `ms`.
function raw(exchange, bytes, ms = 300) {
    return new Promise((resolve, reject) => {
        const parts = [];
        const socket = net.connect(exchange.port, exchange.host, () => socket.write(bytes));
        const end = () => resolve(Buffer.concat(parts));
        socket.setTimeout(ms, () => socket.destroy());
        socket.on("data", (part) => parts.push(part));
        socket.on("close", end);
        socket.on("error", (e) => (e.code === "ECONNRESET" || e.code === "EPIPE" ? end() : reject(e)));
    });
}

const upgrade = (extra = "", path = "/ws") => `GET ${path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n` +
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
    `Sec-WebSocket-Version: 13\r\n${extra}\r\n`;

// A client frame, masked with zeros.
function frame(opcode, payload = Buffer.alloc(0), { fin = 0x80, mask = 0x80, rsv = 0 } = {}) {
    const length = payload.length < 126 ? Buffer.from([mask | payload.length])
        : Buffer.from([mask | 126, payload.length >> 8, payload.length & 255]);
    return Buffer.concat([Buffer.from([fin | rsv | opcode]), length,
        Buffer.alloc(mask ? 4 : 0), payload]);
}

// The frames a server sent after its 101: [[opcode, payload], ...].
function framesOf(answer) {
    const at = answer.indexOf("\r\n\r\n");
    assert.match(answer.toString("latin1"), /^HTTP\/1\.1 101/);
    let rest = answer.subarray(at + 4);
    const frames = [];
    while (rest.length >= 2) {
        let length = rest[1] & 127, head = 2;
        if (length === 126) (length = rest.readUInt16BE(2)), (head = 4);
        frames.push([rest[0] & 15, rest.subarray(head, head + length)]);
        rest = rest.subarray(head + length);
    }
    return frames;
}

async function closesWith(exchange, codes, ...frames) {
    const answer = await raw(exchange, Buffer.concat([Buffer.from(upgrade()), ...frames]), 400);
    const close = framesOf(answer).find(([opcode]) => opcode === 8);
    assert.ok(close, "no close frame");
    assert.ok(codes.includes(close[1].readUInt16BE(0)), `closed with ${close[1].readUInt16BE(0)}`);
    assert.ok(close[1].length > 2, "a close has a reason");
}

export default (exchange) => describe("malformed input", () => {
    let restarts; // other suites kill processes
    before(async () => {
        const { processes } = await exchange.status();
        restarts = new Map(processes.map((p) => [p.name, p.restarts]));
    });

    const post = (body, headers = {}) =>
        call(exchange, "POST", API + "/orders", { body, headers });

    for (const body of ["", " ", "{", "}", "[]", "7", "null", "\"x\"", "{]", "{\"a\":}", "{'a':1}",
        "{\"wallet\":\"0x1\"", "{} {}", "{}x", "{\"a\":1,\"a\":2}", "{\"a\":01}", "{\"a\":NaN}",
        "{\"a\":\"\u0000\"}", "{\"a\":\"\\u0000\"}", "{\"a\":\"\\ud800\"}", "{\"a\":1e999}",
        "{\"a\":\"\\x\"}", "\ufeff{}", "[".repeat(3000), "{\"a\":".repeat(2500)])
        it(`JSON ${JSON.stringify(body).slice(0, 30)}`, () => refused(10003, post(body)));

    it("JSON that is not UTF-8", async () => {
        const body = Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0xfe, 0x22, 0x7d]);
        await refused(10003, post(body.toString("latin1"), {}));
        const a = await raw(exchange, Buffer.concat([Buffer.from(`POST ${API}/orders HTTP/1.1\r\n` +
            `Host: a\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`), body]));
        assert.match(a.toString(), /^HTTP\/1\.1 400 [^]*"code":10003/);
    });

    it("random bytes as JSON", async () => {
        for (let i = 0; i < 50; i++) {
            const a = await post(randomBytes(1 + i * 7).toString("latin1"));
            assert.ok([10003, 10010].includes(a.code), a.code);
        }
    });

    it("a body beyond the limit: 413", async () => {
        const a = await send(exchange, "POST", API + "/orders", { body: " ".repeat(20000) + "{}" });
        assert.equal(a.status, 413);
        assert.equal(JSON.parse(a.text).code, 10003);
    });

    for (const [what, text] of [
        ["noise", "\x00\x01\x02\x03\r\n\r\n"],
        ["no version", "GET /\r\n\r\n"],
        ["a wrong length", `POST ${API}/orders HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n`],
        ["a negative length", `POST ${API}/orders HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n`],
        ["no host", "GET /health/live HTTP/1.1\r\n\r\n"],
        ["a bad chunk", `POST ${API}/orders HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`],
        ["a header without a colon", "GET /health/live HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n"],
        ["a space before a colon", "GET /health/live HTTP/1.1\r\nHost : a\r\n\r\n"],
        ["a folded header", "GET /health/live HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"],
        ["a bare line feed", "GET /health/live HTTP/1.1\nHost: a\r\n\r\n"],
        ["two hosts", "GET /health/live HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"],
        ["two lengths", `POST ${API}/orders HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n` +
            "Content-Length: 2\r\n\r\n{}"],
        ["a length and chunks", `POST ${API}/orders HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n` +
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
        ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
    ])
        it(`HTTP with ${what}: 400 with the code, then closed`, async () => {
            const answer = (await raw(exchange, Buffer.from(text, "latin1"))).toString("latin1");
            assert.match(answer, /^HTTP\/1\.1 400 [^]*Connection: close\r\n[^]*"code":10003/);
        });

    it("other statuses of HTTP's own, with the code", async () => {
        for (const [status, text] of [[505, "GET / HTTP/2.0\r\n"],
            [501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n"],
            [417, "POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n"],
            [414, `GET /${"a".repeat(1100)} HTTP/1.1\r\n`],
            [431, `GET / HTTP/1.1\r\nHost: a\r\nX: ${"a".repeat(9000)}\r\n`]]) {
            const answer = (await raw(exchange, text + "\r\n")).toString("latin1");
            assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} [^]*"code":10003`));
        }
    });

    it("requests in one piece are answered in order, half-closed or not", async () => {
        const ask = (path, last) => `GET ${path} HTTP/1.1\r\nHost: a\r\n` +
            `${last ? "Connection: close\r\n" : ""}\r\n`;
        const answer = (await raw(exchange, ask(API + "/time").repeat(40) + ask("/nothing") +
            ask("/health/live", true))).toString("latin1");
        const lines = answer.match(/HTTP\/1\.1 \d+/g);
        assert.equal(lines.length, 42);
        assert.deepEqual(lines.slice(39), ["HTTP/1.1 200", "HTTP/1.1 404", "HTTP/1.1 200"]);
        const half = await new Promise((resolve) => {
            const parts = [];
            const socket = net.connect({ port: exchange.port, host: exchange.host,
                allowHalfOpen: true }, () => socket.end(ask("/health/live")));
            socket.on("data", (part) => parts.push(part));
            socket.on("end", () => resolve(Buffer.concat(parts).toString()));
        });
        assert.match(half, /^HTTP\/1\.1 200 /);
    });

    it("a request byte by byte, and one whose client goes away in the middle", async () => {
        const text = "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n";
        for (let i = 1; i < text.length; i += 7)
            await new Promise((resolve) => {
                const socket = net.connect(exchange.port, exchange.host, () =>
                    socket.write(text.slice(0, i), () => socket.resetAndDestroy()));
                socket.on("close", resolve);
            });
        const answer = await new Promise((resolve) => {
            const socket = net.connect(exchange.port, exchange.host, async () => {
                socket.setNoDelay(true);
                for (const c of text) {
                    socket.write(c);
                    await new Promise((next) => setImmediate(next));
                }
            });
            socket.on("data", (part) => { socket.destroy(); resolve(part.toString()); });
        });
        assert.match(answer, /^HTTP\/1\.1 200 /);
    });

    it("random bytes as HTTP", async () => {
        for (let i = 0; i < 20; i++) {
            const answer = (await raw(exchange, Buffer.concat([randomBytes(200),
                Buffer.from("\r\n\r\n")]), 200)).toString("latin1");
            assert.match(answer, /^HTTP\/1\.1 400 [^]*"code":10003/);
        }
    });

    it("targets and headers that are too long", async () => {
        for (const options of [["GET", "/" + "a".repeat(5000)],
            ["GET", `${API}/depth/BTC-USDC?limit=${"1".repeat(3000)}`],
            ["GET", API + "/balances", { headers: { authorization: "EIP712 " + "a".repeat(5000) } }]]) {
            const a = await send(exchange, ...options);
            assert.ok(a.status >= 400 && a.status < 500, `${a.status}`);
        }
    });

    for (const query of ["limit=%", "limit=%zz", "limit=%00", "limit=5&limit=6", "group=%ff"])
        it(`query ${query}`, () =>
            refused(10003, call(exchange, "GET", `${API}/depth/BTC-USDC?${query}`)));

    it("methods that a path does not take: 405", async () => {
        for (const [method, path] of [["PUT", "/orders"], ["POST", "/markets"], ["PATCH", "/time"],
            ["DELETE", "/balances"]]) {
            const a = await send(exchange, method, API + path);
            assert.equal(a.status, 405, `${method} ${path}`);
            assert.ok(a.headers.allow && !a.headers.allow.split(", ").includes(method));
            assert.equal(JSON.parse(a.text).code, 10003);
        }
    });

    describe("WebSocket", () => {
        it("an upgrade that is none: 4xx", async () => {
            for (const text of ["GET /ws HTTP/1.1\r\nHost: a\r\n\r\n",
                upgrade().replace("Version: 13", "Version: 12"),
                upgrade().replace(/Sec-WebSocket-Key.*\r\n/, ""),
                upgrade().replace("dGhlIHNhbXBsZSBub25jZQ==", "short"),
                upgrade().replace("GET", "POST")])
                assert.match((await raw(exchange, text, 500)).toString("latin1"), /^HTTP\/1\.1 4\d\d /);
        });

        const text = (s) => Buffer.from(s);
        for (const [what, codes, ...frames] of [
            ["an unmasked frame", [1002], frame(1, text("{}"), { mask: 0 })],
            ["reserved bits", [1002], frame(1, text("{}"), { rsv: 0x40 })],
            ["an unknown opcode", [1002], frame(3, text("{}"))],
            ["an unknown control opcode", [1002], frame(11)],
            ["a fragmented ping", [1002], frame(9, text("a"), { fin: 0 })],
            ["a ping of 126 bytes", [1002], frame(9, Buffer.alloc(126))],
            ["a continuation of nothing", [1002], frame(0, text("{}"))],
            ["a text within a text", [1002], frame(1, text("{"), { fin: 0 }), frame(1, text("}"))],
            ["binary", [1003, 1002, 1008], frame(2, text("{}"))],
            ["a close of one byte", [1002], frame(8, Buffer.from([3]))],
            ["more than 4096 bytes", [1009, 1008], frame(1, Buffer.alloc(4097, 0x20))],
            ["more than 4096 bytes in fragments", [1009, 1008],
                frame(1, Buffer.alloc(3000, 0x20), { fin: 0 }), frame(0, Buffer.alloc(3000, 0x20))],
        ])
            it(`${what}: closed with ${codes}`, () => closesWith(exchange, codes, ...frames));

        it("text that is not UTF-8: an error, or closed with 1007", async () => {
            const answer = await raw(exchange, Buffer.concat([Buffer.from(upgrade()),
                frame(1, Buffer.from([0x22, 0xff, 0x22]))]), 500);
            assert.ok(framesOf(answer).some(([op, p]) => (op === 8 && p.readUInt16BE(0) === 1007) ||
                (op === 1 && JSON.parse(p).data?.code === 10003)));
        });

        it("fragments are put together, pings answered in between", async () => {
            const answer = await raw(exchange, Buffer.concat([Buffer.from(upgrade()),
                frame(1, text("{\"type\":"), { fin: 0 }), frame(9, text("abc")),
                frame(0, text("\"ping\"}")), frame(8, Buffer.from([3, 232]))]), 400);
            const frames = framesOf(answer);
            assert.equal(frames.find(([op]) => op === 10)[1].toString(), "abc");
            assert.ok(frames.some(([op, p]) => op === 1 && JSON.parse(p).type === "pong"));
            assert.equal(frames.find(([op]) => op === 8)[1].readUInt16BE(0), 1000);
        });

        it("random frames", async () => {
            for (let i = 0; i < 20; i++) {
                const answer = await raw(exchange,
                    Buffer.concat([Buffer.from(upgrade()), randomBytes(100)]), 150);
                assert.match(answer.toString("latin1"), /^HTTP\/1\.1 101/);
            }
        });
    });

    it("the exchange goes on, and nothing had to be started again", async () => {
        await get(exchange, "/time");
        const trader = await newTrader(exchange, { USDC: "100" });
        await trader.buy("1000", "0.01");
        await trader.cancelAll();
        const { processes } = await exchange.status();
        for (const p of processes) {
            assert.equal(p.restarts ?? 0, restarts.get(p.name) ?? 0, p.name);
            if (p.role !== "ops") assert.equal(p.state, "ready", p.name);
        }
    });
});
