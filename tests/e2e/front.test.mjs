// The front door with TLS, as browsers and other programs meet it: certificates and their change,
// protocol floor, origins.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { renameSync, writeFileSync } from "node:fs";
import https from "node:https";
import net from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import tls from "node:tls";
import WebSocket from "ws";
import { Exchange } from "./lib/exchange.mjs";

const PAGE = "https://trade.example.com";
const exchange = new Exchange();
const file = (name) => join(exchange.dir, name);

function makeCertificate(name, to) {
    execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-days", "2", "-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1",
        "-keyout", file(`${to}.key.new`), "-out", file(`${to}.pem.new`)], { stdio: "pipe" });
    renameSync(file(`${to}.key.new`), file(`${to}.key`));
    renameSync(file(`${to}.pem.new`), file(`${to}.pem`));
}

const ask = (path, { agent, method = "GET", headers = {} } = {}) => new Promise((resolve, reject) => {
    const r = https.request({ host: exchange.host, port: exchange.port, path, method, headers, agent,
        rejectUnauthorized: false }, (answer) => {
        let body = "";
        answer.on("data", (part) => (body += part));
        answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, body,
            reused: r.reusedSocket }));
    });
    r.on("error", reject);
    r.end();
});

const handshake = (options) => new Promise((resolve, reject) => {
    const s = tls.connect({ host: exchange.host, port: exchange.port, rejectUnauthorized: false,
        ...options }, () => {
        resolve({ name: s.getPeerCertificate().subject.CN, protocol: s.getProtocol(),
            alpn: s.alpnProtocol, cipher: s.getCipher().standardName });
        s.destroy();
    });
    s.on("error", reject);
});

const socket = (options) => new Promise((resolve, reject) => {
    const ws = new WebSocket(`wss://${exchange.host}:${exchange.port}/ws`,
        { rejectUnauthorized: false, ...options });
    ws.once("message", () => resolve(ws));
    ws.on("unexpected-response", (_, answer) => reject(new Error(`status ${answer.statusCode}`)));
    ws.on("error", reject);
});

const pong = (ws) => new Promise((resolve) => {
    ws.on("message", (text) => JSON.parse(text).type === "pong" && resolve());
    ws.send(JSON.stringify({ type: "ping" }));
});

async function until(what) {
    for (let i = 0; i < 100; i++) {
        if (await what()) return;
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.fail(`never: ${what}`);
}

describe("the front door", () => {
    before(async () => {
        makeCertificate("first", "tls");
        await exchange.start("api.workers=2", `api.tls_certificate=${file("tls.pem")}`,
            `api.tls_key=${file("tls.key")}`, `api.allowed_origins=${PAGE},https://b.example`);
    });
    after(async () => {
        await exchange.stop().finally(() => exchange.remove());
    });

    it("speaks TLS 1.2 and 1.3, HTTP/1.1 and nothing else", async () => {
        for (const protocol of ["TLSv1.2", "TLSv1.3"]) {
            const s = await handshake({ minVersion: protocol, maxVersion: protocol,
                ALPNProtocols: ["h2", "http/1.1"] });
            assert.deepEqual([s.name, s.protocol, s.alpn], ["first", protocol, "http/1.1"]);
            assert.match(s.cipher, /GCM|CHACHA20/);
        }
        await assert.rejects(handshake({ minVersion: "TLSv1", maxVersion: "TLSv1.1",
            ciphers: "DEFAULT@SECLEVEL=0" }));
        await assert.rejects(handshake({ ALPNProtocols: ["h2"] }));
        await assert.rejects(handshake({ maxVersion: "TLSv1.2", ciphers: "AES128-SHA" }));
    });

    it("answers over https, the longest answers too", async () => {
        const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
        for (const path of ["/api/v1/time", "/metrics", "/api/v1/markets"]) {
            const a = await ask(path, { agent });
            assert.equal(a.status, 200);
            assert.equal(Buffer.byteLength(a.body), Number(a.headers["content-length"]));
        }
        agent.destroy();
    });

    it("ends plain connections", async () => {
        const s = net.connect(exchange.port, exchange.host, () =>
            s.write("GET /api/v1/time HTTP/1.1\r\nHost: x\r\n\r\n"));
        const got = await new Promise((resolve) => {
            let bytes = Buffer.alloc(0);
            s.on("data", (part) => (bytes = Buffer.concat([bytes, part])));
            s.on("close", () => resolve(bytes));
            s.on("error", () => {});
        });
        assert.ok(!got.toString("latin1").includes("HTTP/1.1"));
    });

    it("takes a new certificate and drops nobody", async () => {
        const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
        await ask("/api/v1/time", { agent });
        const ws = await socket();
        makeCertificate("second", "tls");
        await until(async () => {
            for (let i = 0; i < 8; i++) if ((await handshake()).name !== "second") return false;
            return true;
        });
        assert.equal((await ask("/api/v1/time", { agent })).reused, true);
        await pong(ws);
        ws.close();
        agent.destroy();
    });

    it("keeps its certificate when the new one is broken", async () => {
        writeFileSync(file("tls.pem"), "-----BEGIN CERTIFICATE-----\nxx\n");
        await new Promise((resolve) => setTimeout(resolve, 2500));
        assert.equal((await handshake()).name, "second");
    });

    it("tells browsers which pages may ask", async () => {
        const preflight = { method: "OPTIONS", headers: { Origin: PAGE,
            "Access-Control-Request-Method": "DELETE" } };
        const allowed = await ask("/api/v1/orders", preflight);
        assert.equal(allowed.status, 200);
        assert.equal(allowed.headers["access-control-allow-origin"], PAGE);
        assert.match(allowed.headers["access-control-allow-methods"], /DELETE/);
        assert.match(allowed.headers["access-control-allow-headers"], /Authorization/);
        const plain = await ask("/api/v1/time", { headers: { Origin: PAGE } });
        assert.equal(plain.headers["access-control-allow-origin"], PAGE);
        assert.match(plain.headers["access-control-expose-headers"], /X-RateLimit-Remaining/);
        assert.equal(plain.headers.vary, "Origin");
        for (const origin of ["https://evil.example", "https://trade.example.com.evil.example",
            "null", "http://trade.example.com"]) {
            const a = await ask("/api/v1/time", { headers: { Origin: origin } });
            assert.equal(a.headers["access-control-allow-origin"], undefined);
        }
    });

    it("lets no other page open a WebSocket", async () => {
        for (const origin of [PAGE, "https://b.example", `https://127.0.0.1:${exchange.port}`])
            (await socket({ origin })).close();
        await assert.rejects(socket({ origin: "https://evil.example" }), /status 403/);
    });
});
