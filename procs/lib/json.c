#include "procs/lib/json.h"

#include "procs/lib/decimal.h"
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
        if (LIKELY(c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)) continue;
        json_put_raw(o, text + from, i - from);
        put_escape(o, c);
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

json_t *json_read_object(const char *text, size_t len)
{
    json_error_t error;
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
