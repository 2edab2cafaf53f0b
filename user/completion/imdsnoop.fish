# SPDX-License-Identifier: GPL-2.0-only
# Fish completion of imdsnoop. Commands and options are asked of the program itself: its --help lists what each takes.

function __imdsnoop_commands
	imdsnoop --help 2>/dev/null | string replace -rf '^  ([a-z]+)  +(.*)' '$1\t$2'
end

function __imdsnoop_options
	imdsnoop $argv[1] --help 2>/dev/null | string replace -rf '^ +(?:-[a-zA-Z], )?(--[a-z-]+)(?:.*?  +([^ ].*))?.*' '$1\t$2'
end

complete -c imdsnoop -f
complete -c imdsnoop -n 'test (count (commandline -opc)) -eq 1' -a '(__imdsnoop_commands)'
complete -c imdsnoop -n 'test (count (commandline -opc)) -gt 1' -a '(__imdsnoop_options (commandline -opc)[2])'
complete -c imdsnoop -n 'string match -qr -- "^(-o|--(output|baseline|from|pcapng|names|host-netns|cgroup|pod-logs|container-logs|runtime-dirs|state|from-state))\$" (commandline -opc)[-1]' -F
complete -c imdsnoop -n 'contains -- (commandline -opc)[2] merge ready' -F
