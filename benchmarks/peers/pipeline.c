/*
 * The pipeline benchmark in C: one event calendar, the same statistics as every other program here.
 *
 *   gcc -O3 -march=native -o pipeline pipeline.c -lm
 *   ./pipeline ORDERS SEED            prints one line of JSON
 *
 * It is the program to beat, so it is written to be fast within its design: a 4-ary heap of 16-byte entries whose
 * root is replaced in place, records of messages that are reused, lines that are lists threaded through those
 * records, and histograms that are indexed by the leading bits of the number itself.
 *
 * Orders are published by a Poisson process and pass four first-come-first-served stages. A failed attempt holds
 * its slot to the end, waits, and joins the tail of its own stage again.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STAGES = 4, ARITY = 4 };
enum { PUBLISH = 0, COMPLETE = 1, RETRY = COMPLETE + STAGES };        /* kind of event, plus the stage for the last two */

static const double ARRIVAL_RATE_PER_S = 0.12;

/* ---- chance: xoshiro256+ seeded by splitmix64 (Blackman and Vigna) ---------------------------------------------- */

static uint64_t random_state[4];

static void seed_random(uint64_t seed) {
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        random_state[i] = z ^ (z >> 31);
    }
}

static inline double uniform(void) {                                    /* [0, 1), 53 bits */
    uint64_t *s = random_state;
    const uint64_t result = s[0] + s[3], t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    return (double)(result >> 11) * 0x1p-53;
}

static inline double exponential(double rate) { return -log(1.0 - uniform()) / rate; }

/* ---- histograms: 128 buckets for each doubling, so the middle of a bucket is within 0.4% ------------------------ */

enum { MANTISSA_BITS = 7, SMALLEST_EXPONENT = -40, LARGEST_EXPONENT = 40 };
enum { BUCKETS = ((LARGEST_EXPONENT - SMALLEST_EXPONENT) << MANTISSA_BITS) + 1 };

typedef struct {
    uint64_t count[BUCKETS];
    uint64_t n;
    double sum, max;
} Histogram;

static inline void record(Histogram *h, double x) {
    const int64_t lowest = (int64_t)(1023 + SMALLEST_EXPONENT) << MANTISSA_BITS;
    int64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int64_t bucket = (bits >> (52 - MANTISSA_BITS)) - lowest + 1;
    bucket = bucket < 0 ? 0 : bucket;                                   /* zero and what is below 1e-12 s */
    bucket = bucket < BUCKETS ? bucket : BUCKETS - 1;
    h->count[bucket]++;
    h->n++;
    h->sum += x;
    h->max = x > h->max ? x : h->max;
}

static double quantile(const Histogram *h, double p) {
    const double target = p * (double)h->n;
    double below = 0;
    for (int bucket = 0; bucket < BUCKETS; bucket++) {
        below += (double)h->count[bucket];
        if (below >= target && h->count[bucket]) {
            if (bucket == 0) return 0.0;
            const int cell = bucket - 1, exponent = SMALLEST_EXPONENT + (cell >> MANTISSA_BITS);
            const double within = (double)(cell & ((1 << MANTISSA_BITS) - 1)) + 0.5;
            return ldexp(1.0 + within / (1 << MANTISSA_BITS), exponent);
        }
    }
    return h->max;
}

/* ---- state ------------------------------------------------------------------------------------------------------ */

typedef struct {
    double published;                                                   /* s, when the order began */
    double first_visible;                                               /* s, when it first came to its present stage */
    double visible;                                                     /* s, when it last joined the line there */
    double started;                                                     /* s, when its present attempt began */
    uint32_t next;                                                      /* behind it in the line, or the next free record */
} Message;

typedef struct {
    double shortest, range;                                             /* service time, uniform, s */
    double failure_probability, retry_shortest, retry_range;
    uint32_t slots, busy;
    uint32_t head, tail, waiting;
    uint64_t attempts, succeeded, failed;
    double changed;                                                     /* s, when `waiting` last changed */
    double waiting_area, busy_s;                                        /* message-seconds, slot-seconds */
    uint32_t waiting_max;
    Histogram wait, service, sojourn;
} Stage;

typedef struct {
    double time;
    uint64_t word;                                                      /* sequence << 24 | kind << 20 | message */
} Event;

enum { MESSAGE_BITS = 20, KIND_BITS = 4 };

static Stage stages[STAGES];
static Histogram latency;
static Message *messages;
static uint32_t free_message, messages_made, messages_capacity;
static Event *calendar;
static uint32_t calendar_length, calendar_capacity;
static uint64_t sequence;
static const uint32_t NOBODY = UINT32_MAX;

/* ---- calendar --------------------------------------------------------------------------------------------------- */

static inline int is_before(Event a, Event b) { return a.time < b.time || (a.time == b.time && a.word < b.word); }

static inline Event make_event(double time, uint32_t kind, uint32_t message) {
    return (Event){time, (sequence++ << (MESSAGE_BITS + KIND_BITS)) | ((uint64_t)kind << MESSAGE_BITS) | message};
}

static inline void schedule(double time, uint32_t kind, uint32_t message) {
    if (calendar_length == calendar_capacity) {
        calendar_capacity *= 2;
        calendar = realloc(calendar, calendar_capacity * sizeof *calendar);
        if (!calendar) exit(3);
    }
    const Event event = make_event(time, kind, message);
    uint32_t hole = calendar_length++;
    while (hole > 0) {
        const uint32_t parent = (hole - 1) / ARITY;
        if (!is_before(event, calendar[parent])) break;
        calendar[hole] = calendar[parent];
        hole = parent;
    }
    calendar[hole] = event;
}

static inline void sink_root(Event event) {                             /* puts `event` where the root was */
    uint32_t hole = 0;
    for (;;) {
        const uint32_t first = hole * ARITY + 1;
        if (first >= calendar_length) break;
        const uint32_t end = first + ARITY < calendar_length ? first + ARITY : calendar_length;
        uint32_t earliest = first;
        for (uint32_t child = first + 1; child < end; child++)
            if (is_before(calendar[child], calendar[earliest])) earliest = child;
        if (!is_before(calendar[earliest], event)) break;
        calendar[hole] = calendar[earliest];
        hole = earliest;
    }
    calendar[hole] = event;
}

static inline void replace_first(double time, uint32_t kind, uint32_t message) { sink_root(make_event(time, kind, message)); }

static inline void remove_first(void) {
    calendar_length--;
    if (calendar_length) sink_root(calendar[calendar_length]);
}

/* ---- messages and stages ---------------------------------------------------------------------------------------- */

static inline uint32_t take_message(double now) {
    uint32_t m = free_message;
    if (m != NOBODY) {
        free_message = messages[m].next;
    } else {
        if (messages_made == messages_capacity) {
            messages_capacity *= 2;
            if (messages_capacity > 1u << MESSAGE_BITS) exit(3);
            messages = realloc(messages, messages_capacity * sizeof *messages);
            if (!messages) exit(3);
        }
        m = messages_made++;
    }
    messages[m].published = now;
    return m;
}

static inline void waiting_changes(Stage *stage, double now) {
    stage->waiting_area += stage->waiting * (now - stage->changed);
    stage->changed = now;
}

/* Begins an attempt; returns the time at which it ends. */
static inline double begin(Stage *stage, uint32_t m, double now) {
    stage->attempts++;
    messages[m].started = now;
    record(&stage->wait, now - messages[m].visible);
    return now + stage->shortest + stage->range * uniform();
}

static inline void join(uint32_t s, uint32_t m, double now) {
    Stage *stage = &stages[s];
    messages[m].visible = now;
    if (stage->busy < stage->slots) {
        stage->busy++;
        schedule(begin(stage, m, now), COMPLETE + s, m);
        return;
    }
    waiting_changes(stage, now);
    messages[m].next = NOBODY;
    if (stage->waiting++) messages[stage->tail].next = m;
    else stage->head = m;
    stage->tail = m;
    if (stage->waiting > stage->waiting_max) stage->waiting_max = stage->waiting;
}

static inline void complete(uint32_t s, uint32_t m, double now) {
    Stage *stage = &stages[s];
    Message *message = &messages[m];
    const double service = now - message->started;
    record(&stage->service, service);
    stage->busy_s += service;

    if (stage->waiting) {                                               /* the slot takes the next one at once */
        waiting_changes(stage, now);
        const uint32_t next = stage->head;
        stage->head = messages[next].next;
        stage->waiting--;
        replace_first(begin(stage, next, now), COMPLETE + s, next);
    } else {
        stage->busy--;
        remove_first();
    }

    if (stage->failure_probability > 0 && uniform() < stage->failure_probability) {
        stage->failed++;
        schedule(now + stage->retry_shortest + stage->retry_range * uniform(), RETRY + s, m);
        return;
    }
    stage->succeeded++;
    record(&stage->sojourn, now - message->first_visible);
    if (s + 1 < STAGES) {
        message->first_visible = now;
        join(s + 1, m, now);
    } else {
        record(&latency, now - message->published);
        message->next = free_message;
        free_message = m;
    }
}

static uint64_t simulate(double duration) {
    uint64_t orders = 0;
    schedule(exponential(ARRIVAL_RATE_PER_S), PUBLISH, 0);
    while (calendar[0].time < duration) {
        const double now = calendar[0].time;
        const uint32_t kind = (calendar[0].word >> MESSAGE_BITS) & ((1u << KIND_BITS) - 1);
        const uint32_t m = calendar[0].word & ((1u << MESSAGE_BITS) - 1);
        if (kind == PUBLISH) {
            replace_first(now + exponential(ARRIVAL_RATE_PER_S), PUBLISH, 0);
            const uint32_t order = take_message(now);
            messages[order].first_visible = now;
            orders++;
            join(0, order, now);
        } else if (kind < RETRY) {
            complete(kind - COMPLETE, m, now);
        } else {
            remove_first();
            join(kind - RETRY, m, now);
        }
    }
    for (int s = 0; s < STAGES; s++) waiting_changes(&stages[s], duration);
    for (uint32_t i = 0; i < calendar_length; i++) {                    /* attempts cut by the end of the run */
        const uint32_t kind = (calendar[i].word >> MESSAGE_BITS) & ((1u << KIND_BITS) - 1);
        const uint32_t m = calendar[i].word & ((1u << MESSAGE_BITS) - 1);
        if (kind >= COMPLETE && kind < RETRY) stages[kind - COMPLETE].busy_s += duration - messages[m].started;
    }
    return orders;
}

/* ---- the program ------------------------------------------------------------------------------------------------ */

static double cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void print_statistics(const char *name, const Histogram *h) {
    printf("\"%s\": {\"count\": %llu, \"mean\": %.9g, \"p50\": %.9g, \"p99\": %.9g, \"max\": %.9g}", name,
           (unsigned long long)h->n, h->n ? h->sum / (double)h->n : 0.0, quantile(h, 0.5), quantile(h, 0.99), h->max);
}

int main(int argc, char **argv) {
    const double orders_wanted = argc > 1 ? atof(argv[1]) : 1e6;
    const double duration = orders_wanted / ARRIVAL_RATE_PER_S;
    seed_random(argc > 2 ? strtoull(argv[2], NULL, 10) : 1);

    const double service[STAGES][2] = {{1, 3}, {4, 12}, {2, 8}, {6, 16}};
    const uint32_t slots[STAGES] = {1, 2, 1, 2};
    const char *names[STAGES] = {"intake", "payment", "inventory", "shipping"};
    for (int s = 0; s < STAGES; s++) {
        stages[s].shortest = service[s][0];
        stages[s].range = service[s][1] - service[s][0];
        stages[s].slots = slots[s];
    }
    stages[1].failure_probability = 0.02;
    stages[1].retry_shortest = 10;
    stages[1].retry_range = 20;

    free_message = NOBODY;
    messages_capacity = calendar_capacity = 1024;
    messages = malloc(messages_capacity * sizeof *messages);
    calendar = malloc(calendar_capacity * sizeof *calendar);
    if (!messages || !calendar) return 3;

    const double before = cpu_seconds();
    const uint64_t orders = simulate(duration);
    const double seconds = cpu_seconds() - before;

    printf("{\"program\": \"c\", \"orders\": %llu, \"seconds\": %.6f, \"events\": %llu, ", (unsigned long long)orders,
           seconds, (unsigned long long)sequence);
    print_statistics("latency_s", &latency);
    printf(", \"stages\": {");
    for (int s = 0; s < STAGES; s++) {
        const Stage *stage = &stages[s];
        printf("%s\"%s\": {\"attempts\": %llu, \"succeeded\": %llu, \"failed\": %llu, \"utilisation_ratio\": %.9g, "
               "\"waiting_mean\": %.9g, \"waiting_max\": %u, ",
               s ? ", " : "", names[s], (unsigned long long)stage->attempts, (unsigned long long)stage->succeeded,
               (unsigned long long)stage->failed, stage->busy_s / duration / stage->slots,
               stage->waiting_area / duration, stage->waiting_max);
        print_statistics("wait_s", &stage->wait);
        printf(", ");
        print_statistics("service_s", &stage->service);
        printf(", ");
        print_statistics("sojourn_s", &stage->sojourn);
        printf("}");
    }
    printf("}}\n");
    return 0;
}
