#!/bin/sh
# Prints a customer of Google Workspace for `countersign estate import`. TOKEN is an access token with the read-only scopes of the
# Directory API for users, groups, members and role management. It asks and changes nothing. Needs curl and jq.
# A list that was cut off would look like one from which people are gone: no request stands in a pipe, so that one that fails ends
# all.
set -eu
: "${TOKEN:?}"
BASE="${BASE:-https://admin.googleapis.com/admin/directory/v1}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# All pages of a list as one: the path, and under which name the list stands in a page.
pages() {
    next=''
    : > "$work/list"
    while :; do
        curl -sSf --retry 5 -o "$work/page" -H "Authorization: Bearer $TOKEN" "$BASE/$1&pageToken=$next"
        jq -c --arg name "$2" '.[$name] // [] | .[]' "$work/page" >> "$work/list"
        next=$(jq -r '.nextPageToken // ""' "$work/page")
        [ -n "$next" ] || break
    done
    jq -sc . "$work/list"
}

curl -sSf -o "$work/customer" -H "Authorization: Bearer $TOKEN" "$BASE/customers/my_customer"
pages 'users?customer=my_customer&maxResults=500' users > "$work/users.json"
pages 'customer/my_customer/roles?maxResults=100' items > "$work/roles.json"
pages 'customer/my_customer/roleassignments?maxResults=200' items > "$work/assignments.json"
pages 'groups?customer=my_customer&maxResults=200' groups > "$work/all"
jq -c '.[]' "$work/all" > "$work/groups"
while IFS= read -r group; do
    id=$(printf '%s' "$group" | jq -r .id)
    members=$(pages "groups/$id/members?maxResults=200" members)
    printf '%s' "$group" | jq -c --argjson members "$members" '.members = $members'
done < "$work/groups" > "$work/full"
jq -sc . "$work/full" > "$work/groups.json"
jq -n --slurpfile customer "$work/customer" --slurpfile users "$work/users.json" --slurpfile groups "$work/groups.json" \
    --slurpfile roles "$work/roles.json" --slurpfile assignments "$work/assignments.json" \
    '{source: "google-workspace", realm: $customer[0].id, users: $users[0], groups: $groups[0], roles: $roles[0],
      roleAssignments: $assignments[0]}'
