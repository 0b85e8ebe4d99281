/* The floor that durable deliveries are compared with: the same octets on the same disk, and nothing else.
 *
 *   durable_appends FILE OCTETS COUNT COUNT_PER_SYNC
 *
 * Appends COUNT blocks of OCTETS to FILE, with one fdatasync(2) for each COUNT_PER_SYNC of them, and prints the seconds
 * that took. With COUNT_PER_SYNC = 1 it is a server with one client that waits for each answer; with more it is a server
 * that never lets a sync go to waste.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        errx(2, "usage: durable_appends FILE OCTETS COUNT COUNT_PER_SYNC");
    long octets = atol(argv[2]), count = atol(argv[3]), per_sync = atol(argv[4]);
    int file = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char *block = malloc((size_t)octets);

    if (file < 0 || block == NULL)
        err(1, "%s", argv[1]);
    memset(block, 'x', (size_t)octets);
    double start = now();
    for (long i = 1; i <= count; i++) {
        if (write(file, block, (size_t)octets) != octets)
            err(1, "write");
        if ((i % per_sync == 0 || i == count) && fdatasync(file) < 0)
            err(1, "fdatasync");
    }
    printf("%.6f\n", now() - start);
    return 0;
}
