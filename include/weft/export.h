// SPDX-License-Identifier: Apache-2.0
// WEFT_API marks what a shared libweft exports; everything else in it is hidden. The build defines
// WEFT_SHARED for the library and for whoever links it. Valid C11 and C++.
#pragma once

#if defined(WEFT_SHARED) && defined(__GNUC__)
#define WEFT_API __attribute__((visibility("default")))
#else
#define WEFT_API
#endif
