#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The status page in a real browser: tests/page/page.js. PAGE_SHOTS=FOLDER keeps screenshots.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
# shellcheck source=tests/lib/serve.sh
. "$LAB_DIR/serve.sh"
e2e_need node chromium
"$LAB_DIR/fetch_npm" || e2e_skip_all "the npm registry does not give playwright-core"
export NODE_PATH=$LAB_TREE/build/npm/node_modules
e2e_lab --hop-limit 1
evil='<img src=x>'
lab_pod_bridge web-1 --namespace shop --container app
lab_pod_bridge "$evil" --namespace shop --container app
lab_pod_host agent-1 --namespace kube-system --container agent
lab_host_client updater
serve_start
for p in web-1 "$evil"; do put "$p" >/dev/null; get "$p" >/dev/null; done
for p in agent-1 updater; do put $p >/dev/null; done
sleep 0.4
export PAGE_MORE="LAB_ROOT='$LAB_ROOT' '$LAB_DIR/lab' exec web-1 curl -s -o /dev/null -m 2 http://$LAB_IMDS4/latest/meta-data/"
timeout 110 node "$LAB_TREE/tests/page/page.js" "$SERVE_URL" ${PAGE_SHOTS:+"$PAGE_SHOTS"} || E2E_FAILED=1
