/* One connection of the load client, from connect(2) to close(2): it does what its step says until it has to wait. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

enum { SOURCES = 200 };

struct totals totals;

static SSL_CTX *tls_context;

double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void prepare_tls(void)
{
    tls_context = SSL_CTX_new(TLS_client_method());
    if (tls_context == NULL || SSL_CTX_set_min_proto_version(tls_context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set1_groups_list(tls_context, "X25519") != 1)
        errx(1, "OpenSSL cannot be set up");
    SSL_CTX_set_session_cache_mode(tls_context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(tls_context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(tls_context, SSL_OP_IGNORE_UNEXPECTED_EOF);
}

void close_connection(struct connection *connection)
{
    if (connection->tls != NULL) {
        if (connection->state >= RUNNING)
            SSL_shutdown(connection->tls);
        SSL_free(connection->tls);
        ERR_clear_error();
    }
    close(connection->descriptor);
    if (connection->state == HELD)
        totals.held--;
    else
        totals.active--;
    connection->state = OVER;
}

static void fail(struct connection *connection, const char *reason)
{
    if (totals.errors++ == 0)
        snprintf(totals.first_error, sizeof totals.first_error, "step %d: %s", connection->step + 1, reason);
    close_connection(connection);
}

static bool start_tls(struct connection *connection)
{
    connection->tls = SSL_new(tls_context);
    if (connection->tls == NULL || SSL_set_fd(connection->tls, connection->descriptor) != 1)
        return false;
    SSL_set_connect_state(connection->tls);
    return true;
}

void open_connection(struct connection *connection, int epoll, int port, long number)
{
    struct sockaddr_in source = {.sin_family = AF_INET}, target = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = connection};
    int one = 1;

    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 + (in_addr_t)(number % SOURCES));
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (connection->descriptor < 0)
        err(1, "socket");
    setsockopt(connection->descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(connection->descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    totals.active++;
    connection->began = now();
    connection->state = CONNECTING;
    if (bind(connection->descriptor, (struct sockaddr *)&source, sizeof source) < 0 ||
        (connect(connection->descriptor, (struct sockaddr *)&target, sizeof target) < 0 && errno != EINPROGRESS) ||
        (tls_context != NULL && !start_tls(connection)) ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, connection->descriptor, &event) < 0)
        fail(connection, strerror(errno));
}

/* Octets read or written; 0 where it has to wait; -1 where the connection is broken or has ended. */
static long outcome(struct connection *connection, long result)
{
    if (result > 0)
        return result;
    if (connection->tls == NULL)
        return result < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    int reason = SSL_get_error(connection->tls, (int)result);
    return reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static long receive(struct connection *connection, char *octets, size_t size)
{
    if (connection->tls != NULL)
        return outcome(connection, SSL_read(connection->tls, octets, (int)size));
    return outcome(connection, recv(connection->descriptor, octets, size, 0));
}

static long transmit(struct connection *connection, const char *octets, size_t size)
{
    if (connection->tls != NULL)
        return outcome(connection, SSL_write(connection->tls, octets, (int)size));
    return outcome(connection, send(connection->descriptor, octets, size, MSG_NOSIGNAL));
}

/* Whether the step is done; false also when the connection has failed. */
static bool expect_line(struct connection *connection, const struct step *step)
{
    for (;;) {
        char *end = memchr(connection->line, '\n', connection->held_octets);

        if (end == NULL) {
            size_t room = MAX_LINE - connection->held_octets;
            long got = room ? receive(connection, connection->line + connection->held_octets, room) : -1;
            if (got < 0)
                fail(connection, room ? "the connection ended" : "a line is too long");
            if (got <= 0)
                return false;
            connection->held_octets += (size_t)got;
            continue;
        }
        size_t length = (size_t)(end - connection->line) + 1;
        char line[128] = "";
        memcpy(line, connection->line, length < sizeof line ? length - 1 : sizeof line - 1);
        connection->held_octets -= length;
        memmove(connection->line, end + 1, connection->held_octets);
        if (step->skipped != NULL && strncmp(line, step->skipped, strlen(step->skipped)) == 0)
            continue;
        if (strncmp(line, step->text, step->length) == 0)
            return true;
        fail(connection, line);
        return false;
    }
}

static bool send_text(struct connection *connection, const struct step *step)
{
    while (connection->sent < step->length) {
        long taken = transmit(connection, step->text + connection->sent, step->length - connection->sent);

        if (taken < 0)
            fail(connection, "the connection broke while sending");
        if (taken <= 0)
            return false;
        connection->sent += (size_t)taken;
    }
    connection->sent = 0;
    return true;
}

static bool pause_here(struct connection *connection, const struct step *step)
{
    if (connection->wakes == 0) {
        connection->wakes = now() + (double)step->number / 1e3;
        totals.paused++;
    }
    if (now() < connection->wakes)
        return false;
    connection->wakes = 0;
    totals.paused--;
    return true;
}

static void hold_here(struct connection *connection)
{
    connection->state = HELD;
    totals.active--;
    totals.held++;
}

static bool await_close(struct connection *connection)
{
    char octets[MAX_LINE];
    long got;

    while ((got = receive(connection, octets, sizeof octets)) > 0)
        continue;
    return got < 0;
}

/* What close(2) will do: send a RST, or (tcp_repair) nothing at all. */
static bool set_parting(struct connection *connection, enum action action)
{
    struct linger at_once = {.l_onoff = 1};
    int one = 1, failed;

    if (action == RESET)
        failed = setsockopt(connection->descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    else
        failed = setsockopt(connection->descriptor, IPPROTO_TCP, TCP_REPAIR, &one, sizeof one);
    if (failed)
        fail(connection, strerror(errno));
    return !failed;
}

static bool run_step(struct connection *connection, const struct step *step)
{
    switch (step->action) {
    case EXPECT:
        return expect_line(connection, step);
    case SEND:
        return send_text(connection, step);
    case PAUSE:
        return pause_here(connection, step);
    case BEGIN:
        if (connection->step > 0)
            connection->began = now();
        return true;
    case END:
        if (totals.sample_count < MAX_SAMPLES)
            totals.samples[totals.sample_count++] = (float)((now() - connection->began) * 1e6);
        return true;
    case LOOP:
        connection->loop_start = connection->step;
        return true;
    case AGAIN:
        if (++connection->rounds < step->number)
            connection->step = connection->loop_start;
        return true;
    case HOLD:
        hold_here(connection);
        return false;
    case CLOSED:
        return await_close(connection);
    case FINISH:
        shutdown(connection->descriptor, SHUT_WR);
        return true;
    case RESET:
    case VANISH:
        return set_parting(connection, step->action);
    }
    return false;
}

static void run(struct connection *connection)
{
    while (connection->step < step_count) {
        if (!run_step(connection, &steps[connection->step]))
            return;
        connection->step++;
    }
    totals.done++;
    close_connection(connection);
}

static void shake_hands(struct connection *connection)
{
    int result = SSL_do_handshake(connection->tls);

    if (result == 1) {
        connection->state = RUNNING;
        run(connection);
    } else if (outcome(connection, result) < 0) {
        fail(connection, "the TLS handshake failed");
    }
}

static void connected(struct connection *connection)
{
    int error = 0;
    socklen_t size = sizeof error;

    if (getsockopt(connection->descriptor, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0) {
        fail(connection, strerror(error));
        return;
    }
    connection->state = connection->tls != NULL ? HANDSHAKING : RUNNING;
    if (connection->tls != NULL)
        shake_hands(connection);
    else
        run(connection);
}

static void look_at_held(struct connection *connection)
{
    char octets[MAX_LINE];
    long got;

    while ((got = receive(connection, octets, sizeof octets)) > 0)
        continue;
    if (got < 0)
        fail(connection, "a held connection was closed");
}

void advance(struct connection *connection)
{
    switch (connection->state) {
    case CONNECTING:
        connected(connection);
        return;
    case HANDSHAKING:
        shake_hands(connection);
        return;
    case RUNNING:
        run(connection);
        return;
    case HELD:
        look_at_held(connection);
        return;
    case IDLE:
    case OVER:
        return;
    }
}
