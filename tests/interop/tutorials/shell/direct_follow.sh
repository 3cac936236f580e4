#!/bin/sh
# Tutorial 4, who listens by severity: direct_follow.sh EXCHANGE SEVERITY...
. "$(dirname "$0")/tutorial.sh"

follow "$@"
