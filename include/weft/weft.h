// SPDX-License-Identifier: Apache-2.0
// Everything public in one include.
#pragma once

#include "weft/activation.h"
#include "weft/append.h"
#include "weft/attention.h"
#include "weft/cuda.h"
#include "weft/error.h"
#include "weft/executor.h"
#include "weft/logprobs.h"
#include "weft/merge.h"
#include "weft/norm.h"
#include "weft/packbits.h"
#include "weft/rope.h"
#include "weft/sampling.h"
#include "weft/target.h"
#include "weft/tensor.h"
#include "weft/topk.h"
#include "weft/verify.h"
#include "weft/version.h"
