// The least that C does for what `codec` measures, with 256-bit vectors: what this machine allows.
//
// Prints a line per measurement, tab-separated: what, by whom, size, figure, unit.
//   codeclimit --milliseconds EACH
#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double window;

static double processor_time(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

typedef void (*Body)(void);

static double seconds(Body body, long batch) {
    double start = processor_time();
    for (long i = 0; i < batch; i++) body();
    return processor_time() - start;
}

static double calls_per_second(Body body) {
    long batch = 1, calls = 0;
    double spent = 0;
    while (seconds(body, batch) < window / 20) batch *= 2;
    while (spent < window) {
        spent += seconds(body, batch);
        calls += batch;
    }
    return calls / spent;
}

static void report(const char *operation, size_t size, double figure, const char *unit) {
    printf("%s\tC, AVX2\t%zu\t%g\t%s\n", operation, size, figure, unit);
}

static unsigned char *buffer;
static size_t count, size, length;
static volatile uint64_t kept;

// Unmasking

static const unsigned char key[4] = {0x37, 0xFA, 0x21, 0x3D};

__attribute__((noinline)) static void mask(unsigned char *p, size_t n) {
    uint32_t word;
    memcpy(&word, key, 4);
    uint64_t twice = word | (uint64_t)word << 32;
    const __m256i k = _mm256_set1_epi32((int)word);
    while (n >= 128) {
        for (int i = 0; i < 4; i++) {
            __m256i *at = (__m256i *)p + i;
            _mm256_storeu_si256(at, _mm256_xor_si256(_mm256_loadu_si256(at), k));
        }
        p += 128, n -= 128;
    }
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        v ^= twice;
        memcpy(p, &v, 8);
    }
    for (size_t i = 0; i < n; i++) p[i] ^= key[i & 3];
}

static void mask_all(void) {
    for (size_t i = 0; i < count; i++) mask(buffer + i * (size + 6) + 6, size);
}

// Validation: Keiser and Lemire, "Validating UTF-8 In Less Than One Instruction Per Byte", 2021

enum {
    TOO_SHORT = 1, TOO_LONG = 2, OVERLONG_3 = 4, TOO_LARGE = 8, SURROGATE = 16, OVERLONG_2 = 32,
    TOO_LARGE_1000 = 64, OVERLONG_4 = 64, TWO_CONTS = 128, CARRY = TOO_SHORT | TOO_LONG | TWO_CONTS,
};

#define TWICE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)

static inline __m256i shifted(__m256i now, __m256i before, const int by) {
    __m256i joined = _mm256_permute2x128_si256(before, now, 0x21);
    switch (by) {
    case 1: return _mm256_alignr_epi8(now, joined, 15);
    case 2: return _mm256_alignr_epi8(now, joined, 14);
    default: return _mm256_alignr_epi8(now, joined, 13);
    }
}

static inline __m256i errors_in(__m256i now, __m256i before) {
    const __m256i byte_1_high = TWICE(
        TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, (char)TWO_CONTS,
        (char)TWO_CONTS, (char)TWO_CONTS, (char)TWO_CONTS, TOO_SHORT | OVERLONG_2, TOO_SHORT,
        TOO_SHORT | OVERLONG_3 | SURROGATE, TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4);
    const __m256i byte_1_low = TWICE(
        (char)(CARRY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4), (char)(CARRY | OVERLONG_2), (char)CARRY, (char)CARRY,
        (char)(CARRY | TOO_LARGE), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
        (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
        (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
        (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
        (char)(CARRY | TOO_LARGE | TOO_LARGE_1000 | SURROGATE), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
        (char)(CARRY | TOO_LARGE | TOO_LARGE_1000));
    const __m256i byte_2_high = TWICE(
        TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE_1000 | OVERLONG_4),
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE),
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE),
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE), TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT);
    const __m256i low = _mm256_set1_epi8(0x0F);
    __m256i one = shifted(now, before, 1);
    __m256i special = _mm256_and_si256(
        _mm256_and_si256(
            _mm256_shuffle_epi8(byte_1_high, _mm256_and_si256(_mm256_srli_epi16(one, 4), low)),
            _mm256_shuffle_epi8(byte_1_low, _mm256_and_si256(one, low))),
        _mm256_shuffle_epi8(byte_2_high, _mm256_and_si256(_mm256_srli_epi16(now, 4), low)));
    __m256i third = _mm256_subs_epu8(shifted(now, before, 2), _mm256_set1_epi8((char)(0xE0 - 0x80)));
    __m256i fourth = _mm256_subs_epu8(shifted(now, before, 3), _mm256_set1_epi8((char)(0xF0 - 0x80)));
    __m256i must = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));
    return _mm256_xor_si256(must, special);
}

__attribute__((noinline)) static bool is_utf8(const unsigned char *p, size_t n) {
    __m256i before = _mm256_setzero_si256(), error = before, incomplete = before;
    const __m256i most = _mm256_setr_epi8(
        -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
        (char)(0xF0 - 1), (char)(0xE0 - 1), (char)(0xC0 - 1));
    unsigned char last[128] = {0};
    for (bool ended = false; !ended; p += 128) {
        if (n < 128) {
            if (n == 0) break;
            memcpy(last, p, n);
            p = last, n = 128, ended = true;
        }
        __m256i v[4];
        for (int i = 0; i < 4; i++) v[i] = _mm256_loadu_si256((const __m256i *)p + i);
        __m256i any = _mm256_or_si256(_mm256_or_si256(v[0], v[1]), _mm256_or_si256(v[2], v[3]));
        if (!_mm256_movemask_epi8(any)) {
            error = _mm256_or_si256(error, incomplete);
            incomplete = before = _mm256_setzero_si256();
        } else {
            for (int i = 0; i < 4; i++) {
                error = _mm256_or_si256(error, errors_in(v[i], before));
                before = v[i];
            }
            incomplete = _mm256_subs_epu8(before, most);
        }
        n -= 128;
    }
    error = _mm256_or_si256(error, incomplete);
    return _mm256_testz_si256(error, error);
}

static void validate(void) {
    if (!is_utf8(buffer, length)) abort();
}

static void check_validation(void) {
    const char *bad[] = {"\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80", "\xE6\xBC", "\xF5"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (is_utf8((const unsigned char *)bad[i], strlen(bad[i]))) abort();
    if (!is_utf8((const unsigned char *)"a\u00E4\u6F22\U0001F642", 10)) abort();
}

// Frames: masked ones of a client, whole in the buffer

// How long the header is, and the payload, where the rules of RFC 6455 §5.2 hold; 0 otherwise.
static inline size_t header(const unsigned char *p, size_t n, uint64_t *payload) {
    if (n < 6) return 0;
    unsigned opcode = p[0] & 0x0F;
    if ((p[0] & 0x70) || !(p[1] & 0x80) || !(0x0707 >> opcode & 1)) return 0;
    uint64_t bytes = p[1] & 0x7F;
    size_t head = 6;
    if (opcode >= 8 && (bytes > 125 || !(p[0] & 0x80))) return 0;
    if (bytes == 126) {
        if (n < 8) return 0;
        bytes = (uint64_t)p[2] << 8 | p[3], head = 8;
        if (bytes < 126) return 0;
    } else if (bytes == 127) {
        if (n < 14) return 0;
        memcpy(&bytes, p + 2, 8);
        bytes = __builtin_bswap64(bytes), head = 14;
        if (bytes < 65536 || bytes >> 63) return 0;
    }
    if (bytes > 1 << 20 || n - head < bytes) return 0;
    *payload = bytes;
    return head;
}

__attribute__((noinline)) static void decode_headers(void) {
    uint64_t payload, total = 0;
    size_t head;
    for (size_t at = 0; at < length; at += head + payload) {
        if (!(head = header(buffer + at, length - at, &payload))) abort();
        total += payload;
    }
    kept = total;
}

__attribute__((noinline)) static void decode_messages(void) {
    uint64_t payload, total = 0;
    size_t head;
    for (size_t at = 0; at < length; at += head + payload) {
        if (!(head = header(buffer + at, length - at, &payload))) abort();
        mask(buffer + at + head, payload);
        total += payload;
    }
    kept = total;
}

static size_t put_frame(unsigned char *p, size_t n) {
    size_t head = 2;
    p[0] = 0x82;
    p[1] = 0x80 | (n < 126 ? n : n < 65536 ? 126 : 127);
    int extended = n < 126 ? 0 : n < 65536 ? 2 : 8;
    for (int i = extended; i-- > 0;) p[head++] = n >> 8 * i;
    memcpy(p + head, key, 4);
    memset(p + head + 4, 'a', n);
    mask(p + head + 4, n);
    return head + 4 + n;
}

int main(int argc, char **argv) {
    if (argc != 3 || strcmp(argv[1], "--milliseconds") || atoi(argv[2]) <= 0) {
        fprintf(stderr, "usage: codeclimit --milliseconds EACH\n");
        return 64;
    }
    window = atoi(argv[2]) / 1e3;
    check_validation();
    buffer = aligned_alloc(64, 4 << 20);
    memset(buffer, 'a', 4 << 20);

    static const size_t masked[] = {1, 2, 3, 4, 5, 7, 8, 11, 12, 15, 16, 64, 125, 1 << 10, 16 << 10, 1 << 20};
    for (size_t i = 0; i < sizeof masked / sizeof *masked; i++) {
        size = masked[i];
        count = (4 << 10) / (size + 6);
        if (count < 1) count = 1;
        report("unmask", size, calls_per_second(mask_all) * count * size / 1e9, "GB/s");
    }

    static const struct { const char *operation, *sample; } texts[] = {
        {"validate ASCII", "All of these words are plain ASCII. "},
        {"validate CJK", "漢字かな交じり文、全部三字節。"},
        {"validate mixed", "Some ASCII, ein paar Umlaute: äöü, 漢字, 🙂. "},
    };
    static const size_t sizes[] = {16, 90, 1 << 10, 16 << 10, 1 << 20};
    for (size_t t = 0; t < 3; t++)
        for (size_t i = 0; i < 5; i++) {
            size_t each = strlen(texts[t].sample);
            for (length = 0; length < sizes[i]; length++) buffer[length] = texts[t].sample[length % each];
            while (!is_utf8(buffer, length)) length--;
            report(texts[t].operation, sizes[i], calls_per_second(validate) * length / 1e9, "GB/s");
        }

    static const size_t framed[] = {0, 16, 64, 125, 126, 1 << 10, 64 << 10};
    for (size_t i = 0; i < 7; i++) {
        size_t one = put_frame(buffer, framed[i]);
        size_t messages = (512 << 10) / one;
        if (messages > 4096) messages = 4096;
        // So many headers that beginning with them weighs nothing; their payloads are not touched.
        count = messages < 63 ? 63 : messages;
        for (length = 0; length < one * count;) length += put_frame(buffer + length, framed[i]);
        report("decode frames", framed[i], calls_per_second(decode_headers) * count / 1e6, "M/s");
        length = one * (count = messages);
        report("decode messages", framed[i], calls_per_second(decode_messages) * count / 1e6, "M/s");
    }
    return 0;
}
