// SPDX-License-Identifier: Apache-2.0
// The commands of `weft`, one per file <name>_command.cc. Called by main.cc. Each returns an exit
// status: 0 fine, 1 a check failed; wrong use throws UsageError, which main turns into 2.
#pragma once

#include "tools/weft/args.h"

namespace weft::cli {

struct CommandEntry {
  const Command& command;
  int (*run)(const Args& args);
};

const CommandEntry& replay_command();
const CommandEntry& generate_command();
const CommandEntry& bench_command();
const CommandEntry& explain_command();
const CommandEntry& info_command();
const CommandEntry& jit_command();
const CommandEntry& aot_command();

/// Options that several commands share, worded once.
Option threads_option();
Option isa_option();
Option model_option();
Option device_option();
/// True for --device cuda. Throws UsageError for options of the CPU given with it.
bool on_cuda(const Args& args);

}  // namespace weft::cli
