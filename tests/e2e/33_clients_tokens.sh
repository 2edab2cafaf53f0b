#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The clients of 22_clients.sh where tokens are required: what they fall back to is refused, so the seconds are lost for nothing.
export CLIENTS_TOKENS=required
# shellcheck source=tests/e2e/22_clients.sh
. "$(dirname "${BASH_SOURCE[0]}")/22_clients.sh"
