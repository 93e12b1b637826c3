import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageFault } from "../src/faults.js";
import { HelpWanted, parse } from "../src/options.js";

const VERIFY = ["verify", "--server", "127.0.0.1:50051", "--host", "420000"];

function refused(args: string[], message: RegExp, environment = {}): void {
  assert.throws(
    () => parse(args, environment),
    (error: Error) => error instanceof UsageFault && message.test(error.message) && !error.message.includes("\n"),
  );
}

test("an option counts before the variable that stands in for it", () => {
  const environment = { ONECODE_SERVER: "localhost:1", ONECODE_TLS_CA: "other.crt", ONECODE_TOKEN_FILE: "token" };
  const { access } = parse([...VERIFY, "--tls-ca", "ca.crt", "codes"], environment);
  assert.equal(access.server, "127.0.0.1:50051");
  assert.equal(access.tls.ca, "ca.crt");
  assert.equal(access.tokenFile, "token");
  assert.equal(parse(["scan", "--host", "420000", "-"], environment).access.server, "localhost:1");
});

test("a variable without content stands in for nothing", () => {
  refused(["scan", "--host", "420000", "-"], /^--server is missing/, { ONECODE_SERVER: "" });
  assert.equal(parse([...VERIFY, "codes"], { ONECODE_TLS_CA: "" }).access.tls.ca, undefined);
});

test("an option that is given twice, unknown, without its value or of another command is refused", () => {
  refused([...VERIFY, "--host", "420000", "codes"], /^--host is given twice$/);
  refused([...VERIFY, "--json", "--json", "codes"], /^--json is given twice$/);
  refused([...VERIFY, "--hots", "x", "codes"], /--hots/);
  refused([...VERIFY, "--target", "440000", "codes"], /--target/);
  refused(["publish", "--server", "127.0.0.1:1", "--json", "records"], /--json/);
  refused(["verify", "codes", "--host"], /--host/);
});

test("a command line names one command, one region and one operand", () => {
  refused([], /^give a command/);
  refused(["check"], /^there is no command "check"/);
  refused(["toString"], /^there is no command/);
  refused(["verify", "--server", "127.0.0.1:1", "codes"], /^--host is missing/);
  refused(VERIFY, /^verify takes one operand, not 0/);
  refused([...VERIFY, "a", "b"], /^verify takes one operand, not 2/);
  assert.equal(parse([...VERIFY, "--", "-dashed"], {}).operand, "-dashed");
  assert.throws(() => parse(["verify", "--help"], {}), HelpWanted);
});

test("without TLS, only this machine is called", () => {
  for (const server of ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "localhost:65535", "[::ffff:127.0.0.1]:1"]) {
    assert.equal(parse(["verify", "--server", server, "--host", "1", "-"], {}).access.server, server);
  }
  for (const server of ["8.8.8.8:1", "gate.example:1", "localhost.example:1", "[::2]:1", "0.0.0.0:1"]) {
    refused(["verify", "--server", server, "--host", "1", "-"], /is not on loopback/);
    assert.ok(parse(["verify", "--server", server, "--host", "1", "--tls-ca", "ca.crt", "-"], {}));
  }
});

test("a server is HOST:PORT", () => {
  for (const server of ["localhost", "::1:1", "localhost:", ":1", "[::1]", "unix:/x", "a b:1", "[localhost]:1"]) {
    refused(["verify", "--server", server, "--host", "1", "-"], /is not HOST:PORT/);
  }
  for (const server of ["localhost:0", "localhost:65536"]) {
    refused(["verify", "--server", server, "--host", "1", "-"], /has no port/);
  }
});

test("a timeout is seconds, or a duration as Go writes it, above 0 and at most a day", () => {
  const expected = { "10": 10_000, "0.5": 500, "5s": 5000, "1m30s": 90_000, "250ms": 250, "24h": 86_400_000 };
  for (const [text, timeoutMs] of Object.entries(expected)) {
    assert.equal(parse([...VERIFY, "--timeout", text, "-"], {}).timeoutMs, timeoutMs);
  }
  for (const text of ["0", "0s", "5x", "", "1e9", "24h1s", "NaN", "s"]) {
    refused([...VERIFY, "--timeout", text, "-"], /^--timeout/);
  }
});

test("certificate and key go together", () => {
  refused([...VERIFY, "--tls-cert", "a.crt", "-"], /go together/);
  refused([...VERIFY, "-"], /go together/, { ONECODE_TLS_CLIENT_KEY: "a.key" });
});
