# SPDX-License-Identifier: GPL-2.0-only
# Bash completion of imdsnoop: commands, the options of each, and their values.

_imdsnoop()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local common="--output --node --no-color --verbose -v --quiet --help --version"
	local node="--cgroup --pod-logs --container-logs"
	local select="--endpoint --namespace --pod --container"
	local observe="$node $select --comm --problems --stall --slow --format --json --duration --count --max-pods
		--max-flows --no-drops --no-process --redact-paths"
	local words

	# readline parts words at '=' and ':'
	[[ $cur == "=" ]] && cur=
	[[ $prev == "=" ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}

	if [[ $COMP_CWORD -eq 1 ]]; then
		mapfile -t COMPREPLY < <(compgen -W "trace top report serve probe check merge --help --version" -- "$cur")
		return
	fi

	case $prev in
	--format)
		words="text json"
		case ${COMP_WORDS[1]} in
		report | merge) words="text json html" ;;
		top | serve) words="text" ;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		return ;;
	--cgroup | --pod-logs | --container-logs)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return ;;
	--output | --baseline | --from)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	--endpoint)
		mapfile -t COMPREPLY < <(compgen -W "169.254.169.254 169.254.170.2 169.254.170.23 100.100.100.200" -- "$cur")
		return ;;
	--stall | --slow | --duration)
		mapfile -t COMPREPLY < <(compgen -W "250ms 1s 30s 5m 1h" -- "$cur")
		return ;;
	--what-if)
		mapfile -t COMPREPLY < <(compgen -W "hop-limit=1 hop-limit=2 hop-limit=1,tokens=required" -- "$cur")
		return ;;
	--drop-privileges)
		mapfile -t COMPREPLY < <(compgen -u -- "$cur")
		return ;;
	--node | --namespace | --pod | --container | --comm | --count | --max-pods | --max-flows | --listen)
		return ;;
	esac

	case ${COMP_WORDS[1]} in
	trace | top) words="$observe" ;;
	report) words="$observe --what-if --baseline --from --exit-code" ;;
	serve) words="$observe --listen --drop-privileges" ;;
	probe) words="$node $select --stall --format --json --duration --all --watch --exit-code" ;;
	check) words="$node --format --json" ;;
	merge) words="--format --json" ;;
	*) return ;;
	esac

	if [[ ${COMP_WORDS[1]} == merge && $cur != -* ]]; then
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words $common" -- "$cur")
}
complete -F _imdsnoop imdsnoop
