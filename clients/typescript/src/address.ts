// Where the server listens: HOST:PORT.

import { BlockList, isIP } from "node:net";
import { UsageFault } from "./faults.js";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/**
 * Tells whether a server can be this machine's own only.
 *
 * @throws UsageFault where it is not HOST:PORT, with an IPv6 address in brackets
 */
export function isLoopback(server: string): boolean {
  const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|([^[\]:/\s]+)):([0-9]{1,5})$/.exec(server);
  const host = parts?.[1] ?? parts?.[2] ?? "";
  if (parts === null || (parts[1] !== undefined && isIP(host) !== 6)) {
    throw new UsageFault(`--server ${JSON.stringify(server)} is not HOST:PORT`);
  }
  const port = Number(parts[3]);
  if (port < 1 || port > 65535) {
    throw new UsageFault(`--server ${JSON.stringify(server)} has no port from 1 to 65535`);
  }
  switch (isIP(host)) {
    case 4:
      return LOOPBACK.check(host, "ipv4");
    case 6:
      return LOOPBACK.check(host, "ipv6");
    default:
      return host === "localhost";
  }
}
