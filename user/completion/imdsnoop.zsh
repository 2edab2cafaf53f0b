#compdef imdsnoop
# SPDX-License-Identifier: GPL-2.0-only
# Zsh completion of imdsnoop. Commands and options are asked of the program itself: its --help lists what each takes.
local -a found

if (( CURRENT == 2 )) || { (( CURRENT == 3 )) && [[ $words[2] == help ]] }; then
	found=(${(f)"$(imdsnoop --help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\)  *\(.*\)/\1:\2/p')"})
	_describe command found
	return
fi
case $words[CURRENT-1] in
--cgroup|--pod-logs|--container-logs|--runtime-dirs|--state|--from-state) _files -/; return ;;
--output|-o|--baseline|--from|--pcapng|--names|--host-netns) _files; return ;;
--format) _values format text json html; return ;;
--metrics) _values level pod workload node; return ;;
esac
if [[ $words[CURRENT] != -* && $words[2] == (merge|ready) ]]; then
	_files
	return
fi
found=(${(f)"$(imdsnoop $words[2] --help 2>/dev/null |
	sed -nE 's/^ +(-[a-zA-Z], )?(--[a-z-]+)[^ ]*( [^ ]+)?( +(.*))?$/\2:\5/p')"})
_describe option found
