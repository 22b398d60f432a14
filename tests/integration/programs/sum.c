/* A contest solution: a count, then as many numbers; prints their sum. Asks for a deep stack, as recursion does. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static long sum(const long *numbers, long count)
{
    return count == 0 ? 0 : numbers[0] + sum(numbers + 1, count - 1);
}

int main(void)
{
    struct rlimit stack;
    if (getrlimit(RLIMIT_STACK, &stack) != 0)
        return 2;
    stack.rlim_cur = stack.rlim_max;
    if (setrlimit(RLIMIT_STACK, &stack) != 0)
        return 3;
    long count;
    if (scanf("%ld", &count) != 1)
        return 4;
    long *numbers = calloc((size_t)count, sizeof *numbers);
    for (long i = 0; i < count; i++)
        if (scanf("%ld", &numbers[i]) != 1)
            return 5;
    printf("%ld\n", sum(numbers, count));
    free(numbers);
    return 0;
}
