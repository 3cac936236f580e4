# What the programs of this folder share; sourced by them.
#
#   AMQP_URL    the broker; default amqp://guest:guest@127.0.0.1:5672/%2F

set -eu
: "${AMQP_URL:=amqp://guest:guest@127.0.0.1:5672/%2F}"
export AMQP_URL

tool() {
    name=$1
    shift
    "$name" --url="$AMQP_URL" "$@"
}

# follow EXCHANGE KEY...: prints `KEY: TEXT` (only the text if `bare` is set) for what the exchange
# routes with the key, until Control-C or SIGTERM. A queue and a consumer for each key, as
# amqp-consume makes one binding only.
#
# amqp-consume does not tell when its binding is there. So the first message of each queue is our
# own, sent past the exchange: when it arrives, the rest will too.
follow() {
    exchange=$1
    shift
    folder=$(mktemp -d)
    consumers=
    trap 'kill $consumers 2>/dev/null || true; rm -r "$folder"' EXIT
    trap 'exit 0' INT TERM
    mkfifo "$folder/said" "$folder/arrived"
    exec 4<>"$folder/said"
    for key; do
        LABEL=${bare-$key: } FIRST="first of $$" ARRIVED=$folder/arrived \
            amqp-consume --url="$AMQP_URL" -A -e "$exchange" -r "$key" -- sh -c '
            text=$(cat)
            if [ "$text" = "$FIRST" ]; then echo >"$ARRIVED"; else echo "$LABEL$text"; fi' \
            2>"$folder/said" &
        consumers="$consumers $!"
        # Server provided queue name: amq.gen-...
        read -r _ _ _ _ queue <&4
        tool amqp-publish -r "$queue" -b "first of $$"
        read -r _ <"$folder/arrived"
    done
    echo waiting
    wait
}
