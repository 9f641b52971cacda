// The mistakes that two neighbouring bytes can make, by the nibbles they show in; see utf8_lookup.h.
#pragma once
#include <stdint.h>

enum {
    TOO_SHORT = 1 << 0,      // a lead, then no continuation
    TOO_LONG = 1 << 1,       // ASCII, then a continuation
    OVERLONG_3 = 1 << 2,     // E0, then 80–9F
    TOO_LARGE = 1 << 3,      // F4 and above, then 90–BF
    SURROGATE = 1 << 4,      // ED, then A0–BF
    OVERLONG_2 = 1 << 5,     // C0 or C1, then a continuation
    TOO_LARGE_4 = 1 << 6,    // F5 and above, then 80–8F
    OVERLONG_4 = 1 << 6,     // F0, then 80–8F: never the same first byte as the one before
    TWO_FOLLOW = 1 << 7,     // a continuation, then another
    ANY_FIRST = TOO_SHORT | TOO_LONG | TWO_FOLLOW,  // mistakes in which the low nibble does not matter
};

static const uint8_t first_high[16] = {
    TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,
    TWO_FOLLOW, TWO_FOLLOW, TWO_FOLLOW, TWO_FOLLOW,
    TOO_SHORT | OVERLONG_2,
    TOO_SHORT,
    TOO_SHORT | OVERLONG_3 | SURROGATE,
    TOO_SHORT | TOO_LARGE | TOO_LARGE_4 | OVERLONG_4,
};

static const uint8_t first_low[16] = {
    ANY_FIRST | OVERLONG_2 | OVERLONG_3 | OVERLONG_4,
    ANY_FIRST | OVERLONG_2,
    ANY_FIRST,
    ANY_FIRST,
    ANY_FIRST | TOO_LARGE,
    ANY_FIRST | TOO_LARGE | TOO_LARGE_4,
    ANY_FIRST | TOO_LARGE | TOO_LARGE_4,
    ANY_FIRST | TOO_LARGE | TOO_LARGE_4,
    ANY_FIRST | TOO_LARGE | TOO_LARGE_4,
    ANY_FIRST | TOO_LARGE | TOO_LARGE_4,
    ANY_FIRST | TOO_LARGE | TOO_LARGE_4,
    ANY_FIRST | TOO_LARGE | TOO_LARGE_4,
    ANY_FIRST | TOO_LARGE | TOO_LARGE_4,
    ANY_FIRST | TOO_LARGE | TOO_LARGE_4 | SURROGATE,
    ANY_FIRST | TOO_LARGE | TOO_LARGE_4,
    ANY_FIRST | TOO_LARGE | TOO_LARGE_4,
};

static const uint8_t second_high[16] = {
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
    TOO_LONG | OVERLONG_2 | TWO_FOLLOW | OVERLONG_3 | TOO_LARGE_4 | OVERLONG_4,
    TOO_LONG | OVERLONG_2 | TWO_FOLLOW | OVERLONG_3 | TOO_LARGE,
    TOO_LONG | OVERLONG_2 | TWO_FOLLOW | SURROGATE | TOO_LARGE,
    TOO_LONG | OVERLONG_2 | TWO_FOLLOW | SURROGATE | TOO_LARGE,
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
};
