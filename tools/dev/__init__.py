# SPDX-License-Identifier: Apache-2.0
# The rooms of ./dev: system (what the machine has), steps (run, show), build, suite, checks, cli.
