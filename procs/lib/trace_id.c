#include "procs/lib/trace_id.h"

#include "shm/region.h"

static int digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* 32 hex digits, with dashes where a UUID has them, or none. */
static bool read_hex(const char *text, size_t length, struct trace_id *id)
{
    u32 n = 0;
    *id = (struct trace_id){0};
    if (length != 32 && length != 36) return false;
    for (size_t i = 0; i < length; i++) {
        if (length == 36 && (i == 8 || i == 13 || i == 18 || i == 23)) {
            if (text[i] != '-') return false;
            continue;
        }
        int value = digit(text[i]);
        if (value < 0) return false;
        u64 *half = n++ < 16 ? &id->high : &id->low;
        *half = *half << 4 | (u64)value;
    }
    return id->high || id->low;
}

bool trace_id_of_parent(const char *text, size_t length, struct trace_id *id)
{
    /* version 00: 2-32-16-2; later versions may be longer, ff is none */
    if (length < 55 || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
    if (digit(text[0]) < 0 || digit(text[1]) < 0) return false;
    if (digit(text[0]) == 15 && digit(text[1]) == 15) return false;
    bool version0 = text[0] == '0' && text[1] == '0';
    if (length > 55 && (version0 || text[55] != '-')) return false;
    return read_hex(text + 3, 32, id);
}

struct trace_id trace_id_of(const char *text, size_t length)
{
    struct trace_id id;
    if (read_hex(text, length, &id)) return id;
    id.high = region_hash(text, length);
    id.low = region_hash(&id.high, sizeof id.high) ^ length;
    return id;
}

void trace_id_format(struct trace_id id, char text[static TRACE_ID_TEXT])
{
    snprintf(text, TRACE_ID_TEXT, "%016lx%016lx", id.high, id.low);
}
