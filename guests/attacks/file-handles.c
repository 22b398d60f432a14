/* A file by its handle, which holds an inode and no path: name_to_handle_at takes it, open_by_handle_at opens it, with
 * any descriptor of the same file system. Handles can also be guessed. Natively root reads the secret. Here
 * open_by_handle_at is refused, and without its capability the kernel refuses it as well.
 * class: 124
 * contained: errno
 * ways: 2
 * build: musl */
#include "lib/files.h"

static union {
    struct file_handle head;
    char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
} handle;

int main(int argc, char **argv)
{
    int mount = 0;
    long place, got;

    attack_start(argc, argv);
    handle.head.handle_bytes = MAX_HANDLE_SZ;
    got = raw(SYS_name_to_handle_at, AT_FDCWD, secret(), &handle, &mount, 0);
    if (got < 0)
        handle.head.handle_bytes = 8; /* a guess: an inode's number and generation */
    handle.head.handle_type = got < 0 ? 1 : handle.head.handle_type;
    place = open_path(work_dir(), O_RDONLY | O_DIRECTORY);
    for (long inode = 0; inode < (natively ? 1 : 16); inode++) {
        got = raw(SYS_open_by_handle_at, place, &handle, O_RDONLY);
        way(fd_tells(got), "the secret by its handle");
        if (!natively)
            way(got >= 0, "a file by a handle");
        if (!natively)
            memcpy(handle.head.f_handle, &inode, sizeof inode);
    }
    not_natively("a file by a handle", "only the secret's is tried");
    if (natively && got == -EPERM)
        cannot("only root (CAP_DAC_READ_SEARCH) opens by handle");
    ways_end("file handles");
}
