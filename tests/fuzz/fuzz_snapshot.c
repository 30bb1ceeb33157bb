/* fuzz_snapshot.c: whatever a snapshot holds, it is loaded or refused with a reason, and what was
 * loaded can be saved and loaded again. Sizes are those of the smallest exchange.
 *
 * Input: a byte that says what the rest is, 0 = sections, else a file. Sections: the state's
 * checksum, time, and sequences of the account and the match log, 8 bytes each; then of each
 * section its kind, its index, 2 bytes of length, and what it holds: so the fuzzer sees neither
 * blocks nor their checksums. A file is taken as it is, or (2) its checksums are mended.
 */
#include "procs/lib/replica.h"
#include "shm/crc32c.h"
#include "shm/err.h"
#include "tests/lib/small_topo.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEQ       5UL
#define INPUT_MAX (256UL << 10)

enum { SECTIONS = 0, MENDED = 2 };

/* A directory in memory-backed storage, made once; removed at exit. */
static char path[] = "/dev/shm/eidos-fuzz-XXXXXX";
static char file[128];
static const u8 instance[LOGFILE_INSTANCE] = "fuzz";

static void clean(void)
{
    char dir[64];
    snprintf(dir, sizeof dir, "%s/snapshots", path);
    unlink(file);
    rmdir(dir);
    rmdir(path);
}

static void open_once(void)
{
    char dir[64];
    if (file[0]) return;
    CHECK(mkdtemp(path));
    snprintf(dir, sizeof dir, "%s/snapshots", path);
    snprintf(file, sizeof file, "%s/%020lu.snap", dir, SEQ);
    CHECK(mkdir(dir, 0755) == 0);
    atexit(clean);
}

/* ---- making the file ---- */

static void write_sections(const u8 *data, size_t size)
{
    struct snapshot_writer w;
    u64 head[4] = {0};
    u64 n = min_u64(sizeof head, size);
    memcpy(head, data, n);
    data += n;
    size -= n;
    struct snapshot_info info = {.seq = SEQ,
                                 .time_ns = head[1],
                                 .account_seq = head[2],
                                 .match_seq = {head[3]},
                                 .matchings = 1,
                                 .checksum = head[0]};
    CHECK(snapshot_create(&w, path, instance) == 0);
    while (size >= 4 && w.manifest->sections < SNAPSHOT_SECTIONS_MAX) {
        u64 bytes = min_u64(data[2] | (u64)data[3] << 8, size - 4);
        CHECK(snapshot_begin(&w, data[0], data[1]) == 0 && snapshot_put(&w, data + 4, bytes) == 0);
        data += 4 + bytes;
        size -= 4 + bytes;
    }
    CHECK(snapshot_finish(&w, &info, NULL) == 0);
}

/* What the end of a file says of the manifest before it. */
struct trailer {
    u64 magic;
    u32 bytes, crc;
};

/* Right checksums, and an instance and a sequence that are ours. */
static void mend(u8 *data, u64 size)
{
    static struct snapshot_manifest m;
    struct trailer t;
    u64 least = offsetof(struct snapshot_manifest, section);
    if (size < 8 + least + sizeof t) return;
    u64 at = size - sizeof t;
    memcpy(&t, data + at, sizeof t);
    if (t.bytes < least || t.bytes > sizeof m || t.bytes > at - 8) return;
    memcpy(&m, data + at - t.bytes, t.bytes);
    memcpy(m.instance, instance, sizeof instance);
    m.info.seq = SEQ;
    for (u32 i = 0; i < m.sections && i < (t.bytes - least) / sizeof m.section[0]; i++) {
        struct snapshot_section *s = &m.section[i];
        bool inside = s->offset <= size && s->stored <= size - s->offset;
        if (inside) s->crc = crc32c(0, data + s->offset, s->stored);
    }
    t.crc = crc32c(0, &m, t.bytes);
    memcpy(data + at - t.bytes, &m, t.bytes);
    memcpy(data + at, &t, sizeof t);
}

static void write_file(const u8 *data, u64 size)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
}

/* ---- reading it ---- */

static void open_replica(struct replica *r)
{
    static const struct topo_params sizes = {SMALL_TOPO, .api = 1, .verify = 1, .matching = 1};
    const struct replica_config config = {
        .params = &sizes, .trading = true, .market = true, .matching_count = 1};
    CHECK(replica_open(r, &config) == 0);
}

/* True if it could be loaded. */
static bool load(struct replica *r, struct snapshot_info *info)
{
    struct snapshot_reader s;
    err_set("%s", "");
    open_replica(r);
    if (snapshot_open(&s, path, instance, SEQ)) {
        CHECK(strstr(err_text(), file));
        return false;
    }
    *info = s.manifest->info;
    int rc = replica_load(r, &s);
    CHECK(rc == 0 || err_text()[0]);
    snapshot_close(&s);
    return rc == 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    static u8 copy[INPUT_MAX];
    static struct replica r, again;
    struct snapshot_info info, back;
    if (size < 1 || size > sizeof copy) return 0;
    open_once();
    memcpy(copy, data + 1, size - 1);
    if (data[0] == MENDED) mend(copy, size - 1);
    if (data[0] == SECTIONS) write_sections(copy, size - 1);
    else write_file(copy, size - 1);
    if (load(&r, &info)) {
        CHECK(replica_save(&r, path, instance, NULL) == 0 && load(&again, &back));
        replica_info(&again, &info);
        CHECK(info.checksum == back.checksum);
        replica_close(&again);
    }
    replica_close(&r);
    return 0;
}
