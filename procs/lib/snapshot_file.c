#include "procs/lib/snapshot_file.h"

#include "procs/lib/regular.h"
#include "shm/crc32c.h"
#include "shm/err.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lz4.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Compressing must save a sixteenth, or the block is stored as it is. */
#define WORTH(raw) ((raw) - (raw) / 16)
#define TEMPORARY  "writing.tmp"

#define PACKER_BLOCKS  8U
#define PACKER_THREADS 2U
#define TELL_BYTES     (8UL << 20) /* between two times the disk is told to begin writing */

struct block_head {
    u32 raw, stored; /* equal: not compressed */
};

struct trailer {
    u64 magic;
    u32 bytes; /* of the manifest before it */
    u32 crc;   /* of the manifest */
};

static u64 manifest_bytes(const struct snapshot_manifest *m)
{
    return offsetof(struct snapshot_manifest, section) + m->sections * sizeof m->section[0];
}

static void snapshot_path(const char *dir, u64 seq, char path[320])
{
    snprintf(path, 320, "%s/snapshots/%020lu.snap", dir, seq);
}

/* --- Writing -----------------------------------------------------------------------------------
 */

static int write_all(struct snapshot_writer *w, const void *data, u64 bytes)
{
    for (const u8 *p = data; bytes;) {
        ssize_t n = write(w->fd, p, bytes);
        if (n <= 0) return err_sys("writing %s", w->temporary);
        p += n;
        bytes -= (u64)n;
        w->at += (u64)n;
    }
    return 0;
}

static struct snapshot_section *current(struct snapshot_writer *w)
{
    return &w->manifest->section[w->manifest->sections - 1];
}

int snapshot_create(struct snapshot_writer *w, const char *dir, const u8 *instance)
{
    *w = (struct snapshot_writer){.fd = -1};
    snprintf(w->dir, sizeof w->dir, "%s", dir);
    snprintf(w->temporary, sizeof w->temporary, "%s/snapshots", w->dir);
    if (mkdir(w->temporary, 0755) && errno != EEXIST) return err_sys("making %s", w->temporary);
    snprintf(w->temporary, sizeof w->temporary, "%s/snapshots/" TEMPORARY, w->dir);
    unlink(w->temporary); /* of who died while writing, or whatever stands there */
    w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (w->fd < 0)
        return err_set("creating %s: %s; remove it, and check the rights on the folder",
                       w->temporary, strerror(errno));
    w->block = malloc(SNAPSHOT_BLOCK);
    w->packed = malloc((size_t)LZ4_compressBound(SNAPSHOT_BLOCK));
    w->manifest = calloc(1, sizeof *w->manifest);
    CHECK(w->block && w->packed && w->manifest);
    w->manifest->magic = SNAPSHOT_MAGIC;
    w->manifest->version = SNAPSHOT_VERSION;
    memcpy(w->manifest->instance, instance, LOGFILE_INSTANCE);
    static const u64 magic = SNAPSHOT_MAGIC;
    return write_all(w, &magic, sizeof magic);
}

/* What a block becomes in the file. */
struct packed {
    struct block_head head;
    const u8 *data; /* head.stored bytes */
};

static struct packed compress(const u8 *block, u64 bytes, u8 *room)
{
    struct packed p = {.head = {.raw = (u32)bytes, .stored = (u32)bytes}, .data = block};
    int packed = LZ4_compress_default((const char *)block, (char *)room, (int)bytes,
                                      LZ4_compressBound(SNAPSHOT_BLOCK));
    if (packed > 0 && (u64)packed < WORTH(bytes)) {
        p.head.stored = (u32)packed;
        p.data = room;
    }
    return p;
}

/* Append a block to the current section. */
static int write_block(struct snapshot_writer *w, const struct packed *p)
{
    struct snapshot_section *s = current(w);
    s->crc = crc32c(crc32c(s->crc, &p->head, sizeof p->head), p->data, p->head.stored);
    s->stored += sizeof p->head + p->head.stored;
    s->raw += p->head.raw;
    if (w->tick) w->tick(w->context);
    return write_all(w, &p->head, sizeof p->head) ? -1 : write_all(w, p->data, p->head.stored);
}

/* Blocks on their way to the file, in order, [done, put): any thread compresses the next that
 * nobody took, and one at a time writes what is ready. Between the last block of a section and the
 * first of the next nothing is on its way. */
struct snapshot_packer {
    pthread_t threads[PACKER_THREADS];
    u32 count;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t change;
    struct {
        u8 *block, *room; /* w->block is the block of `put` */
        u64 bytes;
        bool ready;
        struct packed packed;
    } slots[PACKER_BLOCKS];
    u64 put, taken, done;
    bool writing, ended;
    int rc;
    char why[ERR_TEXT_MAX];
    u64 told; /* bytes of the file that the disk was told to write */
};

/* The last sync finds less to do. What fails here that sync tells. */
static void tell_disk(struct snapshot_writer *w, struct snapshot_packer *p)
{
    if (w->at - p->told < TELL_BYTES) return;
    sync_file_range(w->fd, (off_t)p->told, (off_t)(w->at - p->told), SYNC_FILE_RANGE_WRITE);
    p->told = w->at;
}

/* Write what is ready, in order, unless another does. With the lock, which is given up meanwhile.
 */
static void write_ready(struct snapshot_writer *w, struct snapshot_packer *p)
{
    if (p->writing) return;
    p->writing = true;
    while (p->done < p->taken && p->slots[p->done % PACKER_BLOCKS].ready) {
        u64 i = p->done % PACKER_BLOCKS;
        bool failed = p->rc;
        pthread_mutex_unlock(&p->lock);
        int rc = failed ? -1 : write_block(w, &p->slots[i].packed);
        if (!rc) tell_disk(w, p);
        pthread_mutex_lock(&p->lock);
        if (rc && !failed) snprintf(p->why, sizeof p->why, "%s", err_text());
        if (rc) p->rc = -1;
        p->slots[i].ready = false;
        p->done++;
        pthread_cond_broadcast(&p->change);
    }
    p->writing = false;
}

static void *pack_blocks(void *context)
{
    struct snapshot_writer *w = context;
    struct snapshot_packer *p = w->packer;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (p->taken == p->put && !p->ended) pthread_cond_wait(&p->change, &p->lock);
        if (p->taken == p->put) break;
        u64 i = p->taken++ % PACKER_BLOCKS;
        pthread_mutex_unlock(&p->lock);
        p->slots[i].packed = compress(p->slots[i].block, p->slots[i].bytes, p->slots[i].room);
        pthread_mutex_lock(&p->lock);
        p->slots[i].ready = true;
        write_ready(w, p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Give the block away, and go on with the next. */
static int hand_over(struct snapshot_writer *w)
{
    struct snapshot_packer *p = w->packer;
    pthread_mutex_lock(&p->lock);
    p->slots[p->put++ % PACKER_BLOCKS].bytes = w->filled;
    pthread_cond_broadcast(&p->change);
    while (p->put - p->done == PACKER_BLOCKS) pthread_cond_wait(&p->change, &p->lock);
    w->block = p->slots[p->put % PACKER_BLOCKS].block;
    int rc = p->rc;
    pthread_mutex_unlock(&p->lock);
    return rc ? err_set("%s", p->why) : 0;
}

/* All that was given away is packed and written. */
static int wait_for_packer(struct snapshot_writer *w)
{
    struct snapshot_packer *p = w->packer;
    if (!p) return 0;
    pthread_mutex_lock(&p->lock);
    while (p->done != p->put) pthread_cond_wait(&p->change, &p->lock);
    int rc = p->rc;
    pthread_mutex_unlock(&p->lock);
    return rc ? err_set("%s", p->why) : 0;
}

/* All that was given away must be written, or is given up. */
static void end_packer(struct snapshot_writer *w)
{
    struct snapshot_packer *p = w->packer;
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->ended = true;
    pthread_cond_broadcast(&p->change);
    pthread_mutex_unlock(&p->lock);
    for (u32 i = 0; i < p->count; i++) pthread_join(p->threads[i], NULL);
    for (u32 i = 0; i < PACKER_BLOCKS; i++) {
        if (p->slots[i].block != w->block) free(p->slots[i].block);
        free(p->slots[i].room);
    }
    pthread_cond_destroy(&p->change);
    pthread_mutex_destroy(&p->lock);
    free(p);
    w->packer = NULL;
}

void snapshot_pack_beside(struct snapshot_writer *w)
{
    struct snapshot_packer *p = calloc(1, sizeof *p);
    CHECK(p && !w->manifest->sections);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->change, NULL);
    for (u32 i = 0; i < PACKER_BLOCKS; i++) {
        p->slots[i].block = i ? malloc(SNAPSHOT_BLOCK) : w->block;
        p->slots[i].room = malloc((size_t)LZ4_compressBound(SNAPSHOT_BLOCK));
        CHECK(p->slots[i].block && p->slots[i].room);
    }
    w->packer = p;
    while (p->count < PACKER_THREADS &&
           pthread_create(&p->threads[p->count], NULL, pack_blocks, w) == 0)
        p->count++;
    if (!p->count) end_packer(w);
}

static int flush_block(struct snapshot_writer *w)
{
    if (!w->filled) return 0;
    int rc;
    if (w->packer) {
        rc = hand_over(w);
    } else {
        struct packed packed = compress(w->block, w->filled, w->packed);
        rc = write_block(w, &packed);
    }
    w->filled = 0;
    return rc;
}

int snapshot_begin(struct snapshot_writer *w, enum snapshot_section_kind kind, u32 index)
{
    if (w->manifest->sections && (flush_block(w) || wait_for_packer(w))) return -1;
    if (w->manifest->sections == SNAPSHOT_SECTIONS_MAX)
        return err_set("a snapshot has at most %u sections", SNAPSHOT_SECTIONS_MAX);
    w->manifest->sections++;
    *current(w) = (struct snapshot_section){.kind = kind, .index = index, .offset = w->at};
    return 0;
}

int snapshot_put(struct snapshot_writer *w, const void *data, u64 bytes)
{
    for (const u8 *p = data; bytes;) {
        u64 n = min_u64(bytes, SNAPSHOT_BLOCK - w->filled);
        memcpy(w->block + w->filled, p, n);
        w->filled += n;
        p += n;
        bytes -= n;
        if (w->filled == SNAPSHOT_BLOCK && flush_block(w)) return -1;
    }
    return 0;
}

static void free_writer(struct snapshot_writer *w)
{
    end_packer(w);
    if (w->fd >= 0) close(w->fd);
    free(w->block);
    free(w->packed);
    free(w->manifest);
    *w = (struct snapshot_writer){.fd = -1};
}

void snapshot_abort(struct snapshot_writer *w)
{
    unlink(w->temporary);
    free_writer(w);
}

static int sync_directory(const struct snapshot_writer *w)
{
    char path[300];
    snprintf(path, sizeof path, "%s/snapshots", w->dir);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) ? err_sys("syncing %s", path) : 0;
    if (fd >= 0) close(fd);
    return rc;
}

int snapshot_finish(struct snapshot_writer *w, const struct snapshot_info *info, u64 *bytes)
{
    char path[320];
    struct snapshot_manifest *m = w->manifest;
    m->info = *info;
    struct trailer trailer = {.magic = SNAPSHOT_MAGIC};
    snapshot_path(w->dir, info->seq, path);
    int rc = flush_block(w) || wait_for_packer(w) ? -1 : 0;
    trailer.bytes = (u32)manifest_bytes(m);
    trailer.crc = crc32c(0, m, trailer.bytes);
    if (!rc) rc = write_all(w, m, trailer.bytes);
    if (!rc) rc = write_all(w, &trailer, sizeof trailer);
    if (!rc && fsync(w->fd)) rc = err_sys("syncing %s", w->temporary);
    if (!rc && rename(w->temporary, path)) rc = err_sys("naming %s", path);
    if (!rc) rc = sync_directory(w);
    if (bytes) *bytes = w->at;
    if (rc) unlink(w->temporary);
    free_writer(w);
    return rc;
}

/* --- Reading -----------------------------------------------------------------------------------
 */

static int damaged(const struct snapshot_reader *r, u64 offset, const char *cause)
{
    return err_set("%s: at byte %lu: %s; remove the file: an older snapshot and the journal do",
                   r->path, offset, cause);
}

static int read_at(const struct snapshot_reader *r, void *data, u64 bytes, u64 at)
{
    for (u8 *p = data; bytes;) {
        ssize_t n = pread(r->fd, p, bytes, (off_t)at);
        if (n < 0) return err_sys("reading %s at byte %lu", r->path, at);
        if (n == 0) return damaged(r, at, "the file ends here");
        p += n;
        bytes -= (u64)n;
        at += (u64)n;
    }
    return 0;
}

/* Manifest and trailer against their checksum and the sizes they claim. */
static int read_manifest(struct snapshot_reader *r, const u8 *instance, u64 seq)
{
    struct stat st;
    struct trailer t;
    struct snapshot_manifest *m = r->manifest;
    if (fstat(r->fd, &st)) return err_sys("%s", r->path);
    u64 size = (u64)st.st_size;
    if (size < sizeof t + 8) return damaged(r, size, "the file is too short");
    u64 at = size - sizeof t;
    if (read_at(r, &t, sizeof t, at)) return -1;
    if (t.magic != SNAPSHOT_MAGIC) return damaged(r, at, "the file does not end as a snapshot");
    if (t.bytes > sizeof *m || t.bytes > at - 8) return damaged(r, at, "the manifest's size");
    if (read_at(r, m, t.bytes, at - t.bytes)) return -1;
    if (t.bytes < offsetof(struct snapshot_manifest, section) || crc32c(0, m, t.bytes) != t.crc)
        return damaged(r, at - t.bytes, "the manifest does not match its checksum");
    if (m->magic != SNAPSHOT_MAGIC || (m->version != 2 && m->version != SNAPSHOT_VERSION))
        return damaged(r, at - t.bytes, "a format that this build does not know");
    if (m->sections > SNAPSHOT_SECTIONS_MAX || manifest_bytes(m) != t.bytes)
        return damaged(r, at - t.bytes, "the manifest's length does not fit its sections");
    if (memcmp(m->instance, instance, LOGFILE_INSTANCE) != 0)
        return damaged(r, at - t.bytes, "it belongs to another instance");
    if (m->info.seq != seq || m->info.matchings > SNAPSHOT_MATCHING_MAX)
        return damaged(r, at - t.bytes, "it is of another sequence than its name says");
    for (u32 i = 0; i < m->sections; i++)
        if (m->section[i].offset > at || m->section[i].stored > at - m->section[i].offset)
            return damaged(r, at - t.bytes, "a section beyond the end of the file");
    return 0;
}

static int check_section(struct snapshot_reader *r, const struct snapshot_section *s)
{
    u32 crc = 0;
    for (u64 done = 0, n; done < s->stored; done += n) {
        n = min_u64(s->stored - done, SNAPSHOT_BLOCK);
        if (read_at(r, r->block, n, s->offset + done)) return -1;
        crc = crc32c(crc, r->block, n);
    }
    return crc == s->crc ? 0 : damaged(r, s->offset, "the section does not match its checksum");
}

int snapshot_glance(struct snapshot_reader *r, const char *dir, const u8 *instance, u64 seq)
{
    *r = (struct snapshot_reader){.fd = -1};
    snapshot_path(dir, seq, r->path);
    const char *why;
    r->fd = regular_open(AT_FDCWD, r->path, O_RDONLY, &why);
    if (r->fd < 0)
        return err_set("%s: %s; check the rights on it, or remove it: an older snapshot and the "
                       "journal do",
                       r->path, why);
    r->block = malloc(SNAPSHOT_BLOCK);
    r->packed = malloc(SNAPSHOT_BLOCK);
    r->manifest = calloc(1, sizeof *r->manifest);
    CHECK(r->block && r->packed && r->manifest);
    u64 magic;
    int rc = read_at(r, &magic, sizeof magic, 0);
    if (!rc && magic != SNAPSHOT_MAGIC) rc = damaged(r, 0, "this is not a snapshot");
    if (!rc) rc = read_manifest(r, instance, seq);
    if (rc) snapshot_close(r);
    return rc;
}

/* Open, and check the sections of the kinds that will be read. */
static int open_checked(struct snapshot_reader *r, const char *dir, const u8 *instance, u64 seq,
                        u32 kinds)
{
    int rc = snapshot_glance(r, dir, instance, seq);
    if (rc) return -1;
    for (u32 i = 0; !rc && i < r->manifest->sections; i++) {
        const struct snapshot_section *s = &r->manifest->section[i];
        if (s->kind > 31 ? kinds == SNAPSHOT_WHOLE : kinds >> s->kind & 1) rc = check_section(r, s);
    }
    if (rc) snapshot_close(r);
    return rc;
}

int snapshot_open(struct snapshot_reader *r, const char *dir, const u8 *instance, u64 seq)
{
    return open_checked(r, dir, instance, seq, SNAPSHOT_WHOLE);
}

int snapshot_peek(const char *dir, const u8 *instance, u64 seq, struct snapshot_info *info)
{
    struct snapshot_reader r;
    if (snapshot_glance(&r, dir, instance, seq)) return -1;
    *info = r.manifest->info;
    snapshot_close(&r);
    return 0;
}

void snapshot_close(struct snapshot_reader *r)
{
    if (r->fd >= 0) close(r->fd);
    free(r->block);
    free(r->packed);
    free(r->manifest);
    *r = (struct snapshot_reader){.fd = -1};
}

int snapshot_seek(struct snapshot_reader *r, enum snapshot_section_kind kind, u32 index)
{
    for (u32 i = 0; i < r->manifest->sections; i++) {
        const struct snapshot_section *s = &r->manifest->section[i];
        if (s->kind != (u32)kind || s->index != index) continue;
        r->section = s;
        r->at = s->offset;
        r->left = s->raw;
        r->given = r->filled = 0;
        return 1;
    }
    r->left = 0;
    return 0;
}

static int next_block(struct snapshot_reader *r)
{
    struct block_head head;
    u64 end = r->section->offset + r->section->stored;
    if (r->at + sizeof head > end) return damaged(r, r->at, "the section ends early");
    if (read_at(r, &head, sizeof head, r->at)) return -1;
    if (!head.raw || head.raw > SNAPSHOT_BLOCK || head.stored > head.raw ||
        r->at + sizeof head + head.stored > end)
        return damaged(r, r->at, "a block of an impossible size");
    bool packed = head.stored != head.raw;
    if (read_at(r, packed ? r->packed : r->block, head.stored, r->at + sizeof head)) return -1;
    if (packed && LZ4_decompress_safe((const char *)r->packed, (char *)r->block, (int)head.stored,
                                      (int)head.raw) != (int)head.raw)
        return damaged(r, r->at, "a block that does not unpack");
    r->at += sizeof head + head.stored;
    r->given = 0;
    r->filled = head.raw;
    if (r->tick) r->tick(r->context);
    return 0;
}

int snapshot_get(struct snapshot_reader *r, void *data, u64 bytes)
{
    if (bytes > r->left) return damaged(r, r->at, "the section is shorter than what it holds");
    for (u8 *p = data; bytes;) {
        if (r->given == r->filled && next_block(r)) return -1;
        u64 n = min_u64(bytes, r->filled - r->given);
        memcpy(p, r->block + r->given, n);
        r->given += n;
        r->left -= n;
        p += n;
        bytes -= n;
    }
    return 0;
}

/* --- The directory -----------------------------------------------------------------------------
 */

static int by_value(const void *a, const void *b)
{
    u64 x = *(const u64 *)a, y = *(const u64 *)b;
    return x < y ? -1 : x > y;
}

static bool seq_of(const char *name, u64 *seq)
{
    if (strlen(name) != 25 || strcmp(name + 20, ".snap") != 0) return false;
    if (strspn(name, "0123456789") != 20) return false;
    errno = 0;
    *seq = strtoull(name, NULL, 10);
    return errno == 0;
}

int snapshot_list(const char *dir, u64 **seqs)
{
    char path[320];
    snprintf(path, sizeof path, "%s/snapshots", dir);
    DIR *d = opendir(path);
    int count = 0;
    *seqs = NULL;
    if (!d && errno == ENOENT) return 0;
    if (!d)
        return err_set("listing %s: %s; check the rights on it, or restore the folder from a copy",
                       path, strerror(errno));
    for (struct dirent *e; (e = readdir(d));) {
        u64 seq;
        if (!seq_of(e->d_name, &seq)) continue;
        *seqs = realloc(*seqs, (size_t)(count + 1) * sizeof **seqs);
        CHECK(*seqs);
        (*seqs)[count++] = seq;
    }
    closedir(d);
    if (count) qsort(*seqs, (size_t)count, sizeof **seqs, by_value);
    return count;
}

static bool covers(const struct snapshot_info *need, const struct snapshot_info *info)
{
    bool enough = !need || info->account_seq <= need->account_seq;
    for (u32 i = 0; need && i < info->matchings; i++)
        enough = enough && info->match_seq[i] <= need->match_seq[i];
    return enough;
}

int snapshot_newest_of(struct snapshot_reader *r, const char *dir, const u8 *instance, u64 seq_most,
                       const struct snapshot_info *need, u32 kinds, snapshot_damaged_fn *tell,
                       void *context)
{
    u64 *seqs;
    int count = snapshot_list(dir, &seqs), found = count < 0 ? -1 : 0;
    while (!found && seqs && count-- > 0) {
        if (seqs[count] > seq_most) continue;
        if (open_checked(r, dir, instance, seqs[count], kinds)) {
            if (tell) tell(context, err_text());
            continue;
        }
        found = covers(need, &r->manifest->info);
        if (!found) snapshot_close(r);
    }
    free(seqs);
    return found;
}

int snapshot_newest(struct snapshot_reader *r, const char *dir, const u8 *instance, u64 seq_most,
                    const struct snapshot_info *need, snapshot_damaged_fn *tell, void *context)
{
    return snapshot_newest_of(r, dir, instance, seq_most, need, SNAPSHOT_WHOLE, tell, context);
}

static int remove_one(const char *dir, u64 seq)
{
    char path[320];
    snapshot_path(dir, seq, path);
    return unlink(path) ? err_sys("removing %s", path) : 0;
}

int snapshot_retire(const char *dir, const u8 *instance, u32 keep)
{
    u64 *seqs;
    struct snapshot_info info;
    int count = snapshot_list(dir, &seqs), rc = count < 0 ? -1 : 0;
    u32 kept = 0;
    for (int i = count - 1; seqs && !rc && i >= 0; i--) {
        if (kept == keep) rc = remove_one(dir, seqs[i]);
        else kept += snapshot_peek(dir, instance, seqs[i], &info) == 0;
    }
    free(seqs);
    return rc;
}

int snapshot_cut(const char *dir, const u8 *instance, u64 seq)
{
    u64 *seqs;
    struct snapshot_info info;
    int count = snapshot_list(dir, &seqs), rc = count < 0 ? -1 : 0, removed = 0;
    for (int i = count - 1; seqs && !rc && i >= 0 && seqs[i] > seq; i--) {
        if (snapshot_peek(dir, instance, seqs[i], &info)) continue;
        rc = remove_one(dir, seqs[i]);
        removed++;
    }
    free(seqs);
    return rc ? -1 : removed;
}
