/* json.h: JSON text, written into memory of a fixed size and read strictly.
 *
 *   struct json_out out;                       {"id":"7","bids":[["1.5","2"]]}
 *   json_out_init(&out, memory, size);
 *   json_put_open(&out, '{');
 *   json_put_key(&out, "id"), json_put_id(&out, 7);
 *   json_put_key(&out, "bids"), json_put_open(&out, '['); ...
 *
 * Commas come by themselves: a value or key that follows a finished value gets one. What does not
 * fit is cut and `full` is set; the caller looks once, at the end. Nothing is allocated.
 * Reading is jansson's, with duplicate keys and anything behind the value refused.
 */
#ifndef EIDOS_PROCS_LIB_JSON_H
#define EIDOS_PROCS_LIB_JSON_H

#include <jansson.h>
#include <string.h>

#include "shm/base.h"

struct json_out {
    char *at;
    size_t len, max;
    bool full; /* something was cut: the text is not valid JSON */
};

static inline void json_out_init(struct json_out *o, char *memory, size_t max)
{
    *o = (struct json_out){.at = memory, .max = max};
}

/* Bytes as they are, without a comma. */
static inline void json_put_raw(struct json_out *o, const char *text, size_t len)
{
    if (UNLIKELY(len > o->max - o->len)) {
        o->full = true;
        return;
    }
    memcpy(o->at + o->len, text, len);
    o->len += len;
}

/* '{' or '[', and their ends. */
void json_put_open(struct json_out *o, char bracket);
void json_put_close(struct json_out *o, char bracket);

/* A key; `name` is plain ASCII that needs no escapes. */
void json_put_key(struct json_out *o, const char *name);

/* A string, escaped. `text` is UTF-8 of `len` bytes; a byte that is not, as where somebody's words
 * were cut for an error message, becomes U+FFFD. */
void json_put_string(struct json_out *o, const char *text, size_t len);
void json_put_cstring(struct json_out *o, const char *text);

/* A number, and a number as a string (ids, nonces). */
void json_put_u64(struct json_out *o, u64 value);
void json_put_id(struct json_out *o, u64 value);

/* value / 10^scale as a decimal string, shortest form; scale in [0, 18]. */
void json_put_decimal(struct json_out *o, u128 value, unsigned scale);

/* The same below zero where `negative`; zero has no sign. */
void json_put_signed(struct json_out *o, bool negative, u128 value, unsigned scale);

void json_put_bool(struct json_out *o, bool value);

/* A value that is JSON already. */
void json_put_json(struct json_out *o, const char *text, size_t len);

/* text[0..len) as one JSON object, or NULL with err_set; free it with json_decref. Refuses anything
 * but an object, duplicate keys, NUL characters, bad UTF-8 and what follows the object. */
json_t *json_read_object(const char *text, size_t len);

#endif
