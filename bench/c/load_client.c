/* The client of all measurements: many connections at a time, each going through the same script.
 *
 *   load_client [-t] -p PORT -n CONNECTIONS -c AT_A_TIME [-d SECONDS] SCRIPT
 *
 * -t speaks TLS 1.3 (X25519, a full handshake each time). Connections go to 127.0.0.1, from many addresses of 127/8 in
 * turn, so that ports do not run out. A script is a file of steps, one a line, fields separated by a TAB:
 *
 *   expect PREFIX [SKIPPED]   the next line that does not begin with SKIPPED has to begin with PREFIX
 *   send TEXT                 \r, \n and \xHH (two digits) are written as in C
 *   begin / end               take a latency sample from here to there; a `begin` in front counts from connect(2) on
 *   loop / again COUNT        go through the steps between COUNT times
 *   pause MILLISECONDS
 *   hold                      stay open and silent; when all connections do, print `held` and wait for standard input
 *
 *   closed                    wait until the server has ended the connection, whatever it says before
 *   finish                    say that nothing more will be sent (a FIN), and stay
 *   reset                     end the connection with a RST
 *   vanish                    be gone without a word, as a machine that lost its power; needs CAP_NET_ADMIN
 *
 * After the last step the client closes. Anything else than what the script expects is an error of that connection. The
 * answer is one line of JSON. -d is a deadline for everything; what is unfinished by then is an error.
 */
#define _GNU_SOURCE
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "load.h"

enum { EVENTS_PER_TURN = 256 };

static struct connection *connections;
static long wanted, at_a_time, opened;
static int port, epoll;

static void wake_paused(void)
{
    for (long i = 0; totals.paused > 0 && i < opened; i++) {
        if (connections[i].state == RUNNING && connections[i].wakes != 0 && now() >= connections[i].wakes)
            advance(&connections[i]);
    }
}

static void turn(double deadline)
{
    struct epoll_event events[EVENTS_PER_TURN];
    double left = deadline - now();
    int patience = totals.paused > 0 ? 1 : left > 0 ? (int)(left * 1e3) + 1 : 0;

    while (totals.active < at_a_time && opened < wanted) {
        open_connection(&connections[opened], epoll, port, opened);
        opened++;
    }
    int count = epoll_wait(epoll, events, EVENTS_PER_TURN, patience);
    for (int i = 0; i < count; i++)
        advance(events[i].data.ptr);
    wake_paused();
}

/* Stay with what is held until standard input says something or ends. */
static void stay_held(double deadline)
{
    struct epoll_event events[EVENTS_PER_TURN], event = {.events = EPOLLIN, .data.ptr = NULL};
    bool is_told = false;

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0)
        err(1, "standard input");
    while (!is_told && now() < deadline) {
        int count = epoll_wait(epoll, events, EVENTS_PER_TURN, 1000);

        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                is_told = true;
            else
                advance(events[i].data.ptr);
        }
    }
    totals.done += totals.held;
    for (long i = 0; i < opened; i++) {
        if (connections[i].state == HELD)
            close_connection(&connections[i]);
    }
}

static int by_value(const void *left, const void *right)
{
    float a = *(const float *)left, b = *(const float *)right;

    return (a > b) - (a < b);
}

static double percentile(double share)
{
    if (totals.sample_count == 0)
        return 0;
    return (double)totals.samples[(long)(share * (double)(totals.sample_count - 1) + 0.5)];
}

static void report(double seconds)
{
    qsort(totals.samples, (size_t)totals.sample_count, sizeof *totals.samples, by_value);
    for (char *octet = totals.first_error; *octet; octet++) {
        if (*octet == '"' || *octet == '\\' || (unsigned char)*octet < ' ')
            *octet = '\'';
    }
    printf("{\"done\":%ld,\"errors\":%ld,\"seconds\":%.6f,\"samples\":%ld,\"p50\":%.1f,\"p99\":%.1f,\"worst\":%.1f,"
           "\"first_error\":\"%s\"}\n",
           totals.done, wanted - totals.done, seconds, totals.sample_count, percentile(0.5), percentile(0.99),
           percentile(1.0), totals.first_error);
}

static double parse_options(int argc, char **argv)
{
    double seconds = 60;
    int option;

    while ((option = getopt(argc, argv, "tp:n:c:d:")) != -1) {
        switch (option) {
        case 't':
            prepare_tls();
            break;
        case 'p':
            port = atoi(optarg);
            break;
        case 'n':
            wanted = atol(optarg);
            break;
        case 'c':
            at_a_time = atol(optarg);
            break;
        case 'd':
            seconds = atof(optarg);
            break;
        default:
            exit(2);
        }
    }
    if (optind + 1 != argc || port == 0 || wanted < 1 || at_a_time < 1)
        errx(2, "usage: load_client [-t] -p PORT -n CONNECTIONS -c AT_A_TIME [-d SECONDS] SCRIPT");
    read_script(argv[optind]);
    return seconds;
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    double seconds = parse_options(argc, argv), start = now(), deadline = start + seconds;

    raise_descriptor_limit();
    connections = calloc((size_t)wanted, sizeof *connections);
    totals.samples = calloc(MAX_SAMPLES, sizeof *totals.samples);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || totals.samples == NULL || epoll < 0)
        err(1, "set-up");
    while ((totals.active > 0 || opened < wanted) && now() < deadline)
        turn(deadline);
    double end = now();
    if (totals.held > 0) {
        puts("held");
        fflush(stdout);
        stay_held(deadline);
    }
    report(end - start);
    return 0;
}
