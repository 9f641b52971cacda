// What libuv's timers cost: the same operations in the same orders as Benchmarks/Sources/timers.
//   uvtimers [COUNT...]     default 1000 10000 100000 1000000
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

static void fired(uv_timer_t *timer) { (void)timer; }

static uint64_t delay(uint64_t index) { return 3600000 + index * 7919 % 7200000; }

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint64_t state = 1;

static uint64_t random_number(void) {
    state += 0x9e3779b97f4a7c15;
    uint64_t mixed = state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
}

static void measure(uv_loop_t *loop, uint32_t count, int shuffled) {
    uint32_t *order = malloc(count * sizeof *order);
    uv_timer_t *timers = malloc(count * sizeof *timers);
    for (uint32_t i = 0; i < count; i++) {
        order[i] = i;
        uv_timer_init(loop, &timers[i]);
    }
    for (uint32_t i = count; shuffled && i > 1; i--) {
        uint32_t other = (uint32_t)(random_number() % i), kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
    uint64_t arm = 0, rearm = 0, cancel = 0;
    uint32_t rounds = count < 1000000 ? 1000000 / count : 1;
    // One round more, before: it touches the memory.
    for (uint32_t round = 0; round <= rounds; round++) {
        if (round == 1) arm = rearm = cancel = 0;
        uint64_t start = now();
        for (uint32_t i = 0; i < count; i++) uv_timer_start(&timers[order[i]], fired, delay(order[i]), 0);
        uint64_t armed = now();
        for (uint32_t i = 0; i < count; i++) uv_timer_start(&timers[order[i]], fired, delay(order[i]) + 30000, 0);
        uint64_t rearmed = now();
        for (uint32_t i = 0; i < count; i++) uv_timer_stop(&timers[order[i]]);
        uint64_t cancelled = now();
        arm += armed - start;
        rearm += rearmed - armed;
        cancel += cancelled - rearmed;
    }
    double each = (double)rounds * count;
    printf("order=%s timers=%u arm_ns=%.1f rearm_ns=%.1f cancel_ns=%.1f\n", shuffled ? "shuffled" : "sequential",
           count, (double)arm / each, (double)rearm / each, (double)cancel / each);
    for (uint32_t i = 0; i < count; i++) uv_close((uv_handle_t *)&timers[i], NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    free(timers);
    free(order);
}

int main(int argc, char **argv) {
    uv_loop_t *loop = uv_default_loop();
    const uint32_t counts[] = {1000, 10000, 100000, 1000000};
    for (int shuffled = 0; shuffled < 2; shuffled++) {
        for (int i = 0; i < (argc > 1 ? argc - 1 : 4); i++)
            measure(loop, argc > 1 ? (uint32_t)atoi(argv[i + 1]) : counts[i], shuffled);
    }
    return 0;
}
