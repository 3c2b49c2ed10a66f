// SPDX-License-Identifier: Apache-2.0
// Numbers for people: thousands separated, units chosen. Used by every command that prints.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <string>

namespace weft::cli {

/// printf into a string.
std::string strf(const char* format, ...) __attribute__((format(printf, 1, 2)));
/// "180,695"
std::string grouped(int64_t value);
/// "1.2 GB"
std::string human_bytes(double bytes);
/// "10.4 TFLOP"
std::string human_flops(double flops);

}  // namespace weft::cli
