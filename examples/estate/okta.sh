#!/bin/sh
# Prints an Okta organisation for `countersign estate import`. OKTA is its address without https://, TOKEN an API token of a
# read-only administrator. It asks and changes nothing; a large organisation takes a while, since factors and roles are asked for
# user by user. Needs curl and jq.
# A list that was cut off would look like one from which people are gone: no request stands in a pipe, so that one that fails ends
# all.
set -eu
: "${OKTA:?such as example.okta.com}" "${TOKEN:?}"
BASE="${BASE:-https://$OKTA/api/v1}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# All pages of a list as one.
pages() {
    url="$BASE/$1"
    : > "$work/list"
    while [ -n "$url" ]; do
        curl -sSf --retry 5 -D "$work/head" -o "$work/page" -H "Authorization: SSWS $TOKEN" -H 'Accept: application/json' "$url"
        jq -c '.[]' "$work/page" >> "$work/list"
        url=$(sed -n 's/\r$//; s/^[Ll]ink: *<\([^>]*\)>; *rel="next".*/\1/p' "$work/head")
    done
    jq -sc . "$work/list"
}

# Each object of a list, with its own lists in it.
with() {
    list=$1
    shift
    pages "$list?limit=200" > "$work/all"
    jq -c '.[]' "$work/all" > "$work/$list"
    while IFS= read -r record; do
        id=$(printf '%s' "$record" | jq -r .id)
        for own in "$@"; do
            values=$(pages "$list/$id/$own")
            record=$(printf '%s' "$record" | jq -c --arg own "$own" --argjson values "$values" '.[$own] = $values')
        done
        printf '%s\n' "$record"
    done < "$work/$list" > "$work/full"
    jq -sc . "$work/full" > "$work/$list.json"
}

with users factors roles
with groups users roles
with apps users groups
jq -n --arg realm "$OKTA" --slurpfile users "$work/users.json" --slurpfile groups "$work/groups.json" \
    --slurpfile apps "$work/apps.json" \
    '{source: "okta", realm: $realm, users: $users[0], groups: $groups[0], apps: $apps[0]}'
