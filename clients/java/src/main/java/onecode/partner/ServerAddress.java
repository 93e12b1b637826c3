package onecode.partner;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where a server listens.
 *
 * @param host a name, an IPv4 address, or an IPv6 address without brackets
 */
record ServerAddress(String host, int port) {
    private static final Pattern HOST_PORT = Pattern.compile("(?:\\[([0-9A-Fa-f:.]+)]|([^\\s:/\\[\\]]+)):([0-9]{1,5})");
    private static final Pattern IPV4 = Pattern.compile("[0-9]{1,3}(?:\\.[0-9]{1,3}){3}");

    /** Reads {@code HOST:PORT}, with an IPv6 address in brackets; raises UsageFault. */
    static ServerAddress parse(String text) throws UsageFault {
        Matcher matcher = HOST_PORT.matcher(text);
        if (!matcher.matches()) {
            throw new UsageFault("--server " + OneLine.of(text) + " is not HOST:PORT");
        }
        int port = Integer.parseInt(matcher.group(3));
        if (port < 1 || port > 65535) {
            throw new UsageFault("--server " + text + " has no port from 1 to 65535");
        }
        return new ServerAddress(matcher.group(1) != null ? matcher.group(1) : matcher.group(2), port);
    }

    /** Whether this can be no machine but this one. No name is looked up. */
    boolean isLoopback() {
        if (host.equals("localhost")) {
            return true;
        }
        if (host.indexOf(':') < 0 && !IPV4.matcher(host).matches()) {
            return false;
        }
        try {
            return InetAddress.getByName(host).isLoopbackAddress(); // of an address: it asks no name server
        } catch (UnknownHostException notAnAddress) {
            return false;
        }
    }

    /** {@code HOST:PORT} as gRPC reads it. */
    @Override
    public String toString() {
        return (host.indexOf(':') < 0 ? host : "[" + host + "]") + ":" + port;
    }
}
