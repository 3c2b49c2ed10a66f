// SPDX-License-Identifier: Apache-2.0
// Status and message of an exception. The message has a fixed place in each thread, so that
// reporting that memory is short needs none.
#include "src/api/boundary.h"

#include <cstring>
#include <exception>
#include <new>

#include "weft/error.h"

namespace weft::capi {
namespace {

constexpr size_t kMessageBytes = 1024;
thread_local char message_of_thread[kMessageBytes] = "";

// Cuts an over-long message before a UTF-8 sequence, never inside of one.
void keep(const char* message) {
  size_t length = std::strlen(message);
  if (length >= kMessageBytes) {
    length = kMessageBytes - 1;
    while (length > 0 && (static_cast<unsigned char>(message[length]) & 0xC0) == 0x80) --length;
  }
  std::memcpy(message_of_thread, message, length);
  message_of_thread[length] = '\0';
}

weft_status status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_argument:
      return WEFT_STATUS_INVALID_ARGUMENT;
    case ErrorKind::unsupported:
      return WEFT_STATUS_UNSUPPORTED;
    case ErrorKind::out_of_limits:
      return WEFT_STATUS_OUT_OF_LIMITS;
    case ErrorKind::out_of_memory:
      return WEFT_STATUS_OUT_OF_MEMORY;
    case ErrorKind::device:
      return WEFT_STATUS_DEVICE;
    case ErrorKind::internal:
      return WEFT_STATUS_INTERNAL;
  }
  return WEFT_STATUS_INTERNAL;
}

}  // namespace

weft_status status_of_current_exception() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    keep(error.what());
    return status_of(error.kind());
  } catch (const std::bad_alloc&) {
    keep("memory: expected an allocation to succeed, got none");
    return WEFT_STATUS_OUT_OF_MEMORY;
  } catch (const std::exception& error) {
    keep(error.what());
    return WEFT_STATUS_INTERNAL;
  } catch (...) {
    keep("an exception that is not a std::exception");
    return WEFT_STATUS_INTERNAL;
  }
}

const char* last_error() noexcept { return message_of_thread; }

}  // namespace weft::capi
