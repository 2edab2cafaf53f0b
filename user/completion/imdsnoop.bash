# SPDX-License-Identifier: GPL-2.0-only
# Bash completion of imdsnoop. Commands and options are asked of the program itself: its --help lists what each takes.

_imdsnoop()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words

	# readline parts words at '=' and ':'
	[[ $cur == "=" ]] && cur=
	[[ $prev == "=" ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}

	if [[ $COMP_CWORD -eq 1 || ( $COMP_CWORD -eq 2 && ${COMP_WORDS[1]} == help ) ]]; then
		words=$(imdsnoop --help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p')
		mapfile -t COMPREPLY < <(compgen -W "$words help version --help --version" -- "$cur")
		return
	fi

	case $prev in
	--format) words="text json html" ;;
	--metrics) words="pod workload node" ;;
	--stall | --slow | --since) words="250ms 1s 30s 5m 1h" ;;
	--duration | -d) words="30s 1m 5m 1h" ;;
	--endpoint) words="169.254.169.254 169.254.170.2 169.254.170.23 100.100.100.200" ;;
	--what-if) words="hop-limit=1 hop-limit=2 hop-limit=1,tokens=required" ;;
	--drop-privileges)
		mapfile -t COMPREPLY < <(compgen -u -- "$cur")
		return ;;
	--cgroup | --pod-logs | --container-logs | --runtime-dirs | --state | --from-state)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return ;;
	--output | -o | --baseline | --from | --pcapng | --names | --host-netns)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	-n | --node | --namespace | --pod | --container | --workload | --comm | --count | --max-* | --listen)
		return ;;
	*)
		if [[ $cur != -* && ${COMP_WORDS[1]} =~ ^(merge|ready)$ ]]; then
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
		fi
		words=$(imdsnoop "${COMP_WORDS[1]}" --help 2>/dev/null | sed -nE 's/^ +(-[a-zA-Z], )?(--[a-z-]+).*/\2/p') ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _imdsnoop imdsnoop
