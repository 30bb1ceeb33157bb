#include "procs/api/request.h"

#include <stdarg.h>

#include "procs/api/body.h"
#include "procs/lib/decimal.h"
#include "procs/lib/eth/hex.h"

int problem_set(struct problem *p, u16 code, const char *field, const char *limit, const char *fmt,
                ...)
{
    *p = (struct problem){.code = code, .field = field, .limit = limit};
    va_list args;
    va_start(args, fmt);
    vsnprintf(p->detail, sizeof p->detail, fmt, args);
    va_end(args);
    return -1;
}

enum method method_of(const char *name)
{
    if (!strcmp(name, "GET")) return METHOD_GET;
    if (!strcmp(name, "POST")) return METHOD_POST;
    if (!strcmp(name, "DELETE")) return METHOD_DELETE;
    return METHOD_OTHER;
}

/* Decode text[0..len) to `out`, at most as long; returns the length, or -1. */
static int decode(const char *text, size_t len, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '+') c = ' ';
        if (c == '%') {
            char hex[4] = {'0', 'x', 0, 0};
            u8 byte;
            if (len - i < 3) return -1;
            memcpy(hex + 2, text + i + 1, 2);
            if (!hex_parse(hex, 4, &byte, 1) || byte == 0) return -1;
            c = (char)byte;
            i += 2;
        }
        out[n++] = c;
    }
    return (int)n;
}

static int add_param(struct target *t, struct span piece, size_t *used, struct problem *p)
{
    const char *equals = memchr(piece.at, '=', piece.len);
    size_t name_len = equals ? (size_t)(equals - piece.at) : piece.len;
    size_t value_at = name_len + (equals ? 1 : 0);
    char *name = t->text + *used, *value;
    int n = decode(piece.at, name_len, name);
    if (n < 0) return problem_set(p, CODE_INVALID_PARAMS, "query", NULL, "bad percent-encoding");
    value = name + n;
    int v = decode(piece.at + value_at, piece.len - value_at, value);
    if (v < 0) return problem_set(p, CODE_INVALID_PARAMS, "query", NULL, "bad percent-encoding");
    for (u32 i = 0; i < t->count; i++)
        if (t->params[i].name.len == (size_t)n && !memcmp(t->params[i].name.at, name, (size_t)n))
            return problem_set(p, CODE_INVALID_PARAMS, "query", NULL, "a parameter is given twice");
    if (t->count == PARAMS_MAX)
        return problem_set(p, CODE_INVALID_PARAMS, "query", "24 parameters", "too many parameters");
    t->params[t->count++] = (struct param){{name, (size_t)n}, {value, (size_t)v}};
    *used += (size_t)n + (size_t)v;
    return 0;
}

int target_read(struct target *t, const char *text, size_t len, struct problem *p)
{
    CHECK(len < TARGET_MAX);
    t->count = 0;
    const char *query = memchr(text, '?', len), *end = text + len;
    t->path = (struct span){text, query ? (size_t)(query - text) : len};
    size_t used = 0;
    for (const char *at = query ? query + 1 : end; at < end;) {
        const char *next = memchr(at, '&', (size_t)(end - at));
        if (!next) next = end;
        if (next > at && add_param(t, (struct span){at, (size_t)(next - at)}, &used, p)) return -1;
        at = next + 1;
    }
    return 0;
}

bool target_param(const struct target *t, const char *name, struct span *value)
{
    for (u32 i = 0; i < t->count; i++)
        if (span_is(t->params[i].name, name)) {
            *value = t->params[i].value;
            return true;
        }
    return false;
}

bool path_matches(struct span path, const char *pattern, struct span args[PATH_ARGS])
{
    const char *at = path.at, *end = path.at + path.len;
    size_t n = 0;
    for (; *pattern; pattern++) {
        if (*pattern != '{') {
            if (at == end || *at++ != *pattern) return false;
            continue;
        }
        const char *slash = memchr(at, '/', (size_t)(end - at));
        if (!slash) slash = end;
        if (slash == at || n == PATH_ARGS) return false;
        args[n++] = (struct span){at, (size_t)(slash - at)};
        at = slash;
        pattern++; /* the closing brace */
    }
    return at == end;
}

int param_number(const struct target *t, const char *name, u64 least, u64 most, const char *limit,
                 u64 *value, struct problem *p)
{
    struct span text;
    u64 number;
    if (!target_param(t, name, &text)) return 0;
    if (decimal_parse_u64(text.at, text.len, &number) != DECIMAL_OK || number < least ||
        number > most)
        return problem_set(p, CODE_INVALID_PARAMS, name, limit, "%s must be a whole number, %s",
                           name, limit);
    *value = number;
    return 0;
}

int param_paging(const struct target *t, struct paging *paging, struct problem *p)
{
    *paging = (struct paging){1, 20};
    if (param_number(t, "page", 1, 1UL << 32, "from 1", &paging->page, p)) return -1;
    return param_number(t, "page_size", 1, 100, "1 to 100", &paging->page_size, p);
}

/* The three parts of the header. */
static int credentials_fill(struct credentials *c, struct span wallet, struct span timestamp,
                            struct span signature, struct problem *p)
{
    if (!hex_parse(wallet.at, wallet.len, c->wallet, WALLET_BYTES))
        return problem_set(p, CODE_INVALID_WALLET, "wallet", "0x and 40 hex digits",
                           "the wallet is not an address");
    if (decimal_parse_u64(timestamp.at, timestamp.len, &c->timestamp_ms) != DECIMAL_OK)
        return problem_set(p, CODE_INVALID_TIMESTAMP, "timestamp", "Unix milliseconds",
                           "the timestamp is not a whole number");
    if (!hex_parse(signature.at, signature.len, c->signature, SIGNATURE_BYTES))
        return problem_set(p, CODE_INVALID_AUTH_FORMAT, "signature", "0x and 130 hex digits",
                           "the signature must be 65 bytes r, s, v in hex");
    return 0;
}

int credentials_read(struct credentials *c, const char *text, struct problem *p)
{
    static const char SCHEME[] = "EIP712 ";
    static const char FORM[] = "EIP712 {wallet}:{timestamp_ms}:{signature}";
    if (!text)
        return problem_set(p, CODE_MISSING_AUTH_HEADER, "Authorization", FORM,
                           "send the header Authorization: %s", FORM);
    if (strncmp(text, SCHEME, sizeof SCHEME - 1) != 0)
        return problem_set(p, CODE_INVALID_AUTH_FORMAT, "Authorization", FORM,
                           "the scheme is not EIP712");
    const char *wallet = text + sizeof SCHEME - 1;
    const char *first = strchr(wallet, ':');
    const char *second = first ? strchr(first + 1, ':') : NULL;
    if (!second || strchr(second + 1, ':'))
        return problem_set(p, CODE_INVALID_AUTH_FORMAT, "Authorization", FORM,
                           "three parts separated by colons are expected");
    return credentials_fill(c, (struct span){wallet, (size_t)(first - wallet)},
                            (struct span){first + 1, (size_t)(second - first - 1)},
                            (struct span){second + 1, strlen(second + 1)}, p);
}

int credentials_from_json(struct credentials *c, json_t *fields, struct problem *p)
{
    struct span wallet, signature;
    if (body_text(fields, "wallet", &wallet, p) || body_text(fields, "signature", &signature, p))
        return -1;
    if (body_time(fields, "timestamp", &c->timestamp_ms, p)) {
        if (p->code == CODE_INVALID_PARAMS && json_object_get(fields, "timestamp"))
            p->code = CODE_INVALID_TIMESTAMP;
        return -1;
    }
    if (!hex_parse(wallet.at, wallet.len, c->wallet, WALLET_BYTES))
        return problem_set(p, CODE_INVALID_WALLET, "wallet", "0x and 40 hex digits",
                           "the wallet is not an address");
    if (!hex_parse(signature.at, signature.len, c->signature, SIGNATURE_BYTES))
        return problem_set(p, CODE_INVALID_AUTH_FORMAT, "signature", "0x and 130 hex digits",
                           "the signature must be 65 bytes r, s, v in hex");
    return 0;
}

int credentials_in_time(const struct credentials *c, u64 now_ms, struct problem *p)
{
    if (c->timestamp_ms > now_ms && c->timestamp_ms - now_ms > AUTH_WINDOW)
        return problem_set(p, CODE_INVALID_TIMESTAMP, "timestamp", "300 s around now",
                           "the timestamp lies ahead; server time is %lu", now_ms);
    if (c->timestamp_ms < now_ms && now_ms - c->timestamp_ms > AUTH_WINDOW)
        return problem_set(p, CODE_SIGNATURE_EXPIRED, "timestamp", "300 s around now",
                           "the timestamp is too old; server time is %lu", now_ms);
    return 0;
}
