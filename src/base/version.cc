// SPDX-License-Identifier: Apache-2.0
// The version that was linked.
#include "weft/version.h"

namespace weft {

const char* version() { return WEFT_VERSION_STRING; }

}  // namespace weft
