#include "procs/lib/json.h"

#include "procs/lib/decimal.h"
#include "procs/lib/utf8.h"
#include "shm/err.h"

static void put_char(struct json_out *o, char c)
{
    json_put_raw(o, &c, 1);
}

/* A comma, when what stands before is a finished value. */
static void put_comma(struct json_out *o)
{
    if (o->len == 0) return;
    char last = o->at[o->len - 1];
    if (last != '{' && last != '[' && last != ':' && last != ',') put_char(o, ',');
}

void json_put_open(struct json_out *o, char bracket)
{
    put_comma(o);
    put_char(o, bracket);
}

void json_put_close(struct json_out *o, char bracket)
{
    put_char(o, bracket);
}

void json_put_key(struct json_out *o, const char *name)
{
    put_comma(o);
    put_char(o, '"');
    json_put_raw(o, name, strlen(name));
    json_put_raw(o, "\":", 2);
}

static void put_escape(struct json_out *o, unsigned char c)
{
    static const char HEX[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', HEX[c >> 4], HEX[c & 15]};
    json_put_raw(o, text, sizeof text);
}

void json_put_string(struct json_out *o, const char *text, size_t len)
{
    put_comma(o);
    put_char(o, '"');
    size_t from = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (LIKELY(c >= 0x20 && c != '"' && c != '\\' && c < 0x7f)) continue;
        size_t n = c >= 0x80 ? utf8_character(text + i, len - i) : 0;
        if (n) {
            i += n - 1;
            continue;
        }
        json_put_raw(o, text + from, i - from);
        if (c >= 0x80) json_put_raw(o, "\\ufffd", 6);
        else put_escape(o, c);
        from = i + 1;
    }
    json_put_raw(o, text + from, len - from);
    put_char(o, '"');
}

void json_put_cstring(struct json_out *o, const char *text)
{
    json_put_string(o, text, strlen(text));
}

/* Decimal digits of `value`, ending before text[20]; returns where they begin. */
static const char *digits(u64 value, char text[21])
{
    char *p = text + 20;
    do {
        *--p = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return p;
}

void json_put_u64(struct json_out *o, u64 value)
{
    char text[21];
    const char *p = digits(value, text);
    put_comma(o);
    json_put_raw(o, p, (size_t)(text + 20 - p));
}

void json_put_id(struct json_out *o, u64 value)
{
    char text[21];
    const char *p = digits(value, text);
    put_comma(o);
    put_char(o, '"');
    json_put_raw(o, p, (size_t)(text + 20 - p));
    put_char(o, '"');
}

void json_put_decimal(struct json_out *o, u128 value, unsigned scale)
{
    char text[DECIMAL_TEXT];
    size_t len = decimal_format(value, scale, text);
    put_comma(o);
    put_char(o, '"');
    json_put_raw(o, text, len);
    put_char(o, '"');
}

void json_put_signed(struct json_out *o, bool negative, u128 value, unsigned scale)
{
    char text[DECIMAL_TEXT + 1] = "-";
    size_t len = decimal_format(value, scale, text + 1);
    bool minus = negative && value;
    put_comma(o);
    put_char(o, '"');
    json_put_raw(o, text + !minus, len + minus);
    put_char(o, '"');
}

void json_put_bool(struct json_out *o, bool value)
{
    put_comma(o);
    json_put_raw(o, value ? "true" : "false", value ? 4 : 5);
}

void json_put_json(struct json_out *o, const char *text, size_t len)
{
    put_comma(o);
    json_put_raw(o, text, len);
}

/* --- Reading -----------------------------------------------------------------------------------*/

/* Nearly every body is objects of short ASCII texts and whole numbers. Those are read here, in a
 * sixth of the time of jansson's lexer; whatever else there is, wrong or right, is left to jansson,
 * which alone decides. */
struct plain {
    const char *at, *end;
};

static bool is_at(const struct plain *p, char c)
{
    return p->at < p->end && *p->at == c;
}

static void skip_blanks(struct plain *p)
{
    while (is_at(p, ' ') || is_at(p, '\n') || is_at(p, '\r') || is_at(p, '\t')) p->at++;
}

/* The character `c`, with blanks around it. */
static bool plain_mark(struct plain *p, char c)
{
    skip_blanks(p);
    if (!is_at(p, c)) return false;
    p->at++;
    skip_blanks(p);
    return true;
}

/* Printable ASCII between quotes, without escapes. */
static bool plain_text(struct plain *p, const char **text, size_t *len)
{
    if (!is_at(p, '"')) return false;
    const char *from = ++p->at;
    while (p->at < p->end && *p->at >= ' ' && *p->at < 0x7f && *p->at != '"' && *p->at != '\\')
        p->at++;
    if (!is_at(p, '"')) return false;
    *text = from;
    *len = (size_t)(p->at++ - from);
    return true;
}

/* A whole number of up to 18 digits; what follows decides whether that was all of it. */
static json_t *plain_number(struct plain *p)
{
    const char *from = p->at;
    json_int_t value = 0;
    while (p->at < p->end && *p->at >= '0' && *p->at <= '9' && p->at - from < 18)
        value = value * 10 + (*p->at++ - '0');
    size_t digits = (size_t)(p->at - from); /* none: there may be nothing to look at */
    bool padded = digits > 1 && *from == '0';
    return !digits || padded ? NULL : json_integer(value);
}

static json_t *plain_object(struct plain *p, u32 depth);

static json_t *plain_value(struct plain *p, u32 depth)
{
    const char *text;
    size_t len;
    if (is_at(p, '{')) return depth ? plain_object(p, depth - 1) : NULL;
    if (!is_at(p, '"')) return plain_number(p);
    return plain_text(p, &text, &len) ? json_stringn_nocheck(text, len) : NULL;
}

/* "key": value; false also when the object has that key. */
static bool plain_member(struct plain *p, json_t *object, u32 depth)
{
    const char *key;
    size_t len, before = json_object_size(object);
    if (!plain_text(p, &key, &len) || !plain_mark(p, ':')) return false;
    json_t *value = plain_value(p, depth);
    return value && !json_object_setn_new_nocheck(object, key, len, value) &&
           json_object_size(object) == before + 1;
}

static json_t *plain_object(struct plain *p, u32 depth)
{
    if (!plain_mark(p, '{')) return NULL;
    json_t *object = json_object();
    bool good = object != NULL;
    while (good) {
        good = plain_member(p, object, depth);
        if (!good || !plain_mark(p, ',')) break;
    }
    if (good && plain_mark(p, '}')) return object;
    json_decref(object);
    return NULL;
}

static json_t *read_plain(const char *text, size_t len)
{
    struct plain p = {text, text + len};
    json_t *object = plain_object(&p, 2);
    if (object && p.at == p.end) return object;
    json_decref(object);
    return NULL;
}

json_t *json_read_object(const char *text, size_t len)
{
    json_error_t error;
    json_t *plain = read_plain(text, len);
    if (plain) return plain;
    json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (!value) {
        err_set("not valid JSON at byte %d: %s", error.position, error.text);
        return NULL;
    }
    if (!json_is_object(value)) {
        json_decref(value);
        err_set("the body must be a JSON object, {...}");
        return NULL;
    }
    return value;
}
