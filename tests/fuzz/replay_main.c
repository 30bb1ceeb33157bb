/* replay_main.c: feeds files to a fuzz target, so that every input that ever mattered runs in CI
 * without libFuzzer:  replay/fuzz_NAME DIRECTORY|FILE...
 * No input at all is a failure: an empty corpus proves nothing.
 */
#include "shm/base.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX (16UL << 20)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static u64 files_run;

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return -1;
    }
    u8 *buffer = malloc(INPUT_MAX);
    CHECK(buffer);
    size_t size = fread(buffer, 1, INPUT_MAX, f);
    fclose(f);
    u8 *exact = malloc(size ? size : 1); /* its own block: a read past the end is seen */
    CHECK(exact);
    memcpy(exact, buffer, size);
    free(buffer);
    printf("%s\n", path); /* the last line printed names the input that crashed */
    fflush(stdout);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    files_run++;
    return 0;
}

static int replay_dir(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0) {
        perror(path);
        return -1;
    }
    int result = 0;
    for (int i = 0; i < n; i++) {
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && replay_file(file)) result = -1;
        free(entries[i]);
    }
    free(entries);
    return result;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        bool is_dir = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);
        if (is_dir ? replay_dir(argv[i]) : replay_file(argv[i])) failed = 1;
    }
    printf("%lu inputs replayed\n", files_run);
    if (files_run == 0) fprintf(stderr, "no inputs: give a directory with a corpus\n");
    return failed || files_run == 0;
}
