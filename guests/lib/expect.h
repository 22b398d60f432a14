/* How a guest speaks and ends: exit 0 only when it saw what its first comment promises; one line "FAIL: what" on
 * standard error and exit 1 otherwise; 77 when the thing cannot be tested here. Every line is one write(2), made
 * without the C library, so that children sharing their parent's memory may use all of this. */
#ifndef GUEST_EXPECT_H
#define GUEST_EXPECT_H

#include <stdarg.h>
#include <stddef.h>

#include "raw.h"

enum { CANNOT_BE_TESTED = 77, LINE_SIZE = 512 };

struct line {
    char text[LINE_SIZE];
    size_t length;
};

static inline void line_char(struct line *line, char c)
{
    if (line->length < LINE_SIZE - 1)
        line->text[line->length++] = c;
}

static inline void line_text(struct line *line, const char *text)
{
    for (; *text; text++)
        line_char(line, *text);
}

static inline void line_number(struct line *line, unsigned long number, unsigned base)
{
    char digits[24];
    int count = 0;

    do
        digits[count++] = "0123456789abcdef"[number % base];
    while ((number /= base));
    while (count)
        line_char(line, digits[--count]);
}

static inline void line_signed(struct line *line, long number)
{
    if (number < 0)
        line_char(line, '-');
    line_number(line, number < 0 ? 0UL - (unsigned long)number : (unsigned long)number, 10);
}

/* Only what the guests use of printf: %d, %ld, %lx (with its 0x), %s. */
static inline void line_format(struct line *line, const char *format, va_list args)
{
    for (; *format; format++) {
        if (*format != '%') {
            line_char(line, *format);
            continue;
        }
        switch (*++format) {
        case 'd':
            line_signed(line, va_arg(args, int));
            break;
        case 's':
            line_text(line, va_arg(args, const char *));
            break;
        default:
            if (*++format == 'd') {
                line_signed(line, va_arg(args, long));
            } else {
                line_text(line, "0x");
                line_number(line, va_arg(args, unsigned long), 16);
            }
        }
    }
    line->text[line->length++] = '\n';
}

static inline void line_write(const struct line *line, int fd)
{
    raw(SYS_write, fd, line->text, line->length);
}

/* One line on standard output. */
static inline __attribute__((format(printf, 1, 2))) void say(const char *format, ...)
{
    struct line line = {.length = 0};
    va_list args;

    va_start(args, format);
    line_format(&line, format, args);
    va_end(args);
    line_write(&line, 1);
}

/* One line on standard error, and the whole process ends with `status`. */
static inline _Noreturn void give_up(int status, const char *why, const char *format, va_list args)
{
    struct line line = {.length = 0};

    line_text(&line, why);
    line_format(&line, format, args);
    line_write(&line, 2);
    for (;;)
        raw(SYS_exit_group, status);
}

static inline _Noreturn __attribute__((format(printf, 1, 2))) void fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    give_up(1, "FAIL: ", format, args);
}

static inline _Noreturn __attribute__((format(printf, 1, 2))) void cannot_be_tested(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    give_up(CANNOT_BE_TESTED, "cannot be tested here: ", format, args);
}

/* For a guest that should be dead by now. */
static inline _Noreturn void not_reached(void)
{
    say("not reached");
    for (;;)
        raw(SYS_exit_group, 1);
}

static inline void expect_that(int holds, const char *what)
{
    if (!holds)
        fail("%s", what);
}

static inline void expect_same(long got, long want, const char *what)
{
    if (got != want)
        fail("%s: got %ld (%lx), want %ld (%lx)", what, got, (unsigned long)got, want, (unsigned long)want);
}

#define expect(condition, what) expect_that(!!(condition), what)
#define expect_equal(got, want, what) expect_same((long)(got), (long)(want), what)

static inline int same_text(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/* The word after the program's name that says where it runs: "ostoo" is 1, "native" is 0, all else is misuse. */
static inline int runs_under_ostoo(int argc, char **argv)
{
    if (argc < 2 || (!same_text(argv[1], "ostoo") && !same_text(argv[1], "native")))
        fail("say where this runs: %s native|ostoo", argv[0]);
    return same_text(argv[1], "ostoo");
}

static inline int has_word(char **argv, const char *word)
{
    for (; *argv; argv++)
        if (same_text(*argv, word))
            return 1;
    return 0;
}

/* A decimal or, after 0x, hexadecimal number; any other character is misuse. */
static inline unsigned long to_number(const char *text)
{
    unsigned long base = 10, number = 0;

    if (text[0] == '0' && text[1] == 'x') {
        base = 16;
        text += 2;
    }
    expect(*text, "a number is missing");
    for (; *text; text++) {
        unsigned long digit = *text >= 'a' ? (unsigned long)(*text - 'a' + 10) : (unsigned long)(*text - '0');

        expect(digit < base, "not a number");
        number = number * base + digit;
    }
    return number;
}

/* Some real work that needs no system call beyond ostoo's: time passes, the scheduler may run others. */
static inline void linger(int turns)
{
    for (int i = 0; i < turns; i++)
        raw(SYS_getpid);
}

#endif
