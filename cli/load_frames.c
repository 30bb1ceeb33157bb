/* load_frames.c: what a pushed frame says, as far as measuring needs it. A million of them come in
 * a second, so they are read from their ends, where the numbers stand:
 *
 *   {"type":"update","channel":..,"data":{"market":M,..,"timestamp":T},
 *    "timestamp":..,"sequence":S,"prev_sequence":P}
 *
 * T is when what happened did, S and P number the channel. Frames of other shapes say less. */
#include <string.h>

#include "cli/load.h"

#define HEAD_MAX 160U /* bytes within which a frame says type, channel and market */

/* What follows `name` in text[0..len), or NULL. */
static const char *after(const char *text, size_t len, const char *name)
{
    size_t n = strlen(name);
    const char *at = memmem(text, len, name, n);
    return at ? at + n : NULL;
}

/* Text that is read backwards: text[0..len). */
struct back {
    const char *text;
    size_t len;
};

static bool back_over(struct back *b, const char *word, size_t n)
{
    if (b->len < n || memcmp(b->text + b->len - n, word, n) != 0) return false;
    b->len -= n;
    return true;
}

/* `"name":number` at the end, and the comma before it. False, and nothing moved, when it is not. */
static bool back_number(struct back *b, const char *name, size_t n, u64 *number)
{
    struct back at = *b;
    u64 value = 0, unit = 1;
    while (at.len && at.text[at.len - 1] >= '0' && at.text[at.len - 1] <= '9' && unit < 1UL << 60) {
        value += unit * (u64)(at.text[--at.len] - '0');
        unit *= 10;
    }
    if (unit == 1 || !back_over(&at, name, n)) return false;
    back_over(&at, ",", 1);
    *number = value;
    *b = at;
    return true;
}

#define BACK_NUMBER(b, name, number) back_number(b, name, sizeof name - 1, number)

static u8 type_of(const char *text, u32 len)
{
    static const struct {
        const char *word;
        u8 type;
    } types[] = {{"update\"", FRAME_UPDATE},
                 {"snapshot\"", FRAME_SNAPSHOT},
                 {"subscribed\"", FRAME_SUBSCRIBED},
                 {"auth\"", FRAME_AUTH},
                 {"error\"", FRAME_ERROR}};
    static const char USUAL[] = "{\"type\":\"update\"";
    if (LIKELY(len >= sizeof USUAL && memcmp(text, USUAL, sizeof USUAL - 1) == 0))
        return FRAME_UPDATE;
    const char *type = after(text, min_u64(len, HEAD_MAX), "\"type\":\"");
    for (u32 i = 0; type && i < COUNT_OF(types); i++)
        if (strncmp(type, types[i].word, strlen(types[i].word)) == 0) return types[i].type;
    return FRAME_OTHER;
}

static u32 market_of(const struct load *l, const char *text, u32 len)
{
    const char *symbol = after(text, min_u64(len, HEAD_MAX), "\"market\":\"");
    for (u32 i = 0; symbol && i < l->market_count; i++) {
        size_t n = strlen(l->markets[i].symbol);
        if (strncmp(symbol, l->markets[i].symbol, n) == 0 && symbol[n] == '"') return i;
    }
    return LOAD_MARKETS_MAX;
}

/* The order of a wallet's own channel says somewhere within when it changed. */
static u64 updated_ms(const char *text, u32 len)
{
    const char *at = after(text, len, "\"updated_at\":");
    return at ? strtoul(at, NULL, 10) : 0;
}

void frame_read(const struct load *l, const char *text, u32 len, enum sub_kind kind,
                struct frame *f)
{
    struct back b = {text, len};
    u64 sent_ms, event_ms = 0;
    *f = (struct frame){.type = type_of(text, len), .market = LOAD_MARKETS_MAX};
    if (f->type != FRAME_UPDATE && f->type != FRAME_SNAPSHOT) return;
    if (kind == SUB_DEPTH) f->market = market_of(l, text, len);
    back_over(&b, "}", 1);
    BACK_NUMBER(&b, "\"prev_sequence\":", &f->previous);
    BACK_NUMBER(&b, "\"sequence\":", &f->sequence);
    if (!BACK_NUMBER(&b, "\"timestamp\":", &sent_ms)) return;
    back_over(&b, "}", 1);
    if (kind == SUB_ORDERS) event_ms = updated_ms(text, len);
    else if (!BACK_NUMBER(&b, "\"timestamp\":", &event_ms)) return;
    f->event_ns = event_ms * 1000000;
}
