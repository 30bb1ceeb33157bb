#include "tests/lib/damage_inside.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/crc32c.h"

#define BATCH_KIND 0xb47c

/* --- Files -------------------------------------------------------------------------------------*/

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

void damage_list(const char *dir, const char *folder, const char *begin, const char *end,
                 struct names *n)
{
    char path[DAMAGE_PATH];
    snprintf(path, sizeof path, "%s/%s", dir, folder);
    DIR *d = opendir(path);
    n->count = 0;
    if (!d) return;
    for (struct dirent *e; (e = readdir(d)) && n->count < DAMAGE_FILES;) {
        size_t length = strlen(e->d_name), tail = strlen(end);
        if (strncmp(e->d_name, begin, strlen(begin)) != 0 || length < tail || length > 63) continue;
        if (strcmp(e->d_name + length - tail, end) == 0)
            memcpy(n->name[n->count++], e->d_name, length + 1);
    }
    closedir(d);
    qsort(n->name, n->count, sizeof n->name[0], by_name);
}

bool damage_load(const char *path, struct bytes *b)
{
    struct stat st;
    *b = (struct bytes){0};
    if (stat(path, &st) || !S_ISREG(st.st_mode)) return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    b->p = malloc((size_t)st.st_size + 8);
    CHECK(b->p);
    for (ssize_t got; b->size < (u64)st.st_size; b->size += (u64)got) {
        got = read(fd, b->p + b->size, (size_t)st.st_size - b->size);
        if (got <= 0) break;
    }
    close(fd);
    return true;
}

/* --- Records -----------------------------------------------------------------------------------*/

enum piece_kind damage_piece(const struct bytes *b, u64 at, u64 *length)
{
    struct rec rec;
    static const u32 no_crc = 0;
    static const u8 zeros[sizeof rec];
    if (at + sizeof rec > b->size) return PIECE_END;
    memcpy(&rec, b->p + at, sizeof rec);
    if (!memcmp(&rec, zeros, sizeof rec)) return PIECE_END;
    *length = rec.length;
    if (rec.length < sizeof rec || rec.length % 8 || at + rec.length > b->size) return PIECE_BROKEN;
    u32 crc = crc32c(0, b->p + at, offsetof(struct rec, crc));
    crc = crc32c(crc, &no_crc, sizeof no_crc);
    u64 rest = offsetof(struct rec, crc) + sizeof no_crc;
    crc = crc32c(crc, b->p + at + rest, rec.length - rest);
    if (crc != rec.crc) return PIECE_BROKEN;
    return !rec.seq && rec.kind == BATCH_KIND ? PIECE_BATCH : PIECE_RECORD;
}

static bool add_records(struct damage_records *r, const struct bytes *b, u64 *room)
{
    u64 length;
    enum piece_kind kind = PIECE_END;
    for (u64 at = HEAD_BYTES;
         (kind = damage_piece(b, at, &length)) == PIECE_BATCH || kind == PIECE_RECORD;
         at += length) {
        struct rec rec;
        if (kind == PIECE_BATCH) continue;
        memcpy(&rec, b->p + at, sizeof rec);
        if (!r->count) r->first = rec.seq;
        if (rec.seq != r->first + r->count) return false;
        if (r->count == *room) {
            *room = *room ? 2 * *room : 4096;
            r->at = realloc(r->at, *room * sizeof *r->at);
            CHECK(r->at);
        }
        r->at[r->count++] = r->length;
        memcpy(r->bytes + r->length, b->p + at, length);
        r->length += length;
    }
    return kind == PIECE_END;
}

/* Does the head of the file say so? */
static bool is_of(const struct bytes *b, const char *log, u64 first)
{
    u64 says;
    if (b->size < HEAD_BYTES || strncmp((const char *)b->p + 32, log, 24) != 0) return false;
    memcpy(&says, b->p + 56, sizeof says);
    return says == first;
}

void damage_read(const char *dir, const char *log, struct damage_records *r)
{
    static struct names n;
    char path[2 * DAMAGE_PATH], begin[64];
    u64 room = 0, size = 0;
    *r = (struct damage_records){0};
    snprintf(begin, sizeof begin, "%s-", log);
    damage_list(dir, "journal", begin, ".log", &n);
    for (u32 i = 0; i < n.count && !r->broken; i++) {
        struct bytes b;
        snprintf(path, sizeof path, "%s/journal/%s", dir, n.name[i]);
        char name[100];
        u64 first = strtoull(n.name[i] + strlen(begin), NULL, 10);
        snprintf(name, sizeof name, "%s%020lu.log", begin, first);
        if (!first || strcmp(n.name[i], name) != 0) continue; /* not one of its names */
        r->broken = !damage_load(path, &b) || !is_of(&b, log, first) ||
                    (r->count && first != r->first + r->count);
        size += b.size;
        r->bytes = realloc(r->bytes, size + 8);
        CHECK(r->bytes);
        if (!r->broken) r->broken = !add_records(r, &b, &room);
        free(b.p);
    }
}

void damage_free(struct damage_records *r)
{
    free(r->bytes);
    free(r->at);
    *r = (struct damage_records){0};
}

const struct rec *damage_record(const struct damage_records *r, u64 seq)
{
    CHECK(seq >= r->first && seq < r->first + r->count);
    return (const struct rec *)(const void *)(r->bytes + r->at[seq - r->first]);
}
