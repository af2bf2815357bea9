#!/bin/sh
# What a pipeline does with a change of policies, the same for every code host:
#
#   review.sh BASE HEAD FOLDER
#
# BASE and HEAD are commits, HEAD is checked out. Into FOLDER go report.md (a comment), report.json, tests.xml (JUnit) and,
# for GitLab, quality.json. Ends as `countersign policy review` does: 0 nothing to object, 1 something, 2 not done.
#
# From outside come, all optional:
#   POLICIES         where the policies are in the repository (policies)
#   LEDGER           a copy of the ledger's files, to replay recorded decisions; with LEDGER_KEY_FILE, its verifier key
#   LEDGER_SINCE     how far back (30d)
#   ANNOTATIONS      github or gitlab: findings beside the lines
#   COUNTERSIGN      the programme (countersign)
#
# It needs git, and cvc5 for the proofs: without it they are unknown, and unknown is an objection.
set -eu

base=$1 head=$2 folder=$3
policies=${POLICIES:-policies}
countersign=${COUNTERSIGN:-countersign}
mkdir -p "$folder"

# The policies of a stranger are data here. Even so they are given nothing: no server, no key, no configuration.
unset COUNTERSIGN_SERVER COUNTERSIGN_API_KEY COUNTERSIGN_CONFIG COUNTERSIGN_DATA

# Beside the lines. What these find stands in the report too, which is what decides.
case ${ANNOTATIONS:-none} in
github)
    "$countersign" policy lint --policies "$policies" --format github || true
    "$countersign" policy test --policies "$policies" --format github || true
    ;;
gitlab)
    "$countersign" policy lint --policies "$policies" --format gitlab > "$folder/quality.json" || true
    ;;
esac
"$countersign" policy test --policies "$policies" --format junit > "$folder/tests.xml" || true

set -- --path "$policies"
if [ -n "${LEDGER:-}" ]; then
    # A comment is read by more people than the ledger: nobody is named in it.
    set -- "$@" --no-names --ledger "$LEDGER" --key-file "$LEDGER_KEY_FILE" --since "${LEDGER_SINCE:-30d}"
fi
code=0
"$countersign" policy review "$base" "$head" "$@" --output "$folder/report.md" || code=$?
if [ "$code" -gt 1 ]; then
    printf '%s\n' '<!-- countersign policy review -->' '## Policy review: not done' '' \
        'The change could not be reviewed. The log of the pipeline says why.' > "$folder/report.md"
fi
exit "$code"
