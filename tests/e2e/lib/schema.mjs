// Every answer and every WebSocket message of these tests against schema/, the machine-readable
// protocol; and which documented operations were seen to succeed.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import Ajv from "ajv/dist/2020.js";

const read = (name) => JSON.parse(readFileSync(new URL(`../../../schema/${name}`, import.meta.url)));
const openapi = read("openapi.json");
const ajv = new Ajv({ strict: false, allErrors: false });
ajv.addSchema({ ...openapi, $id: "openapi.json" });
ajv.addSchema(read("websocket.json"));

// What the transport refuses before it knows the operation.
const TRANSPORT = [405, 408, 413, 414, 431, 501, 505];
const OPERATIONS = Object.entries(openapi.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
        name: `${method.toUpperCase()} ${path}`, method: method.toUpperCase(), operation, path,
        pattern: new RegExp(`^${path.replace(/[.]/g, "\\.").replace(/\{\w+\}/g, "[^/]+")}$`),
    })))
    .sort((a, b) => a.path.includes("{") - b.path.includes("{")); // the literal path first
const seen = new Set();

const pointer = (...parts) => "openapi.json#/" +
    parts.map((p) => encodeURIComponent(p.replace(/~/g, "~0").replace(/\//g, "~1"))).join("/");

function check(ref, value, what) {
    const valid = ajv.getSchema(ref);
    assert.ok(valid, `no schema ${ref}`);
    assert.ok(valid(value), `${what}: ${ajv.errorsText(valid.errors)} in ${JSON.stringify(value)}`);
}

// An answer {status, headers, text} is as documented.
export function conforms(method, target, { status, headers, text }) {
    const path = target.split("?")[0], what = `${method} ${target}: ${status}`;
    const problem = () => check(pointer("components", "schemas", "Problem"), JSON.parse(text), what);
    const found = OPERATIONS.find((o) => o.method === method && o.pattern.test(path));
    if (!found) return problem();
    let response = found.operation.responses[status];
    if (!response) {
        assert.ok(TRANSPORT.includes(status), `${what} is not documented`);
        return problem();
    }
    let at = ["paths", found.path, method.toLowerCase(), "responses", String(status)];
    if (response.$ref) {
        at = response.$ref.slice(2).split("/");
        response = openapi.components.responses[at.at(-1)];
    }
    const type = headers["content-type"]?.split(";")[0];
    assert.ok(type in response.content, `${what}: content-type ${type} is not documented`);
    const value = type === "application/json" ? JSON.parse(text) : text;
    check(pointer(...at, "content", type, "schema"), value, what);
    if (status === 200) seen.add(found.name);
}

export function conformsMessage(message) {
    check("websocket.json", message, "WebSocket");
}

// Documented operations that no test saw succeed.
export function unseen() {
    return OPERATIONS.map((o) => o.name).filter((name) => name !== "GET /ws" && !seen.has(name));
}
