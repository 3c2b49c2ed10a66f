// SPDX-License-Identifier: Apache-2.0
// Version of the headers, and of the library that was linked. Valid C11, too.
#pragma once

#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 1
#define WEFT_VERSION_PATCH 0
#define WEFT_VERSION_STRING "0.1.0"

#ifdef __cplusplus
#include "weft/export.h"

namespace weft {

/// Version of the linked library, e.g. "0.1.0".
WEFT_API const char* version();

}  // namespace weft
#endif
