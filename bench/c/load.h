/* What the parts of the load client share. `load_client.c` says what it is for. */
#ifndef LOAD_H
#define LOAD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

enum { MAX_STEPS = 64, MAX_LINE = 4096, MAX_SAMPLES = 1 << 20 };

enum action { EXPECT, SEND, BEGIN, END, LOOP, AGAIN, PAUSE, HOLD, CLOSED, FINISH, RESET, VANISH };
enum state { IDLE, CONNECTING, HANDSHAKING, RUNNING, HELD, OVER };

struct step {
    enum action action;
    char *text;
    char *skipped;
    size_t length;
    long number;
};

struct connection {
    SSL *tls;
    enum state state;
    int descriptor, step, loop_start;
    long rounds;
    size_t sent, held_octets;
    double began, wakes;
    char line[MAX_LINE];
};

/* What is counted; `active` are under way, `held` have reached `hold`. */
struct totals {
    long active, held, paused, done, errors, sample_count;
    char first_error[256];
    float *samples; /* microseconds */
};

extern struct step steps[MAX_STEPS];
extern int step_count;
extern struct totals totals;

/* load_script.c */
void read_script(const char *path);

/* load_connection.c */
double now(void);
void prepare_tls(void);
void open_connection(struct connection *connection, int epoll, int port, long number);
void advance(struct connection *connection);
void close_connection(struct connection *connection);

#endif
