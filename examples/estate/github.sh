#!/bin/sh
# Prints an organisation at GitHub for `countersign estate import`. ORG is its name; `gh` is signed in as one of its owners, with
# read:org, admin:org (for the second factors of members) and repo. It asks and changes nothing. Needs gh and jq.
# A list that was cut off would look like one from which people are gone: no request stands in a pipe, so that one that fails ends
# all.
set -eu
: "${ORG:?}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# All pages of a list as one.
pages() {
    gh api --paginate "$@" > "$work/pages"
    jq -sc 'add // []' "$work/pages"
}

graph() {
    gh api graphql --paginate -F org="$ORG" -f query="$1" > "$work/pages"
    jq -sc "[.[] | $2 // empty | .[]]" "$work/pages"
}

with() {
    list=$1 path=$2
    shift 2
    jq -c '.[]' "$work/whole" > "$work/records"
    while IFS= read -r record; do
        slug=$(printf '%s' "$record" | jq -r "$path")
        for own in "$@"; do
            values=$(pages "$list/$slug/${own#*=}")
            record=$(printf '%s' "$record" | jq -c --arg own "${own%%=*}" --argjson values "$values" '.[$own] = $values')
        done
        printf '%s\n' "$record"
    done < "$work/records" > "$work/full"
    jq -sc . "$work/full"
}

gh api "orgs/$ORG" > "$work/pages"
jq -c '[.]' "$work/pages" > "$work/organization"
graph 'query($org: String!, $endCursor: String) { organization(login: $org) { membersWithRole(first: 100, after: $endCursor) {
    pageInfo { hasNextPage endCursor }
    edges { role hasTwoFactorEnabled node { login name email organizationVerifiedDomainEmails(login: $org) } } } } }' \
    '.data.organization.membersWithRole.edges' > "$work/members"
graph 'query($org: String!, $endCursor: String) { organization(login: $org) { samlIdentityProvider {
    externalIdentities(first: 100, after: $endCursor) { pageInfo { hasNextPage endCursor }
    nodes { user { login } samlIdentity { nameId } } } } } }' \
    '.data.organization.samlIdentityProvider.externalIdentities.nodes' > "$work/saml"
pages "orgs/$ORG/outside_collaborators?per_page=100" > "$work/outside"
gh api --paginate "orgs/$ORG/installations?per_page=100" > "$work/pages"
jq -sc '[.[].installations[]]' "$work/pages" > "$work/installations"
pages "orgs/$ORG/teams?per_page=100" > "$work/whole"
with "orgs/$ORG/teams" .slug 'members=members?per_page=100' 'repositories=repos?per_page=100' > "$work/teams"
pages "orgs/$ORG/repos?per_page=100" > "$work/whole"
with "repos/$ORG" .name 'collaborators=collaborators?affiliation=direct&per_page=100' 'deploy_keys=keys?per_page=100' \
    > "$work/repositories"
jq -n --arg realm "$ORG" --slurpfile organization "$work/organization" --slurpfile members "$work/members" \
    --slurpfile saml "$work/saml" --slurpfile outside "$work/outside" --slurpfile teams "$work/teams" \
    --slurpfile repositories "$work/repositories" --slurpfile installations "$work/installations" \
    '{source: "github", realm: $realm, organization: $organization[0], members: $members[0], outsideCollaborators: $outside[0],
      teams: $teams[0], repositories: $repositories[0], installations: $installations[0]}
     + (if $saml[0] == [] then {} else {samlIdentities: $saml[0]} end)'
