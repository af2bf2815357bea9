#!/bin/sh
# Prints this host for `countersign estate import`: accounts, groups, the keys that open accounts, and sudo. Run it as root on
# each host; several hosts may stand in one file. It reads and prints, and changes nothing.
set -eu

file() {
    [ -r "$2" ] || return 0
    printf '== %s\n' "$1"
    # One space before each line: nothing in a file can look like the layout.
    sed 's/^/ /' "$2"
    # A last line without its end gets one.
    [ -z "$(tail -c 1 "$2")" ] || echo
}

printf 'countersign-host 1 %s\n' "$(hostname -f 2>/dev/null || hostname)"
file passwd /etc/passwd
file group /etc/group
while IFS=: read -r user _ _ _ _ home _; do
    for name in authorized_keys authorized_keys2; do
        file "authorized_keys $user" "$home/.ssh/$name"
    done
done < /etc/passwd
file 'sudoers /etc/sudoers' /etc/sudoers
for path in /etc/sudoers.d/*; do
    # Names with a dot or a tilde at the end are passed over by sudo too.
    case "$path" in *.* | *~ | '/etc/sudoers.d/*') continue ;; esac
    file "sudoers $path" "$path"
done
printf '== end\n'
