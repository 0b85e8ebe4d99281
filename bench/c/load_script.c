/* Reading the script of the load client. `load_client.c` says what a script looks like. */
#define _GNU_SOURCE
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

struct step steps[MAX_STEPS];
int step_count;

static const char *const ACTIONS[] = {"expect", "send",   "begin",  "end",   "loop", "again",
                                      "pause",  "hold",   "closed", "finish", "reset", "vanish"};

static void unescape(struct step *step)
{
    char *out = step->text;
    unsigned int octet;

    for (const char *in = step->text; *in; in++, out++) {
        if (in[0] == '\\' && (in[1] == 'r' || in[1] == 'n')) {
            *out = *++in == 'r' ? '\r' : '\n';
        } else if (in[0] == '\\' && in[1] == 'x' && sscanf(in + 2, "%2x", &octet) == 1) {
            *out = (char)octet;
            in += 3;
        } else {
            *out = *in;
        }
    }
    *out = '\0';
    step->length = (size_t)(out - step->text);
}

static void parse_step(char *line)
{
    struct step *step = &steps[step_count++];
    char *word = strsep(&line, "\t"), *text = strsep(&line, "\t");
    size_t action = 0;

    while (action < sizeof ACTIONS / sizeof *ACTIONS && strcmp(word, ACTIONS[action]) != 0)
        action++;
    if (action == sizeof ACTIONS / sizeof *ACTIONS || step_count == MAX_STEPS)
        errx(2, "script: %s", word);
    step->action = (enum action)action;
    step->text = strdup(text ? text : "");
    step->skipped = line && *line ? strdup(line) : NULL;
    step->number = atol(step->text);
    unescape(step);
}

void read_script(const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t size = 0;

    if (file == NULL)
        err(2, "%s", path);
    while (getline(&line, &size, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (*line)
            parse_step(line);
    }
    free(line);
    fclose(file);
}
