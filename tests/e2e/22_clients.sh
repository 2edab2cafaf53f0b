#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Clients as they are published, several versions of each, at hop limit 1 and 2: provider, kinds, tries, fallback, and the
# seconds that each lost by its own clock (what it takes at 1 less what it takes at 2). Prints the table of tests/README.md:
# tests/e2e/22_clients.sh | grep '^|'
# Settings: CLIENTS_TOKENS=required; CLIENTS=all: also more versions of aws-sdk, not pinned (700 MB)
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need node
"$LAB_DIR/fetch_npm" "$LAB_TREE/build/npm-clients" "$LAB_DIR/npm-clients" || e2e_skip_all "the npm registry does not give the clients"
export NODE_PATH=$LAB_TREE/build/npm-clients/node_modules
bin=$LAB_TREE/build/runtimes
"$LAB_DIR/fetch_debian" sid || echo "skip clients of Debian's sid: no mirror gives them"
tokens=${CLIENTS_TOKENS:-optional}
e2e_lab --hop-limit 1
lab_server_set tokens "$tokens"

# pod, what it runs (RELEASE:CLIENT: of build/debian/RELEASE), provider, token tries at hop limit 1 and at 2 (-: any), fallback at 1 (v1: yes; no; -: it has no tokens)
table='
js2-500    aws-sdk-2.500                      ec2   0 0 -
js2-575    aws-sdk-2.575                      ec2   4 1 v1
js2-814    aws-sdk-2.814                      ec2   4 1 v1
js2-1693   aws-sdk-2.1693                     ec2   4 1 v1
js3-old    @aws-sdk/credential-provider-imds  ec2   1 1 v1
js3-new    @smithy/credential-provider-imds   ec2   1 1 v1
botocore   botocore                           ec2   1 1 v1
botocore-s sid:botocore                       ec2   1 1 v1
awscli     sid:awscli                         ec2   1 1 v1
rclone     rclone                             ec2   1 1 no
rclone-s   sid:rclone                         ec2   3 1 v1
ruby       aws-sdk-core                       ec2   4 1 v1
ci-ec2     cloud-init-Ec2                     ec2   2 1 no
ci-azure   cloud-init-Azure                   azure 0 0 -
ci-oracle  cloud-init-Oracle                  oracle 0 0 -
gcp        gcp-metadata                       gce   0 0 -
google     google-auth-library                gce   0 0 -
azure      @azure/identity                    azure 0 0 -
'
node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' ||
	{ echo "skip @azure/identity: its packages want Node.js 20"; table=$(sed '/^azure /d' <<<"$table")$'\n'; }
if [ "${CLIENTS:-}" = all ]; then
	e2e_need npm
	more=$LAB_TREE/build/npm-more
	sdk=(550 600 700 800 900 1100 1300 1500)
	packages=()
	for v in "${sdk[@]}"; do packages+=("aws-sdk-2.$v@npm:aws-sdk@2.$v.0"); done
	[ -e "$more/.complete" ] || { npm install --prefix "$more" --no-save --ignore-scripts --no-audit --no-fund \
		@aws-sdk/credential-providers "${packages[@]}" && touch "$more/.complete"; } >/dev/null
	NODE_PATH+=:$more/node_modules
	for v in "${sdk[@]}"; do
		table+="js2-$v aws-sdk-2.$v ec2 $([ "$v" -lt 575 ] && echo 0 0 - || echo 4 1 v1)"$'\n'
	done
	table+='js3-all @aws-sdk/credential-providers ec2 1 1 v1'$'\n'
fi
python_path=$bin/usr/lib/python3/dist-packages
list() { printf '%s:' "$@"; }
ruby=("LD_LIBRARY_PATH=$(list "$bin"/usr/lib/*-linux-gnu)" "RUBYLIB=$(list "$bin"/usr/lib/ruby/3.* "$bin"/usr/lib/*/ruby/3.* "$bin/usr/lib/ruby/vendor_ruby" \
	"$bin"/usr/share/rubygems-integration/all/gems/*/lib "$bin"/usr/lib/ruby/gems/*/gems/rexml-*/lib)" "$(compgen -G "$bin/usr/bin/ruby3.*" | head -1)")
package() {			# package NAME: its folder; 1: not here
	local dir
	for dir in ${NODE_PATH//:/ }; do [ ! -d "$dir/$1" ] || { echo "$dir/$1"; return; }; done
	return 1
}
debian() { local root=$LAB_TREE/build/debian/$1; shift; chroot "$root" "$@"; }
in_debian() {			# in_debian POD RELEASE COMMAND...
	local pod=$1 root=$LAB_TREE/build/debian/$2
	shift 2
	lab_exec "$pod" env -i PATH="$PATH" HOME=/tmp PYTHONDONTWRITEBYTECODE=1 chroot "$root" "$@"
}
rows() { if [ "$tokens" = required ]; then grep ' v1$'; else grep -v '^$'; fi <<<"$table"; }	# the others have none, or wait on
version_of() {			# version_of CLIENT
	case $1 in
	*:botocore) debian "${1%:*}" /usr/bin/python3 -c 'import botocore; print(botocore.__version__)' ;;
	*:awscli) debian "${1%:*}" /usr/bin/python3 -c 'import awscli; print(awscli.__version__)' ;;
	*:rclone) debian "${1%:*}" /usr/bin/rclone version | sed -n '1s/rclone v\([0-9.]*\).*/\1/p' ;;
	botocore) sed -n "s/^__version__ = '\(.*\)'/\1/p" "$python_path/botocore/__init__.py" ;;
	cloud-init-*) sed -n 's/^__VERSION__ = "\(.*\)"/\1/p' "$python_path/cloudinit/version.py" ;;
	aws-sdk-core) basename "$bin"/usr/share/rubygems-integration/all/gems/aws-sdk-core-* | sed 's/.*-//' ;;
	rclone)	"$bin/usr/bin/rclone" version | sed -n '1s/rclone v\([0-9.]*\).*/\1/p' ;;
	*)	jq -r .version "$(package "$1")/package.json" ;;
	esac
}
here() {			# here CLIENT
	case $1 in
	*:*)	version_of "$1" >/dev/null 2>&1 ;;
	botocore) PYTHONPATH=$python_path python3 -c 'import botocore.session' 2>/dev/null ;;
	cloud-init-*) PYTHONPATH=$python_path python3 -c "from cloudinit.sources import DataSource${1#cloud-init-}" 2>/dev/null ;;
	aws-sdk-core) env "${ruby[@]}" -e 'require "aws-sdk-core"' >/dev/null 2>&1 ;;
	rclone)	"$bin/usr/bin/rclone" version >/dev/null 2>&1 ;;
	*)	package "$1" >/dev/null ;;
	esac
}
run() {				# run POD CLIENT: what it says
	local start alone=(env -i PATH="$PATH" HOME="$LAB_ROOT/home" NODE_PATH="$NODE_PATH")	# a proxy or CA bundle of ours is none of theirs
	case $2 in
	*:rclone) start=$(date +%s%N)
		in_debian "$1" "${2%:*}" /usr/bin/rclone lsd --config "" --retries 1 --low-level-retries 1 --contimeout 1s \
			':s3,provider=AWS,env_auth=true,region=us-east-1,endpoint="http://127.0.0.1:9":' >/dev/null
		echo "{\"milliseconds\": $((($(date +%s%N) - start) / 1000000)), \"got\": null}" ;;
	*:*)	in_debian "$1" "${2%:*}" /usr/bin/python3 - "${2#*:}" <"$LAB_DIR/sdk.py" ;;
	botocore) lab_exec "$1" "${alone[@]}" PYTHONPATH="$python_path" python3 "$LAB_DIR/sdk.py" ;;
	aws-sdk-core) lab_exec "$1" "${alone[@]}" "${ruby[@]}" "$LAB_DIR/sdk.rb" ;;
	cloud-init-[!E]*) lab_exec "$1" "${alone[@]}" PYTHONPATH="$python_path" python3 "$LAB_DIR/sdk.py" "${2#cloud-init-}" ;;
	rclone|cloud-init-Ec2)	# these do not give up, and their clocks tell nothing
		local what=("$bin/usr/bin/rclone" lsd --config /dev/null --retries 1 --low-level-retries 1 --contimeout 1s
			':s3,provider=AWS,env_auth=true,region=us-east-1:')
		[ "$2" = rclone ] || what=(PYTHONPATH="$python_path" python3 "$LAB_DIR/sdk.py" Ec2)
		start=$(date +%s%N)
		lab_exec "$1" "${alone[@]}" timeout 12 env "${what[@]}" >/dev/null 2>&1
		echo "{\"milliseconds\": $((($(date +%s%N) - start) / 1000000)), \"got\": null}" ;;
	*)	lab_exec "$1" "${alone[@]}" node "$LAB_DIR/sdk.js" "$2" ;;
	esac 2>"$LAB_ROOT/$1.err"
}
run_all() {			# run_all LIMIT
	local pod client running=()
	lab_server_set hop-limit "$1"
	report_start "$LAB_ROOT/report.$1"
	while read -r pod client _; do
		run "$pod" "$client" >"$LAB_ROOT/$pod.$1" &
		running+=($!)
		sleep 0.3	# loading costs much more than asking: not all at once
	done <<<"$there"
	wait "${running[@]}"
	sleep 0.5
	report_stop
	while read -r pod _; do
		# shellcheck disable=SC2016
		jq -r --arg pod "$pod" '[.pods[] | select(.pod == $pod) | "\(.seconds_lost * 1000 | floor) \(.token_requests)"] | first // "0 0"' \
			"$LAB_ROOT/report.$1" >"$LAB_ROOT/$pod.said.$1"
	done <<<"$there"
}
there=''
while read -r pod client rest; do
	if here "$client"; then
		lab_pod_bridge "$pod" || e2e_die "pod $pod comes up"
		there+="$pod $client $rest"$'\n'
	else
		echo "skip $client: not here"
	fi
done < <(rows)
there=${there%$'\n'}
run_all 1
run_all 2

told() { jq ".milliseconds" "$LAB_ROOT/$1.$2"; }
said() { cut -d' ' -f1 "$LAB_ROOT/$1.said.$2"; }
asked() { cut -d' ' -f2 "$LAB_ROOT/$1.said.1"; }
# Within a tenth; a tenth of a second where that is more.
near() {
	awk -v a="$1" -v b="$2" 'BEGIN { d = a - b; d = d < 0 ? -d : d; most = a / 10 > 100 ? a / 10 : 100
		print "lost by its clock " a " ms, told " b; exit d > most }'
}
# With tokens required a client may try more often, and what it falls back to gives nothing.
[ "$tokens" = required ] && than='>=' || than='=='
v1() { [ "$tokens,$1" = required,ec2 ] && echo false || echo true; }
lines='| client | version | lost by its own clock, s | told, s | token requests | then |'$'\n''|---|---|---|---|---|---|'$'\n'
while read -r pod client provider tries1 tries2 fallback; do
	check "$pod: nothing lost at 2" equal "$(said "$pod" 2)" 0
	expect_report "$LAB_ROOT/report.1" "$pod: provider, tries, hop limit" "pod(\"$pod\") | .providers == [\"$provider\"] and
		.token_requests $than $tries1 and (.outcomes[\"hop-limit\"] // 0) == .token_requests and (.hop_limit == \"exhausted\") == ($tries1 > 0)"
	expect_report "$LAB_ROOT/report.1" "$pod: fallback" "pod(\"$pod\") | (.fallbacks > 0) == ($([ "$fallback" = v1 ] && echo true || echo false))"
	expect_report "$LAB_ROOT/report.2" "$pod, 2: tokens come, nothing is blamed" "pod(\"$pod\").token_requests == $tries2 and
		(pod(\"$pod\") | (.outcomes[\"hop-limit\"] // 0) == 0 and .fallbacks == 0) and (codes(\"$pod\") | index(\"hop-limit-exhausted\") == null)"
	[ "$fallback" = no ] || check "lab: $pod got what it asked for at 1, where v1 gives it" e2e_jq "$LAB_ROOT/$pod.1" ".got == null or .got == $(v1 "$provider")"
	[ "$fallback" = no ] || check "lab: $pod got it at 2" e2e_jq "$LAB_ROOT/$pod.2" ".got == null or .got == $([ "$tries2" = 0 ] && v1 "$provider" || echo true)"
done <<<"$there"

# The seconds: who is off, on a machine that does other things, is measured again by itself.
all=$there
while read -r pod client provider tries1 tries2 fallback; do
	for try in 1 2 3; do
		case $fallback,$tries1 in
		no,*)	lost=$(said "$pod" 1) ;;	# at 2 it goes on to what is not there: its clock is no measure
		*,0)	lost=0 ;;			# without tokens the limit costs nothing
		*)	lost=$(($(told "$pod" 1) - $(told "$pod" 2))) ;;
		esac
		[ $try = 3 ] || near "$lost" "$(said "$pod" 1)" >/dev/null && break
		there="$pod $client"
		run_all 1
		run_all 2
	done
	check "$pod: seconds lost at hop limit 1" near "$lost" "$(said "$pod" 1)"
	[ "$fallback" != no ] || check "$pod: it waits until it is ended" test "$lost" -gt 3500 -a "$lost" -lt 12100
	printf -v clock '%d.%02d' $((lost / 1000)) $((lost % 1000 < 0 ? 0 : lost % 1000 / 10))
	[ "$fallback" != no ] || clock='ended after 12'
	printf -v row '| %s | %s | %s | %d.%02d | %s | %s |\n' "${client%-2.*}" "$(version_of "$client")" "$clock" \
		$(($(said "$pod" 1) / 1000)) $(($(said "$pod" 1) % 1000 / 10)) "$(asked "$pod")" \
		"$(case $fallback in v1) echo v1 ;; no) echo 'waits on' ;; *) echo - ;; esac)"
	lines+=$row
done <<<"$all"
printf '%s' "$lines"
