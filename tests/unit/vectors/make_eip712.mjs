// Makes eip712.h: what ethers v6 hashes and signs for the types in schema/eip712, as C data.
//
//   mkdir /tmp/vectors && cd /tmp/vectors && npm install ethers@6
//   node <tree>/tests/unit/vectors/make_eip712.mjs > <tree>/tests/unit/vectors/eip712.h
//
// ethers comes from the current folder, the types from the tree. The output depends on nothing else.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { ethers } = createRequire(process.cwd() + "/")("ethers");
const schema = (name) =>
    JSON.parse(readFileSync(new URL(`../../../schema/eip712/${name}.json`, import.meta.url)));

const U64_MAX = 2n ** 64n - 1n, U128_MAX = 2n ** 128n - 1n;
const ORDER_N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const WAD = 10n ** 18n;

// --- Inputs: edges first, then ordinary values --------------------------------------------------

const keys = [1n, ORDER_N - 1n, ...[1, 2].map((i) => BigInt(ethers.id(`eidos vector key ${i}`)))];
const wallets = keys.map((k) => new ethers.Wallet(ethers.toBeHex(k, 32)));

const domainBase = schema("domain").domain;
const domains = [
    { ...domainBase, chainId: 31337n, verifyingContract: ethers.ZeroAddress },
    { ...domainBase, chainId: 421614n, verifyingContract: "0x" + "ff".repeat(20) },
    { ...domainBase, chainId: 42161n, verifyingContract: wallets[2].address },
    { ...domainBase, chainId: U64_MAX, verifyingContract: wallets[0].address },
];

const order = { market: "BTC-USDC", side: 0, orderType: 0, price: 50000n * WAD + WAD / 4n,
                amount: WAD / 8n, nonce: 1n, expiry: 0n };
const orderV2 = { ...order, timeInForce: 0, quoteAmount: 0n, stp: 0, slippageBps: 0,
                  clientOrderId: "" };
const withdraw = { token: "USDC", amount: 250n * WAD, toAddress: wallets[1].address, nonce: 3n };
const request = { method: "GET", path: "/api/v1/balances", timestamp: 1767225600000n };

const cases = [
    ["order", order, [
        {}, { side: 1 }, { orderType: 1, price: 0n }, { market: "" },
        { price: U128_MAX, amount: U128_MAX, nonce: U64_MAX, expiry: U64_MAX },
        { price: 0n, amount: 0n, nonce: 0n }, { price: 1n, amount: 1n },
        { price: 2n ** 64n, amount: 2n ** 64n - 1n }, { side: 255, orderType: 255 },
        { market: "ETH-USDC", nonce: 1767225600123n, expiry: 1767229200n },
    ]],
    ["order_v2", orderV2, [
        {}, { clientOrderId: "a" }, { clientOrderId: "grid-7/\u00fc\u4ef7\u683c\u{1f680}" },
        { clientOrderId: "x".repeat(135) }, { clientOrderId: "y".repeat(136) },
        { clientOrderId: "z".repeat(137) }, { clientOrderId: 'quote " back \\ tab \t' },
        { side: 1, timeInForce: 3, stp: 3, slippageBps: 65535 },
        { orderType: 1, timeInForce: 1, price: 0n, amount: 0n, quoteAmount: 1000n * WAD,
          slippageBps: 100 },
        { price: U128_MAX, amount: U128_MAX, quoteAmount: U128_MAX, nonce: U64_MAX,
          expiry: U64_MAX, timeInForce: 255, stp: 255 },
    ]],
    ["cancel", { orderId: "1234567890123456789", nonce: 2n }, [
        {}, { orderId: "" }, { orderId: "18446744073709551615", nonce: U64_MAX }, { nonce: 0n },
    ]],
    ["withdraw", withdraw, [
        {}, { toAddress: wallets[1].address.toLowerCase() }, { token: "", toAddress: "" },
        { amount: U128_MAX, nonce: U64_MAX }, { amount: 1n, nonce: 0n },
    ]],
    ["request", request, [
        {}, { method: "WS", path: "/ws" }, { method: "DELETE", path: "/api/v1/orders/42" },
        { method: "POST", path: "/api/v1/" + "p".repeat(200), timestamp: U64_MAX },
        { method: "", path: "", timestamp: 0n },
    ]],
];

const personal = [
    "", "a", "\u4f60\u597d", "nine char", "ten chars!", "h".repeat(99), "h".repeat(100),
    `Eidos Exchange WebSocket Authentication\nWallet: ${wallets[2].address}\nTimestamp: 1767225600000`,
];
const keccakLengths = [0, 1, 2, 31, 32, 64, 134, 135, 136, 137, 271, 272, 273, 408, 1000];

// --- C text -------------------------------------------------------------------------------------

const cBytes = (hex) => {
    const all = ethers.getBytes(hex), lines = [];
    for (let i = 0; i < all.length; i += 22)
        lines.push('"' + [...all.slice(i, i + 22)].map((b) =>
            "\\x" + b.toString(16).padStart(2, "0")).join("") + '"');
    return lines.join("\n        ");
};
const cText = (s) => '"' + [...Buffer.from(s)].map((b) =>
    b >= 32 && b < 127 && b !== 34 && b !== 92 ? String.fromCharCode(b)
        : "\\" + b.toString(8).padStart(3, "0")).join("") + '"';
const cNumber = (n) => {
    n = BigInt(n);
    return n <= U64_MAX ? `${n}${n > 65535n ? "UL" : ""}`
        : `WIDE(0x${(n >> 64n).toString(16)}UL, 0x${(n & U64_MAX).toString(16)}UL)`;
};

const UNITS = { price: "price_wad", amount: "amount_wad", quoteAmount: "quote_amount_wad",
                expiry: "expiry_s", timestamp: "timestamp_ms" };
const member = (name) => UNITS[name] ?? name.replace(/[A-Z]/g, (c) => "_" + c.toLowerCase());
const cMember = ({ name, type }, value) => {
    const m = member(name);
    if (type === "address") return `.${m} = ${cBytes(value)}`;
    if (type !== "string") return `.${m} = ${cNumber(value)}`;
    return `.${m} = ${cText(value)}, .${m}_len = ${Buffer.byteLength(value)}`;
};

const out = [];
out.push(`/* Generated by make_eip712.mjs with ethers ${ethers.version}: do not edit.
 *
 * What an independent implementation hashes and signs for the types in schema/eip712.
 * Include after procs/lib/eth/eip712.h. */
#define WIDE(high, low) ((u128)(high) << 64 | (low))

static const struct {
    u8 key[32];
    u8 pubkey[64];
    u8 address[20];
    const char *checksummed;
} KEY_VECTORS[] = {`);
for (const w of wallets)
    out.push(`    {${cBytes(w.privateKey)},
        ${cBytes("0x" + w.signingKey.publicKey.slice(4))},
        ${cBytes(w.address)},
        "${w.address}"},`);

out.push(`};

static const struct {
    u64 chain_id;
    u8 contract[20];
    u8 separator[32];
} DOMAIN_VECTORS[] = {`);
for (const d of domains)
    out.push(`    {${cNumber(d.chainId)}, ${cBytes(d.verifyingContract)},
        ${cBytes(ethers.TypedDataEncoder.hashDomain(d))}},`);

out.push(`};

static const char *const TYPE_STRING_VECTORS[EIP712_TYPES] = {`);
for (const [name] of cases) {
    const { primaryType, types } = schema(name);
    const text = new ethers.TypedDataEncoder(types).encodeType(primaryType);
    out.push(`    [EIP712_${name.toUpperCase()}] =\n        "${text.replace(/(.{60,80}?,)/g, '$1"\n        "')}",`);
}

out.push(`};

struct message_vector {
    const void *message;
    enum eip712_type type;
    unsigned domain, key; /* indexes into the tables above */
    u8 struct_hash[32];
    u8 digest[32];
    u8 signature[65];
};

static const struct message_vector MESSAGE_VECTORS[] = {`);
let turn = 0;
for (const [name, base, changes] of cases) {
    const { primaryType, types } = schema(name);
    for (const change of changes) {
        const key = turn % keys.length, domain = (turn >> 1) % domains.length;
        turn++;
        const wallet = wallets[key];
        const message = { ...base, ...change };
        if (name !== "request") message.wallet = wallet.address;
        const encoder = new ethers.TypedDataEncoder(types);
        const digest = ethers.TypedDataEncoder.hash(domains[domain], types, message);
        out.push(`    {&(const struct eip712_${name}){
      ${types[primaryType].map((f) => cMember(f, message[f.name])).join(",\n      ")}},
     EIP712_${name.toUpperCase()}, ${domain}, ${key},
        ${cBytes(encoder.hashStruct(primaryType, message))},
        ${cBytes(digest)},
        ${cBytes(await wallet.signTypedData(domains[domain], types, message))}},`);
    }
}

out.push(`};

static const struct {
    const char *text;
    size_t len;
    u8 digest[32];
    u8 signature[65]; /* by key 2 */
} PERSONAL_VECTORS[] = {`);
for (const text of personal)
    out.push(`    {${cText(text)}, ${Buffer.byteLength(text)},
        ${cBytes(ethers.hashMessage(text))},
        ${cBytes(await wallets[2].signMessage(text))}},`);

out.push(`};

/* Keccak-256 of \`len\` bytes whose i-th is 7 x i + 3, modulo 256. */
static const struct {
    size_t len;
    u8 digest[32];
} KECCAK_VECTORS[] = {`);
for (const len of keccakLengths)
    out.push(`    {${len}, ${cBytes(ethers.keccak256(Uint8Array.from({ length: len }, (_, i) => 7 * i + 3)))}},`);
out.push("};");
console.log(out.join("\n"));
