/* fuzz_logfile.c: whatever stands in a journal file, the reader ends with a verdict and never reads
 * beyond; what it calls torn can be cut, and is then read to a clean end.
 *
 * Input: 8 bytes of mark (0 = none), then the file. A file of all zeros is given the right head,
 * and every record's checksum may be mended (first mark bit), so that the fuzzer gets past both.
 */
#include "procs/lib/logfile.h"
#include "shm/crc32c.h"
#include "shm/err.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define INPUT_MAX (64UL << 10)

static struct logdir dir;

/* A directory in memory-backed storage, made once; removed at exit. */
static char path[] = "/dev/shm/eidos-fuzz-XXXXXX";

static void clean(void)
{
    static const char *const names[] = {"journal/command-00000000000000000001.log", "journal/mark",
                                        "instance"};
    char file[128];
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(file, sizeof file, "%s/%s", path, names[i]);
        unlink(file);
    }
    snprintf(file, sizeof file, "%s/journal", path);
    rmdir(file);
    rmdir(path);
}

static void open_once(void)
{
    if (dir.dir[0]) return;
    CHECK(mkdtemp(path) && logdir_open(&dir, path, true) == 0);
    atexit(clean);
}

static void give_head(u8 *file)
{
    struct logfile_head *head = (struct logfile_head *)(void *)file;
    *head = (struct logfile_head){
        .magic = LOGFILE_MAGIC, .version = LOGFILE_VERSION, .log = "command", .first_seq = 1};
    memcpy(head->instance, dir.instance, LOGFILE_INSTANCE);
    head->segment_bytes = INPUT_MAX;
    head->crc = crc32c(0, file, LOGFILE_HEAD_BYTES);
}

/* Give whatever claims to be a record or batch a right checksum. */
static void mend(u8 *file, u64 size)
{
    for (u64 at = LOGFILE_HEAD_BYTES; at + sizeof(struct rec) <= size;) {
        struct rec *rec = (struct rec *)(void *)(file + at);
        if (rec->length < sizeof *rec || rec->length > size - at || rec->length % 8) return;
        rec->crc = 0;
        rec->crc = crc32c(0, rec, rec->length);
        at += rec->length;
    }
}

static void write_file(const char *name, const void *data, u64 size)
{
    int fd = openat(dir.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
}

static void set_mark(u64 synced)
{
    struct logfile_mark mark;
    unlinkat(dir.fd, "mark", 0);
    if (!synced) return;
    int fd = logfile_mark_open(&dir, &mark);
    CHECK(fd >= 0);
    mark.synced[LOG_COMMAND] = synced;
    CHECK(logfile_mark_write(fd, &mark, false) == 0);
    close(fd);
}

static enum logfile_status read_all(u64 *last)
{
    struct logfile_reader r;
    const struct rec *rec;
    u64 seq = 0;
    enum logfile_status status = logfile_open(&r, &dir, LOG_COMMAND, 0, UINT64_MAX);
    if (status == LOGFILE_END)
        while ((status = logfile_next(&r, &rec)) == LOGFILE_RECORD) {
            CHECK(rec->seq == ++seq && rec->length <= RECORD_BYTES_MAX);
            static u8 copy[RECORD_BYTES_MAX];
            memcpy(copy, rec, rec->length);
        }
    CHECK(r.seq == seq);
    if (status > LOGFILE_RECORD) CHECK(r.fault.cause[0] && r.fault.remedy[0] && err_text()[0]);
    logfile_close(&r);
    *last = seq;
    return status;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    alignas(8) static u8 file[INPUT_MAX];
    static const u8 zeros[LOGFILE_HEAD_BYTES];
    u64 mark, last, again;
    if (size < sizeof mark || size - sizeof mark > sizeof file) return 0;
    open_once();
    memcpy(&mark, data, sizeof mark);
    size -= sizeof mark;
    memcpy(file, data + sizeof mark, size);
    if (size >= LOGFILE_HEAD_BYTES && !memcmp(file, zeros, sizeof zeros)) give_head(file);
    if (mark & 1) mend(file, size);
    write_file("command-00000000000000000001.log", file, size);
    set_mark(mark >> 1 & 0xff);
    if (read_all(&last) == LOGFILE_TORN) {
        CHECK(logfile_cut(&dir, LOG_COMMAND, last) == 0);
        CHECK(read_all(&again) == LOGFILE_END && again == last);
    }
    return 0;
}
