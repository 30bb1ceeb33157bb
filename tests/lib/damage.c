#include "tests/lib/damage_inside.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/crc32c.h"
#include "tests/lib/client.h"

#define BATCH      40U
#define MARK_BYTES 160U
#define MARK_CRC   156U
#define SECTOR     512U
#define PAGE       4096U

static void write_file(const char *path, const void *data, u64 bytes, u64 at, bool fresh)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (fresh ? O_TRUNC : 0), 0644);
    CHECK(fd >= 0 && pwrite(fd, data, bytes, (off_t)at) == (ssize_t)bytes);
    close(fd);
}

static u64 draw(struct damage *d, u64 below)
{
    return below ? client_random(&d->seed) % below : 0;
}

static void tell(struct damage *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void tell(struct damage *d, const char *fmt, ...)
{
    va_list ap;
    size_t n = strlen(d->text);
    va_start(ap, fmt);
    vsnprintf(d->text + n, sizeof d->text - n, fmt, ap);
    va_end(ap);
}

/* --- Which file --------------------------------------------------------------------------------*/

enum target { T_COMMAND, T_ACCOUNT, T_MATCH, T_MARK, T_SNAPSHOT, T_INSTANCE, TARGETS };

static const char *const folders[] = {"journal", "journal", "journal", "journal", "snapshots", "."};
static const char *const begins[] = {"command-", "account-", "match-0-", "mark", "", "instance"};
static const char *const ends[] = {".log", ".log", ".log", "mark", ".snap", "instance"};

/* First, last or any file of a target. */
static bool choose(struct damage *d, enum target t)
{
    static struct names n;
    damage_list(d->dir, folders[t], begins[t], ends[t], &n);
    if (!n.count) return false;
    u64 r = draw(d, 4);
    u64 i = r == 0 ? 0 : r == 1 ? n.count - 1 : draw(d, n.count);
    snprintf(d->path, sizeof d->path, "%s/%s/%s", d->dir, folders[t], n.name[i]);
    tell(d, "%s/%s (%lu of %u)", folders[t], n.name[i], i + 1, n.count);
    return true;
}

/* Any file: logs more often than the single ones. */
static bool choose_any(struct damage *d)
{
    static const u8 weights[] = {T_COMMAND, T_COMMAND,  T_COMMAND,  T_ACCOUNT, T_MATCH,
                                 T_MARK,    T_SNAPSHOT, T_SNAPSHOT, T_INSTANCE};
    return choose(d, weights[draw(d, COUNT_OF(weights))]);
}

static bool choose_log(struct damage *d)
{
    static const u8 weights[] = {T_COMMAND, T_COMMAND, T_ACCOUNT, T_MATCH};
    return choose(d, weights[draw(d, COUNT_OF(weights))]);
}

/* --- Changed bytes -----------------------------------------------------------------------------*/

static bool flip_at(struct damage *d, u64 at)
{
    struct bytes b;
    if (!damage_load(d->path, &b)) return false;
    u8 mask = (u8)(1U << draw(d, 8));
    bool there = at < b.size;
    if (there) {
        b.p[at] ^= mask;
        write_file(d->path, b.p + at, 1, at, false);
        tell(d, ", byte %lu, bit mask %02x", at, mask);
    }
    free(b.p);
    return there;
}

static u64 size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) ? 0 : (u64)st.st_size;
}

static bool flip_any(struct damage *d)
{
    return choose_any(d) && flip_at(d, draw(d, size_of(d->path)));
}

static bool flip_file_head(struct damage *d)
{
    return choose_log(d) && flip_at(d, draw(d, 80));
}

static bool flip_head_padding(struct damage *d)
{
    return choose_log(d) && flip_at(d, 80 + draw(d, HEAD_BYTES - 80));
}

/* The places of all batches (or records) of the file, at most `max`; returns how many. *end = after
 * the last piece. */
static u64 places(const struct damage *d, enum piece_kind wanted, u64 *at, u64 max, u64 *end)
{
    struct bytes b;
    u64 count = 0, length;
    enum piece_kind kind;
    *end = HEAD_BYTES;
    if (!damage_load(d->path, &b)) return 0;
    while ((kind = damage_piece(&b, *end, &length)) == PIECE_BATCH || kind == PIECE_RECORD) {
        if (kind == wanted && count < max) at[count++] = *end;
        *end += length;
    }
    free(b.p);
    return count;
}

#define PLACES_MAX (1UL << 16)
static u64 places_at[PLACES_MAX];

/* A record or batch of a log file: often the last, else any. */
static bool choose_piece(struct damage *d, enum piece_kind kind, u64 *at, u64 *next)
{
    u64 end;
    if (!choose_log(d)) return false;
    u64 count = places(d, kind, places_at, PLACES_MAX, &end);
    if (!count) return false;
    u64 i = draw(d, 3) ? draw(d, count) : count - 1;
    *at = places_at[i];
    *next = i + 1 < count ? places_at[i + 1] : end;
    return true;
}

static bool flip_batch_head(struct damage *d)
{
    u64 at, next;
    return choose_piece(d, PIECE_BATCH, &at, &next) && flip_at(d, at + draw(d, BATCH));
}

static bool flip_record_head(struct damage *d)
{
    u64 at, next;
    return choose_piece(d, PIECE_RECORD, &at, &next) &&
           flip_at(d, at + draw(d, sizeof(struct rec)));
}

static bool flip_record_body(struct damage *d)
{
    u64 at, next;
    u64 head = sizeof(struct rec);
    return choose_piece(d, PIECE_RECORD, &at, &next) && next - at > head &&
           flip_at(d, at + head + draw(d, next - at - head));
}

static bool flip_checksum(struct damage *d)
{
    u64 at, next;
    return choose_piece(d, PIECE_RECORD, &at, &next) &&
           flip_at(d, at + offsetof(struct rec, crc) + draw(d, 4));
}

static bool flip_length(struct damage *d)
{
    u64 at, next;
    return choose_piece(d, PIECE_RECORD, &at, &next) &&
           flip_at(d, at + offsetof(struct rec, length) + draw(d, 4));
}

static bool flip_reserve(struct damage *d)
{
    u64 end;
    if (!choose_log(d)) return false;
    places(d, PIECE_RECORD, places_at, PLACES_MAX, &end);
    u64 size = size_of(d->path);
    return size > end &&
           flip_at(d, end + draw(d, draw(d, 2) ? size - end : min_u64(64, size - end)));
}

/* Put `bytes` of `fill` (NULL: random ones) over [at, at + bytes). */
static bool cover(struct damage *d, u64 at, u64 bytes, const u8 *fill)
{
    u8 buf[2 * PAGE];
    CHECK(bytes <= sizeof buf);
    for (u64 i = 0; i < bytes; i++) buf[i] = fill ? *fill : (u8)client_random(&d->seed);
    write_file(d->path, buf, bytes, at, false);
    tell(d, ", %lu bytes at %lu are %s", bytes, at, !fill ? "random" : *fill ? "ones" : "zero");
    return true;
}

static const u8 zero, ones = 0xff;

static bool zero_page(struct damage *d)
{
    return choose_any(d) && cover(d, draw(d, size_of(d->path) / PAGE + 1) * PAGE, PAGE, &zero);
}

/* Pages that hold something. */
static bool zero_used_page(struct damage *d)
{
    u64 at, next;
    return choose_piece(d, PIECE_RECORD, &at, &next) && cover(d, at / PAGE * PAGE, PAGE, &zero);
}

static bool zero_sector(struct damage *d)
{
    u64 at, next;
    return choose_piece(d, PIECE_RECORD, &at, &next) &&
           cover(d, at / SECTOR * SECTOR, SECTOR, &zero);
}

static bool ones_sector(struct damage *d)
{
    u64 at, next;
    return choose_piece(d, PIECE_RECORD, &at, &next) &&
           cover(d, at / SECTOR * SECTOR, SECTOR, &ones);
}

static bool random_sector(struct damage *d)
{
    return choose_any(d) && cover(d, draw(d, size_of(d->path) / SECTOR + 1) * SECTOR, SECTOR, NULL);
}

static bool zero_record(struct damage *d)
{
    u64 at, next;
    return choose_piece(d, PIECE_RECORD, &at, &next) && next - at < PAGE &&
           cover(d, at, next - at, &zero);
}

static bool zero_batch_head(struct damage *d)
{
    u64 at, next;
    return choose_piece(d, PIECE_BATCH, &at, &next) && cover(d, at, BATCH, &zero);
}

/* All from a record on. */
static bool zero_tail(struct damage *d)
{
    u64 at, next, size;
    if (!choose_piece(d, PIECE_RECORD, &at, &next)) return false;
    size = size_of(d->path);
    if (truncate(d->path, (off_t)at) || truncate(d->path, (off_t)size)) return false;
    tell(d, ", zeros from %lu on", at);
    return true;
}

static bool garbage_after_end(struct damage *d)
{
    u64 end;
    if (!choose_log(d)) return false;
    places(d, PIECE_RECORD, places_at, PLACES_MAX, &end);
    return cover(d, end + 8 * draw(d, 20) + draw(d, 8), 1 + draw(d, 600), NULL);
}

static bool garbage_appended(struct damage *d)
{
    return choose_any(d) && cover(d, size_of(d->path), 1 + draw(d, 5000), NULL);
}

static bool zeros_appended(struct damage *d)
{
    return choose_any(d) && cover(d, size_of(d->path), 1 + draw(d, 5000), &zero);
}

/* --- Records that moved ------------------------------------------------------------------------*/

/* Replace [at, at + removed) by `put`, moving what follows; the file keeps its size. */
static void replace(struct damage *d, u64 at, u64 removed, const u8 *put, u64 bytes)
{
    struct bytes b;
    CHECK(damage_load(d->path, &b) && at + removed <= b.size);
    u64 tail = b.size - at - removed;
    u8 *out = calloc(1, b.size + bytes);
    CHECK(out);
    memcpy(out, b.p, at);
    if (bytes) memcpy(out + at, put, bytes);
    memcpy(out + at + bytes, b.p + at + removed, tail);
    write_file(d->path, out, b.size, 0, true);
    free(out);
    free(b.p);
}

static bool record_dropped(struct damage *d)
{
    u64 at, next;
    if (!choose_piece(d, PIECE_RECORD, &at, &next)) return false;
    replace(d, at, next - at, NULL, 0);
    tell(d, ", what stands in [%lu, %lu) dropped", at, next);
    return true;
}

static bool batch_dropped(struct damage *d)
{
    u64 at, next;
    if (!choose_piece(d, PIECE_BATCH, &at, &next)) return false;
    replace(d, at, next - at, NULL, 0);
    tell(d, ", what stands in [%lu, %lu) dropped", at, next);
    return true;
}

static bool repeat(struct damage *d, u64 at, u64 next)
{
    struct bytes b;
    CHECK(damage_load(d->path, &b));
    replace(d, next, 0, b.p + at, next - at);
    free(b.p);
    tell(d, ", what stands in [%lu, %lu) twice", at, next);
    return true;
}

static bool record_twice(struct damage *d)
{
    u64 at, next;
    return choose_piece(d, PIECE_RECORD, &at, &next) && repeat(d, at, next);
}

static bool batch_twice(struct damage *d)
{
    u64 at, next;
    return choose_piece(d, PIECE_BATCH, &at, &next) && repeat(d, at, next);
}

/* A page of the same file stands where another should: a write went astray. */
static bool page_astray(struct damage *d)
{
    struct bytes b;
    if (!choose_any(d) || !damage_load(d->path, &b)) return false;
    u64 pages = b.size / PAGE;
    u64 from = draw(d, pages), to = draw(d, pages);
    bool does = pages > 1 && memcmp(b.p + from * PAGE, b.p + to * PAGE, PAGE) != 0;
    if (does) write_file(d->path, b.p + from * PAGE, PAGE, to * PAGE, false);
    if (does) tell(d, ", page %lu stands at %lu too", from, to);
    free(b.p);
    return does;
}

/* --- Cut ---------------------------------------------------------------------------------------*/

static bool cut_at(struct damage *d, u64 size)
{
    tell(d, ", cut to %lu of %lu bytes", size, size_of(d->path));
    return truncate(d->path, (off_t)size) == 0;
}

static bool cut_anywhere(struct damage *d)
{
    return choose_any(d) && cut_at(d, draw(d, size_of(d->path)));
}

static bool cut_after_record(struct damage *d)
{
    u64 at, next;
    return choose_piece(d, PIECE_RECORD, &at, &next) && cut_at(d, draw(d, 2) ? at : next);
}

static bool cut_within_record(struct damage *d)
{
    u64 at, next;
    return choose_piece(d, PIECE_RECORD, &at, &next) && cut_at(d, at + 1 + draw(d, next - at - 1));
}

static bool cut_within_head(struct damage *d)
{
    return choose_log(d) && cut_at(d, draw(d, HEAD_BYTES));
}

static bool emptied(struct damage *d)
{
    return choose_any(d) && cut_at(d, 0);
}

/* --- Files -------------------------------------------------------------------------------------*/

static bool removed(struct damage *d)
{
    return choose_any(d) && unlink(d->path) == 0;
}

/* The number in the name of a log or snapshot file. */
static u64 number_of(const char *path, const char **begin)
{
    const char *name = strrchr(path, '/') + 1;
    const char *end = strrchr(name, '.');
    if (!end || end - name < 20) return 0;
    *begin = end - 20;
    return strtoull(end - 20, NULL, 10);
}

/* A second copy under another number. */
static bool duplicated(struct damage *d, bool keep)
{
    char other[DAMAGE_PATH];
    const char *at;
    struct bytes b;
    if (!(draw(d, 3) ? choose_log(d) : choose(d, T_SNAPSHOT))) return false;
    u64 number = number_of(d->path, &at), by = 1 + draw(d, draw(d, 2) ? 5 : 100000);
    if (!number || !damage_load(d->path, &b)) return false;
    bool up = draw(d, 3) || number <= by;
    snprintf(other, sizeof other, "%.*s%020lu%s", (int)(at - d->path), d->path,
             up ? number + by : number - by, at + 20);
    write_file(other, b.p, b.size, 0, true);
    free(b.p);
    tell(d, keep ? ", copied to %s" : ", renamed to %s", strrchr(other, '/') + 1);
    return keep || unlink(d->path) == 0;
}

static bool copied(struct damage *d)
{
    return duplicated(d, true);
}

static bool renamed(struct damage *d)
{
    return duplicated(d, false);
}

static bool swap_with(struct damage *d, const char *first)
{
    char between[DAMAGE_PATH + 8];
    snprintf(between, sizeof between, "%s.x", first);
    tell(d, " swapped");
    return strcmp(first, d->path) != 0 && rename(first, between) == 0 &&
           rename(d->path, first) == 0 && rename(between, d->path) == 0;
}

static bool swapped(struct damage *d)
{
    char first[DAMAGE_PATH];
    enum target t = (enum target)draw(d, 3);
    if (draw(d, 4) == 0) t = T_SNAPSHOT;
    if (!choose(d, t)) return false;
    memcpy(first, d->path, sizeof first);
    tell(d, " and ");
    return choose(d, t) && swap_with(d, first);
}

static bool swapped_logs(struct damage *d)
{
    char first[DAMAGE_PATH];
    enum target t = (enum target)draw(d, 3);
    if (!choose(d, t)) return false;
    memcpy(first, d->path, sizeof first);
    tell(d, " and ");
    return choose(d, (enum target)(((u32)t + 1) % 3)) && swap_with(d, first);
}

/* The file as it was in the older copy. */
static bool older(struct damage *d)
{
    char path[2 * DAMAGE_PATH];
    struct bytes b;
    if (!d->older || !choose_any(d)) return false;
    snprintf(path, sizeof path, "%s%s", d->older, d->path + strlen(d->dir));
    if (!damage_load(path, &b)) return false;
    write_file(d->path, b.p, b.size, 0, true);
    free(b.p);
    return true;
}

static bool older_log(struct damage *d)
{
    return d->older && choose_log(d) && (d->text[0] = '\0', older(d));
}

static bool run(struct damage *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool run(struct damage *d, const char *fmt, ...)
{
    char command[3 * DAMAGE_PATH], line[4 * DAMAGE_PATH];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    tell(d, "%s", command);
    snprintf(d->path, sizeof d->path, "%s", d->dir);
    snprintf(line, sizeof line, "cd %s && %s", d->dir, command);
    return system(line) == 0; /* paths of our own making */
}

static bool many(struct damage *d)
{
    static const char *const commands[] = {
        "rm journal/command-*",
        "rm journal/account-*",
        "rm journal/match-0-*",
        "rm journal/*",
        "rm -r journal",
        "rm -r snapshots",
        "rm -r journal snapshots",
        "rm -r journal/* snapshots/*",
        "rm journal/mark snapshots/*",
        "rm instance journal/mark",
        "mv journal j && ln -s j journal",
        "mv journal j && ln -s nowhere journal",
        "mv journal j && touch journal",
        "rm -r snapshots && touch snapshots",
        "mv snapshots s && ln -s s snapshots",
        "ls journal/command-*|tail -n 1|xargs rm; rm journal/mark",
        "ls journal/command-*|tail -n 1|xargs rm; rm snapshots/*",
        "ls journal/command-*|head -n 1|xargs rm; rm snapshots/*",
        "ls journal/command-*|head -n 2|tail -n 1|xargs rm; rm snapshots/*",
        "touch journal/command-1.log journal/command-.log journal/x.log snapshots/x.snap",
        "mkdir journal/command-00000000000000000000.log",
        "touch journal/command-99999999999999999999.log",
        "touch snapshots/99999999999999999999.snap",
        "touch journal/command.spare journal/account.spare",
        "mkdir journal/command.spare",
        "mkdir snapshots/writing.tmp",
        "mkfifo journal/command.spare",
    };
    return run(d, "%s", commands[draw(d, COUNT_OF(commands))]);
}

/* The journal or part of it put back as it was before. */
static bool many_older(struct damage *d)
{
    static const char *const commands[] = {
        "rm -r journal && cp -a %s/journal .",
        "rm -r snapshots && cp -a %s/snapshots .",
        "cp -a %s/journal/mark journal/",
        "rm journal/command-* && cp -a %s/journal/command-* journal/",
        "rm journal/command-* && cp -a %s/journal/command-* %s/journal/mark journal/",
        "rm journal/account-* && cp -a %s/journal/account-* journal/",
        "rm journal/match-0-* && cp -a %s/journal/match-0-* journal/",
        "rm journal/account-* && cp -a %s/journal/account-* %s/journal/mark journal/",
    };
    char command[3 * DAMAGE_PATH];
    u32 n = 0;
    if (!d->older) return false;
    for (const char *p = commands[draw(d, COUNT_OF(commands))]; *p && n < sizeof command - 1; p++) {
        if (*p != '%') command[n++] = *p;
        else n += (u32)snprintf(command + n, sizeof command - n, "%s", d->older), p++;
    }
    command[min_u64(n, sizeof command - 1)] = '\0';
    return run(d, "%s", command);
}

/* --- Something else in its place ---------------------------------------------------------------*/

static bool is_folder(struct damage *d)
{
    return choose_any(d) && unlink(d->path) == 0 && mkdir(d->path, 0755) == 0;
}

static bool is_pipe(struct damage *d)
{
    return choose_any(d) && unlink(d->path) == 0 && mkfifo(d->path, 0644) == 0;
}

static bool is_link(struct damage *d)
{
    static const char *const to[] = {"nowhere", "/dev/zero", "/dev/null", "/", "/dev/full"};
    const char *where = to[draw(d, COUNT_OF(to))];
    if (!choose_any(d)) return false;
    tell(d, " is a link to %s", where);
    return unlink(d->path) == 0 && symlink(where, d->path) == 0;
}

static bool is_link_to_itself(struct damage *d)
{
    return choose_any(d) && unlink(d->path) == 0 &&
           symlink(strrchr(d->path, '/') + 1, d->path) == 0;
}

static bool is_link_to_the_file(struct damage *d)
{
    char moved[DAMAGE_PATH + 8];
    if (!choose_any(d)) return false;
    snprintf(moved, sizeof moved, "%s.x", d->path);
    return rename(d->path, moved) == 0 && symlink(strrchr(moved, '/') + 1, d->path) == 0;
}

static bool is_not_readable(struct damage *d)
{
    d->as_other = true;
    return choose_any(d) && chmod(d->path, 0) == 0;
}

static bool is_read_only(struct damage *d)
{
    d->as_other = true;
    return choose_any(d) && chmod(d->path, 0444) == 0;
}

/* --- The mark ----------------------------------------------------------------------------------*/

/* Whole, but of another time: it says `by` more or less of one log. */
static bool mark_says(struct damage *d, bool more)
{
    u8 mark[MARK_BYTES];
    u64 synced, by = 1 + draw(d, draw(d, 2) ? 3 : 5000);
    u32 log = (u32)draw(d, 3), at = 24 + 8 * log;
    struct bytes b;
    if (!choose(d, T_MARK) || !damage_load(d->path, &b)) return false;
    bool whole = b.size == MARK_BYTES;
    if (whole) {
        memcpy(mark, b.p, sizeof mark);
        memcpy(&synced, mark + at, sizeof synced);
        synced = more ? synced + by : synced - min_u64(synced, by);
        memcpy(mark + at, &synced, sizeof synced);
        u32 crc = crc32c(0, mark, MARK_CRC);
        memcpy(mark + MARK_CRC, &crc, sizeof crc);
        write_file(d->path, mark, sizeof mark, 0, true);
        tell(d, ", log %u is synced through %lu: %lu %s", log, synced, by, more ? "more" : "less");
    }
    free(b.p);
    return whole;
}

static bool mark_newer(struct damage *d)
{
    return mark_says(d, true);
}

static bool mark_older(struct damage *d)
{
    return mark_says(d, false);
}

/* --- All of them -------------------------------------------------------------------------------*/

#define KIND(name) \
    { \
#name, name \
    }
static const struct {
    const char *name;
    bool (*run)(struct damage *d);
} kinds[] = {
    KIND(flip_any),          KIND(flip_file_head),
    KIND(flip_head_padding), KIND(flip_batch_head),
    KIND(flip_record_head),  KIND(flip_record_body),
    KIND(flip_checksum),     KIND(flip_length),
    KIND(flip_reserve),      KIND(zero_page),
    KIND(zero_used_page),    KIND(zero_sector),
    KIND(ones_sector),       KIND(random_sector),
    KIND(zero_record),       KIND(zero_batch_head),
    KIND(zero_tail),         KIND(garbage_after_end),
    KIND(garbage_appended),  KIND(zeros_appended),
    KIND(record_dropped),    KIND(batch_dropped),
    KIND(record_twice),      KIND(batch_twice),
    KIND(page_astray),       KIND(cut_anywhere),
    KIND(cut_after_record),  KIND(cut_within_record),
    KIND(cut_within_head),   KIND(emptied),
    KIND(removed),           KIND(copied),
    KIND(renamed),           KIND(swapped),
    KIND(swapped_logs),      KIND(older),
    KIND(older_log),         KIND(many),
    KIND(many_older),        KIND(is_folder),
    KIND(is_pipe),           KIND(is_link),
    KIND(is_link_to_itself), KIND(is_link_to_the_file),
    KIND(is_not_readable),   KIND(is_read_only),
    KIND(mark_newer),        KIND(mark_older),
};

u32 damage_kinds(void)
{
    return COUNT_OF(kinds);
}

const char *damage_name(u32 nth)
{
    return kinds[nth % COUNT_OF(kinds)].name;
}

bool damage_do(struct damage *d, u32 nth)
{
    nth %= COUNT_OF(kinds);
    d->kind = kinds[nth].name;
    d->text[0] = d->path[0] = '\0';
    d->as_other = false;
    return kinds[nth].run(d);
}
