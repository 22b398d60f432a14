/* What `run-untrusted-binary` and `sandboxctl` are: a program that starts the right Python isolated.
 *
 * Python reads PYTHONPATH (an empty entry is the working directory), sitecustomize and .pth files before the first line
 * of a script, so a script cannot protect itself. This starts `INTERPRETER -I -S START PROGRAM ARG...`, where START is
 * the file `ostoo-sandbox-start` beside it and INTERPRETER comes from that file's first line: pip writes it there, as
 * into every script whose first line is `#!python`. Built twice, with PROGRAM and FAILED, its exit status where that
 * cannot be done. The environment is passed on as it is: the run may be asked for variables of it (--env NAME). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define START "ostoo-sandbox-start"
#define HEAD 16384

static void fail(const char *format, ...)
{
    char text[2 * PATH_MAX];
    va_list arguments;
    size_t length;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    length = strlen(text);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
    dprintf(2, "%s: %s\n", PROGRAM, text);
    exit(FAILED);
}

/* In a PID namespace that has another one's /proc, /proc/self is missing or not to be trusted. */
static int proc_is_ours(void)
{
    char text[32];
    ssize_t length = readlink("/proc/self", text, sizeof text - 1);

    if (length < 0)
        return 0;
    text[length] = 0;
    return atol(text) == (long)getpid();
}

/* This file, whatever links led to it. */
static void find_self(char path[PATH_MAX])
{
    const char *called = (const char *)getauxval(AT_EXECFN);
    ssize_t length;

    if (proc_is_ours() && (length = readlink("/proc/self/exe", path, PATH_MAX - 1)) > 0) {
        path[length] = 0;
        return;
    }
    if (!called || !realpath(called, path))
        fail("cannot find its own file: %s", strerror(errno));
}

/* The first lines of START, as one string. */
static void read_head(const char *path, char head[HEAD])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t have = 0;
    ssize_t got = 0;

    if (fd < 0)
        fail("%s: %s: install ostoo-sandbox again; this program cannot be copied alone", path, strerror(errno));
    while (have < HEAD - 1 && (got = read(fd, head + have, HEAD - 1 - have)) > 0)
        have += (size_t)got;
    if (got < 0)
        fail("%s: %s", path, strerror(errno));
    head[have] = 0;
    close(fd);
}

/* What an installer made of `#!python`: `#!PATH`, or, where a kernel could not run that (a space in it, too long),
 * a script for a shell whose second line is `'''exec' PATH "$0" "$@"`. NULL for anything else. */
static char *interpreter_of(char *head)
{
    static const char exec[] = "'''exec' ";
    char *line, *end = strchr(head, '\n');

    if (strncmp(head, "#!", 2) || !end)
        return NULL;
    *end = 0;
    if (strcmp(head, "#!/bin/sh"))
        return head[2] == '/' ? head + 2 : NULL;
    line = end + 1;
    if (strncmp(line, exec, sizeof exec - 1))
        return NULL;
    line += sizeof exec - 1;
    if (*line == '\'' || *line == '"')
        end = strchr(line + 1, *line), line++;
    else
        end = strchr(line, ' ');
    if (*line != '/' || !end)
        return NULL;
    *end = 0;
    return line;
}

/* A virtual environment that was moved: its interpreter lies beside us still. */
static int is_in_venv(const char *directory)
{
    char path[2 * PATH_MAX];

    snprintf(path, sizeof path, "%s/../pyvenv.cfg", directory);
    return access(path, F_OK) == 0;
}

static void start(const char *interpreter, const char *script, int argc, char **argv)
{
    char **words = calloc((size_t)argc + 6, sizeof *words);
    int count = 0;

    if (!words)
        fail("out of memory");
    words[count++] = (char *)interpreter; /* Python finds its library by this */
    words[count++] = "-I";
    words[count++] = "-S";
    words[count++] = (char *)script;
    words[count++] = PROGRAM;
    for (int i = 1; i < argc; i++)
        words[count++] = argv[i];
    execv(interpreter, words);
    free(words);
}

int main(int argc, char **argv)
{
    static char self[PATH_MAX], script[2 * PATH_MAX], beside[2 * PATH_MAX], head[HEAD];
    const char *interpreter;
    char *slash;
    int error;

    find_self(self);
    slash = strrchr(self, '/');
    if (!slash)
        fail("cannot find its own file: %s", self);
    *slash = 0;
    snprintf(script, sizeof script, "%s/%s", self, START);
    read_head(script, head);
    interpreter = interpreter_of(head);
    if (interpreter) {
        start(interpreter, script, argc, argv);
        if (errno != ENOENT && errno != ENOTDIR)
            fail("cannot start its Python, %s: %s", interpreter, strerror(errno));
    }
    error = interpreter ? errno : 0;
    if (is_in_venv(self)) {
        snprintf(beside, sizeof beside, "%s/python3", self);
        start(beside, script, argc, argv);
        fail("cannot start its Python, %s: %s; install ostoo-sandbox again", beside, strerror(errno));
    }
    if (!interpreter)
        fail("%s does not name the Python it was installed for; install ostoo-sandbox again with pip", script);
    fail("cannot start its Python, %s: %s; install ostoo-sandbox again", interpreter, strerror(error));
}
