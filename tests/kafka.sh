#!/usr/bin/env bash
# A real Apache Kafka for the tests: one broker, which is its own controller (KRaft).
#
#     tests/kafka.sh install                  fetch it, once; prints its folder
#     tests/kafka.sh run DIR PORT PORT PORT   serve until standard input ends
#
# The jars come from Maven Central through the user's own mvn, at the version pinned here,
# into the user's cache folder. The ports are those of the plain listener, of the one with
# TLS and SASL, and of the controller. The latter two need in DIR, before the first run:
# broker.pem (key and certificate), ca.crt, and users: one line NAME PASSWORD each. Everything
# that the broker keeps is in DIR, and its process id in DIR/pid.
source "$(dirname "${BASH_SOURCE[0]}")/servers.sh"

readonly KAFKA_VERSION=4.4.0 CLUSTER_ID=Ynlnb25lLXRlc3RzLWthZg

home=$cache/kafka-$KAFKA_VERSION

fetch() {
    rm -rf "$home"
    mkdir "$home"
    jars "$home" "org.apache.kafka:kafka_2.13:$KAFKA_VERSION"
    touch "$home/complete"
}

# A JVM that starts fast and stays small.
readonly java=(java -cp "$home/lib/*" -Xmx320m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
    -Xshare:auto -Dlog4j2.level=WARN)

properties() {
    local dir=$1 plain=$2 secure=$3 controller=$4 plain_users="" user password
    while read -r user password; do
        plain_users+=" user_$user=\"$password\""
    done <"$dir/users"
    cat <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAIN://127.0.0.1:$plain,SECURE://127.0.0.1:$secure,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAIN://127.0.0.1:$plain,SECURE://127.0.0.1:$secure
listener.security.protocol.map=PLAIN:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAIN
controller.listener.names=CONTROLLER
sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN
listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required$plain_users;
listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location=$dir/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=$dir/ca.crt
ssl.client.auth=requested
log.dirs=$dir/data
auto.create.topics.enable=false
message.max.bytes=16777216
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
num.network.threads=1
num.io.threads=2
log.cleaner.dedupe.buffer.size=2097152
PROPERTIES
}

run() {
    local dir=$1 users=() user password
    properties "$@" >"$dir/server.properties"
    if [ ! -e "$dir/data/meta.properties" ]; then
        while read -r user password; do
            users+=(--add-scram "SCRAM-SHA-512=[name=$user,password=$password]")
            users+=(--add-scram "SCRAM-SHA-256=[name=$user,password=$password]")
        done <"$dir/users"
        "${java[@]}" kafka.tools.StorageTool format -t "$CLUSTER_ID" -c "$dir/server.properties" \
            "${users[@]}" >>"$dir/log" 2>&1 || fail "format: see $dir/log"
    fi
    serve "$dir" "${java[@]}" kafka.Kafka "$dir/server.properties"
}

need java "install Java 17 or later, for example openjdk-17-jre-headless"
case ${1:-} in
install)
    once "$home/complete" fetch
    echo "$home"
    ;;
run)
    [ $# -eq 5 ] || fail "run DIR PORT PORT PORT"
    once "$home/complete" fetch
    run "${@:2}"
    ;;
*) fail "install, or run DIR PORT PORT PORT" ;;
esac
