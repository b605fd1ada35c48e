#!/usr/bin/env bash
# A real OpenSearch for the tests: one node, without security.
#
#     tests/search.sh install              fetch it, once; prints its folder
#     tests/search.sh start DIR PORT PORT  serve until standard input ends
#
# The jars come from Maven Central through the user's own mvn, at the version pinned here,
# into the user's cache folder. OpenSearch is published there as a library, so a class of some
# lines starts a node of it. The ports are those of HTTP and of the transport between nodes, both
# on loopback. Everything that the node keeps is in DIR, and its process id in DIR/pid.
source "$(dirname "${BASH_SOURCE[0]}")/servers.sh"

# The newest line that runs on Java 17. Its own pom asks for Log4j, but leaves out what writes.
readonly OPENSEARCH_VERSION=2.19.6 LOG4J_VERSION=2.25.4

home=$cache/opensearch-$OPENSEARCH_VERSION

# A node's constructor with plugins is protected, hence a class of our own.
node() {
    cat <<'JAVA'
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.Node;
import org.opensearch.transport.Netty4Plugin;

/** Arguments: folder, HTTP port, transport port. */
public class Single extends Node {
    Single(Environment environment) {
        super(environment, List.of(Netty4Plugin.class), false);
    }

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]).toAbsolutePath();
        Path config = Files.createDirectories(folder.resolve("config"));
        Settings settings = Settings.builder()
            .put("path.home", folder)
            .put("node.name", "single")
            .put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1")
            .put("http.port", arguments[1])
            .put("transport.port", arguments[2])
            .put("http.type", "netty4")
            .put("transport.type", "netty4")
            // A full disk of the machine is none of the tests' business.
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
        new Single(new Environment(settings, config)).start();
        Thread.currentThread().join();
    }
}
JAVA
}

make_node() {
    need javac "install a JDK 17 or later, for example the package openjdk-17-jdk-headless"
    rm -rf "$home"
    mkdir "$home"
    jars "$home" "org.opensearch:opensearch:$OPENSEARCH_VERSION" \
        "org.opensearch.plugin:transport-netty4-client:$OPENSEARCH_VERSION" \
        "org.apache.logging.log4j:log4j-core:$LOG4J_VERSION"
    node >"$home/Single.java"
    javac -cp "$home/lib/*" -d "$home/classes" "$home/Single.java" >&2
    touch "$home/complete"
}

need java "install Java 17 or later, for example openjdk-17-jre-headless"
case ${1:-} in
install)
    once "$home/complete" make_node
    echo "$home"
    ;;
start)
    [ $# -eq 4 ] || fail "start DIR PORT PORT"
    once "$home/complete" make_node
    # A JVM that starts fast and stays small. Log4j says by itself what goes wrong.
    serve "$2" java -cp "$home/lib/*:$home/classes" -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
        -Xshare:auto -Djava.awt.headless=true Single "${@:2}"
    ;;
*) fail "install, or start DIR PORT PORT" ;;
esac
