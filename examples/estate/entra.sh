#!/bin/sh
# Prints a tenant of Microsoft Entra ID for `countersign estate import`. TOKEN is an access token for Microsoft Graph with
# Directory.Read.All, AuditLog.Read.All, RoleManagement.Read.Directory and Policy.Read.All; with the Azure CLI:
#     TOKEN=$(az account get-access-token --resource-type ms-graph --query accessToken -o tsv)
# Sign-ins, factors and eligible roles need the licences that Microsoft asks for; leave their lines out without. It asks and
# changes nothing. Needs curl and jq.
# A list that was cut off would look like one from which people are gone: no request stands in a pipe, so that one that fails ends
# all.
set -eu
: "${TOKEN:?}"
GRAPH="${GRAPH:-https://graph.microsoft.com/v1.0}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# All pages of a list as one.
pages() {
    url="$GRAPH/$1"
    : > "$work/list"
    while [ "$url" != null ]; do
        curl -sSf --retry 5 -o "$work/page" -H "Authorization: Bearer $TOKEN" "$url"
        jq -c '.value[]' "$work/page" >> "$work/list"
        url=$(jq -r '."@odata.nextLink" // "null"' "$work/page")
    done
    jq -sc . "$work/list"
}

# Each object of a list, with its own lists in it.
with() {
    list=$1 fields=$2
    shift 2
    pages "$list?\$select=$fields&\$top=999" > "$work/whole"
    jq -c '.[]' "$work/whole" > "$work/records"
    while IFS= read -r record; do
        id=$(printf '%s' "$record" | jq -r .id)
        for own in "$@"; do
            values=$(pages "$list/$id/$own")
            record=$(printf '%s' "$record" | jq -c --arg own "${own%%\?*}" --argjson values "$values" '.[$own] = $values')
        done
        printf '%s\n' "$record"
    done < "$work/records" > "$work/full"
    jq -sc . "$work/full"
}

user='id,displayName,userPrincipalName,mail,accountEnabled,createdDateTime,userType,department,jobTitle,employeeId'
user="$user,onPremisesSecurityIdentifier,onPremisesImmutableId,onPremisesSamAccountName,onPremisesDomainName"
user="$user,lastPasswordChangeDateTime,passwordPolicies,employeeLeaveDateTime,signInActivity"
group='id,displayName,mail,createdDateTime,groupTypes,isAssignableToRole,onPremisesSyncEnabled,onPremisesSecurityIdentifier'
service='id,appId,displayName,accountEnabled,servicePrincipalType,preferredSingleSignOnMode,appRoles,passwordCredentials,keyCredentials'
application='id,appId,displayName,createdDateTime,passwordCredentials,keyCredentials'

list() {
    name=$1
    shift
    "$@" > "$work/$name.json"
    jq -c --arg name "$name" --slurpfile list "$work/$name.json" '.[$name] = $list[0]' "$work/all" > "$work/next"
    mv "$work/next" "$work/all"
}

pages organization > "$work/organization.json"
jq -c '{source: "entra", realm: .[0].id, organization: .}' "$work/organization.json" > "$work/all"
list users pages "users?\$select=$user&\$top=500"
list userRegistrationDetails pages 'reports/authenticationMethods/userRegistrationDetails'
list groups with groups "$group" 'members?$select=id' 'owners?$select=id'
list servicePrincipals with servicePrincipals "$service" appRoleAssignedTo 'owners?$select=id'
list applications with applications "$application" federatedIdentityCredentials 'owners?$select=id'
list roleDefinitions pages 'roleManagement/directory/roleDefinitions'
list roleAssignmentScheduleInstances pages 'roleManagement/directory/roleAssignmentScheduleInstances'
list roleEligibilityScheduleInstances pages 'roleManagement/directory/roleEligibilityScheduleInstances'
list conditionalAccessPolicies pages 'identity/conditionalAccess/policies'
cat "$work/all"
