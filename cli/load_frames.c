/* load_frames.c: what a pushed frame says, as far as measuring needs it. Thousands of connections
 * get the same bytes, so what was read of a frame is kept with it and found again by comparing. */
#include <string.h>

#include "cli/load.h"

#define KEPT_FRAMES  512U  /* a power of two */
#define KEPT_BYTES   1536U /* longer ones are read each time */
#define ENVELOPE_MAX 128U  /* what stands behind the data */
#define DATA_END_MAX 64U   /* of the data: its time, and the envelope's name for it */
#define TAIL         32U   /* bytes that tell frames apart: time and sequence stand at the end */

struct kept {
    u32 len;
    struct frame frame;
    char text[KEPT_BYTES];
};

/* What follows `name` in text[0..len), or NULL. */
static const char *after(const char *text, size_t len, const char *name)
{
    size_t n = strlen(name);
    const char *at = memmem(text, len, name, n);
    return at ? at + n : NULL;
}

static u64 number_after(const char *text, size_t len, const char *name)
{
    const char *at = after(text, len, name);
    u64 n = 0;
    for (; at && at < text + len && *at >= '0' && *at <= '9'; at++) n = n * 10 + (u64)(*at - '0');
    return n;
}

static bool starts(const char *at, const char *end, const char *word)
{
    size_t n = strlen(word);
    return at && (size_t)(end - at) >= n && memcmp(at, word, n) == 0;
}

static u8 type_of(const char *type, const char *end)
{
    static const struct {
        const char *word;
        u8 type;
    } types[] = {{"update\"", FRAME_UPDATE},
                 {"snapshot\"", FRAME_SNAPSHOT},
                 {"subscribed\"", FRAME_SUBSCRIBED},
                 {"auth\"", FRAME_AUTH},
                 {"error\"", FRAME_ERROR}};
    for (u32 i = 0; i < COUNT_OF(types); i++)
        if (starts(type, end, types[i].word)) return types[i].type;
    return FRAME_OTHER;
}

static u32 market_of(const struct load *l, const char *symbol, const char *end)
{
    for (u32 i = 0; symbol && i < l->market_count; i++) {
        size_t n = strlen(l->markets[i].symbol);
        if (starts(symbol, end, l->markets[i].symbol) && symbol + n < end && symbol[n] == '"')
            return i;
    }
    return LOAD_MARKETS_MAX;
}

/* The end of text[0..len), of at most `most` bytes. */
static const char *last_part(const char *text, size_t len, size_t most)
{
    return text + (len > most ? len - most : 0);
}

/* {"type":..,"channel":..,"data":{..,"timestamp":T},"timestamp":..,"sequence":S,"prev_sequence":P}:
 * what happened when stands in the data, mostly at its end; when it was sent, and its sequence,
 * behind them. */
static void read_fields(const struct load *l, const char *text, u32 len, struct frame *f)
{
    const char *end = text + len, *data = after(text, len, "\"data\":");
    const char *channel = after(text, len, "\"channel\":\"");
    *f = (struct frame){.type = type_of(after(text, len, "\"type\":\""), end),
                        .kind = SUB_KINDS,
                        .market = LOAD_MARKETS_MAX};
    if (!channel || !data || (f->type != FRAME_UPDATE && f->type != FRAME_SNAPSHOT)) return;
    if (starts(channel, end, "ticker")) f->kind = SUB_TICKER;
    if (starts(channel, end, "depth.")) f->kind = SUB_DEPTH;
    if (starts(channel, end, "orders")) f->kind = SUB_ORDERS;
    if (f->kind == SUB_DEPTH)
        f->market = market_of(l, after(data, (size_t)(end - data), "\"market\":\""), end);
    const char *from = last_part(data, (size_t)(end - data), ENVELOPE_MAX);
    const char *tail = after(from, (size_t)(end - from), "},\"timestamp\":");
    if (!tail) return;
    f->sequence = number_after(tail, (size_t)(end - tail), "\"sequence\":");
    f->previous = number_after(tail, (size_t)(end - tail), "\"prev_sequence\":");
    const char *when = f->kind == SUB_ORDERS ? "\"updated_at\":" : "\"timestamp\":";
    from = f->kind == SUB_ORDERS ? data : last_part(data, (size_t)(tail - data), DATA_END_MAX);
    f->event_ns = number_after(from, (size_t)(tail - from), when) * 1000000;
}

const struct frame *frame_read(const struct load *l, const char *text, u32 len)
{
    static struct kept kept[KEPT_FRAMES];
    static struct frame once;
    u64 a = 0, b = 0;
    if (len < TAIL || len > KEPT_BYTES) {
        read_fields(l, text, len, &once);
        return &once;
    }
    memcpy(&a, text + len - 10, sizeof a);
    memcpy(&b, text + len - TAIL, sizeof b);
    u64 hash = (a ^ b * 0x9e3779b97f4a7c15UL ^ len) * 0xbf58476d1ce4e5b9UL;
    struct kept *k = &kept[hash >> 55];
    if (k->len == len && memcmp(k->text, text, len) == 0) return &k->frame;
    memcpy(k->text, text, len);
    k->len = len;
    read_fields(l, text, len, &k->frame);
    return &k->frame;
}
