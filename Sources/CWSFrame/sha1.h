#pragma once

#include "CWSFrame.h"

/// Whether the processor has instructions for SHA-1.
bool cwsframe_has_sha1(void);

/// `cwsframe_sha1_mix` by these instructions; only where `cwsframe_has_sha1`.
void cwsframe_sha1_mix_x86(uint32_t *state, const uint8_t *block);
