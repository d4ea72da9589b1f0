/* Notes how much of each file is surely on the disk: preloaded into a server, it appends a line "size path" to a
 * file whenever the server has synced a file. The size is that before the sync, so it is never too much. What a
 * power cut may take is what was written beyond it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int notes = -1;

__attribute__((constructor)) static void open_notes(void) {
    const char *path = getenv("SYNCED_NOTES");
    if (path) {
        notes = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    }
}

static int sync_and_note(long call, int file) {
    char link[64], path[4096], line[4200];
    struct stat before;
    int is_known = fstat(file, &before) == 0;
    int failed = (int)syscall(call, file);
    if (failed || !is_known || notes < 0) {
        return failed;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length > 0) {
        path[length] = 0;
        int bytes = snprintf(line, sizeof line, "%lld %s\n", (long long)before.st_size, path);
        if (write(notes, line, (size_t)bytes) != bytes) {
            abort();
        }
    }
    return failed;
}

int fsync(int file) { return sync_and_note(SYS_fsync, file); }

int fdatasync(int file) { return sync_and_note(SYS_fdatasync, file); }
