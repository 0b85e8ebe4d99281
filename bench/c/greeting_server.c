/* The floor that accepting is compared with: the least that a server can do for a connection.
 *
 *   greeting_server PORT GREETING
 *
 * One thread, one epoll set: accept, send GREETING and CR LF, read until the client's end, close. It has no limits, no
 * deadlines, no log and no addresses, so no server that has them can be as cheap. Listens on 127.0.0.1, prints `ready`,
 * and runs until it is killed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096, EVENTS_PER_TURN = 256, ACCEPTS_PER_TURN = 64, LISTENING = -1 };

static char greeting[512];
static int greeting_length;

static int listen_on(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1, listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(listening, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(listening, (struct sockaddr *)&address, sizeof address) < 0 || listen(listening, BACKLOG) < 0)
        err(1, "port %d", port);
    return listening;
}

static void watch(int epoll, int descriptor, int tag)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = tag};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) < 0)
        err(1, "epoll_ctl");
}

static void accept_batch(int epoll, int listening)
{
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int accepted = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (accepted < 0)
            return;
        if (send(accepted, greeting, greeting_length, MSG_NOSIGNAL) != greeting_length) {
            close(accepted);
            continue;
        }
        watch(epoll, accepted, accepted);
    }
}

static void read_until_end(int descriptor)
{
    char octets[4096];

    if (recv(descriptor, octets, sizeof octets, 0) <= 0)
        close(descriptor);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS_PER_TURN];

    if (argc != 3)
        errx(2, "usage: greeting_server PORT GREETING");
    greeting_length = snprintf(greeting, sizeof greeting, "%s\r\n", argv[2]);
    int listening = listen_on(atoi(argv[1])), epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, listening, LISTENING);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS_PER_TURN, -1);

        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == LISTENING)
                accept_batch(epoll, listening);
            else
                read_until_end(events[i].data.fd);
        }
    }
}
