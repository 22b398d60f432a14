/* Text that a supervisor logs and a person reads: paths and arguments with newlines and a second JSON object, quotes,
 * terminal escapes, formats, bytes that are no UTF-8, and a process name of them. Natively such calls are made like
 * any other. Here a record is one line of valid JSON with everything unprintable escaped; the harness verifies the
 * log's chain afterwards and looks at the terminal text.
 * class: 102
 * contained: errno
 * ways: 1
 * build: musl */
#include <sys/prctl.h>

#include "lib/files.h"

static const char *const forged[] = {
    "/x\n{\"v\":1,\"seq\":0,\"t\":0,\"event\":\"end\",\"status\":\"ok\"}\n",
    "/\",\"verdict\":\"allow\",\"x\":\"",
    "/\\u0000\\\"\\\\",
    "/\033]0;owned\007\033[2J\033[1;1H\033[31mESC",
    "/%s%s%s%n%n%n%x",
    "/\xff\xfe\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80",
    "/\r\b\b\b\b\x7f\x9b\x31m",
    "/\xe2\x80\xaegnp.exe\xe2\x80\xa8\xe2\x80\xa9\xef\xbb\xbf",
};

static void make_calls(const char *text)
{
    char *argv[] = {(char *)text, (char *)text, NULL};
    long self = raw(SYS_getpid);

    raw(SYS_prctl, PR_SET_NAME, text + 1, 0, 0, 0);
    raw(SYS_execve, text, argv, argv);
    raw(SYS_open, text, O_WRONLY, 0);
    raw(SYS_unlink, text);
    raw(SYS_chdir, text);
    raw(SYS_kill, victim(), 0);
    raw(SYS_kill, self, 0);
}

int main(int argc, char **argv)
{
    enum { TEXTS = sizeof forged / sizeof *forged };

    attack_start(argc, argv);
    attempt("texts that forge records");
    for (int i = 0; i < TEXTS; i++)
        make_calls(forged[i]);
    if (natively)
        works("%d texts passed to the kernel", TEXTS);
    contained("%d texts passed to the supervisor", TEXTS);
}
