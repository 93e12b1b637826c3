// The program, as it is started, against a demo server of onecode.

import assert from "node:assert/strict";
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL("../..", import.meta.url));
const PROGRAM = join(HERE, "bin", "onecode-partner");
const ONECODE = [
  process.env["ONECODE"] ?? "",
  join(HERE, "../../.venv/bin/onecode"),
  ...(process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "onecode")),
].find((file) => file !== "" && existsSync(file));

interface Ended {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** The environment without settings of the developer's own. */
const ENVIRONMENT = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("ONECODE")));

function partner(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const how = { env: ENVIRONMENT, maxBuffer: 16 * 1024 * 1024 };
    execFile(PROGRAM, args, how, (error, out, err) => resolve({ status: Number(error?.code ?? 0), out, err }));
  });
}

/** A server process, which says where it listens once it serves. */
class DemoServer {
  constructor(
    readonly process: ChildProcess,
    readonly address: string,
  ) {}

  static async start(data: string, listen: string, ...flags: string[]): Promise<DemoServer> {
    const args = ["serve", "--data-dir", data, "--listen", listen, "--metrics", "127.0.0.1:0", "--workers", "1"];
    const child = spawn(ONECODE ?? "", [...args, ...flags], { stdio: ["ignore", "pipe", "ignore"], env: ENVIRONMENT });
    for await (const line of createInterface({ input: child.stdout })) {
      const ready = /^ready grpc=(\S+)/.exec(line);
      if (ready?.[1] !== undefined) {
        child.stdout.resume();
        return new DemoServer(child, ready[1]);
      }
    }
    throw new Error("the server did not start");
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const exit = once(this.process, "exit");
    if (this.process.exitCode === null && this.process.kill(signal)) {
      await exit;
    }
  }
}

const skip = ONECODE === undefined && "there is no onecode command: set ONECODE, or run make demo";

describe("a demo server", { skip }, () => {
  let folder: string;
  let plain: DemoServer;
  let guarded: DemoServer;
  let codes: string[];
  const inFolder = (name: string) => join(folder, name);
  const onecode = (...args: string[]) =>
    execFileSync(ONECODE ?? "", args, { encoding: "utf8", cwd: folder, stdio: ["ignore", "pipe", "ignore"] });

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "onecode-partner-"));
    onecode("init", "--demo", "--data-dir", "data");
    cpSync(inFolder("data"), inFolder("guarded"), { recursive: true });
    const issued = onecode("issue", "--data-dir", "data", "--region", "420000", "--level", "GREEN", "--count", "1000");
    // Every seventh is none, and ten of each make ten thousand lines.
    codes = Array.from({ length: 10 }, () => issued.trimEnd().split("\n"))
      .flat()
      .map((code, index) => (index % 7 === 0 ? ["", "none", "5".repeat(5000)][index % 3] : code) ?? "");
    writeFileSync(inFolder("codes"), codes.join("\n"));
    onecode("certs", "init", "pki");
    onecode("certs", "issue", "pki", "--server", "localhost", "--server", "127.0.0.1", "--out", "server");
    onecode("certs", "issue", "pki", "--role", "scanner", "--region", "420000", "--out", "gate");
    onecode("certs", "token", "pki", "--role", "partner", "--name", "acme", "--out", "acme.token");
    plain = await DemoServer.start(inFolder("data"), "127.0.0.1:0");
    const flags = ["--tls-cert", "server.crt", "--tls-key", "server.key", "--tls-client-ca", "pki/ca.crt"];
    const files = [...flags, "--tls-crl", "pki/ca.crl", "--token-keys", "pki/jwks.json"];
    const absolute = files.map((word) => (word.startsWith("--") ? word : inFolder(word)));
    guarded = await DemoServer.start(inFolder("guarded"), "127.0.0.1:0", ...absolute);
  });

  after(async () => {
    await Promise.all([plain?.end("SIGKILL"), guarded?.end("SIGKILL")]);
    rmSync(folder, { recursive: true });
  });

  /** The six fields that the server must answer for the lines of `codes`. */
  const expected = () =>
    codes.map((code, index) => {
      const refused = { "": "CODE_EMPTY", none: "FORMAT_UNKNOWN" }[code] ?? "CODE_TOO_LARGE";
      const good = ["ADMIT", "GREEN", "GREEN", "420000", "NONE"];
      const bad = ["REFUSE", "UNSPECIFIED", refused, "-", "UNSPECIFIED"];
      return [index + 1, ...(index % 7 === 0 ? bad : good)].join("\t");
    });

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    for (const command of ["verify", "scan"]) {
      test(`${command} answers each of ten thousand codes once while the server restarts after ${signal}`, async () => {
        const args = [command, "--server", plain.address, "--host", "440000", "--timeout", "120", inFolder("codes")];
        const child = spawn(PROGRAM, args, { stdio: ["ignore", "pipe", "inherit"], env: ENVIRONMENT });
        const exit = once(child, "exit");
        let out = "";
        let restarting: Promise<void> | undefined;
        for await (const piece of child.stdout) {
          out += piece;
          restarting ??= plain.end(signal).then(async () => {
            plain = await DemoServer.start(inFolder("data"), plain.address);
          });
        }
        await restarting;
        assert.deepEqual(await exit, [0, null]);
        const lines = out.trimEnd().split("\n");
        const wrong = expected().findIndex((line, index) => line !== lines[index]);
        assert.deepEqual([wrong, lines.length], [-1, codes.length]);
      });
    }
  }

  test("a scanner with a certificate is answered for its own region only", async () => {
    writeFileSync(inFolder("one"), `${codes[1]}\n`);
    const files = ["--tls-cert", inFolder("gate.crt"), "--tls-key", inFolder("gate.key")];
    const access = ["--server", guarded.address, "--tls-ca", inFolder("pki/ca.crt"), ...files];
    for (const command of ["verify", "scan"]) {
      const own = await partner(command, ...access, "--host", "420000", inFolder("one"));
      assert.deepEqual(own, { status: 0, out: "1\tADMIT\tGREEN\tGREEN\t420000\tNONE\n", err: "" });
      const other = await partner(command, ...access, "--host", "440000", inFolder("one"));
      assert.deepEqual([other.status, other.out], [1, ""]);
      assert.match(other.err, /^onecode-partner: PERMISSION_DENIED: [^\n]+ \(NOT_PERMITTED\)\n$/);
    }
  });

  test("a partner with a token has a code translated, and one without is not known", async () => {
    const access = ["--server", guarded.address, "--tls-ca", inFolder("pki/ca.crt")];
    const call = ["translate", ...access, "--target", "440000"];
    const token = ["--token-file", inFolder("acme.token")];
    const answer = await partner(...call, ...token, "--json", codes[1] ?? "");
    assert.deepEqual([answer.status, answer.err], [0, ""]);
    const { code, verdict } = JSON.parse(answer.out);
    assert.equal(verdict.decision, "DECISION_ADMIT");
    const again = await partner(...call, ...token, code);
    assert.match(again.err, /^onecode-partner: FAILED_PRECONDITION: [^\n]+ \(ALREADY_TRANSLATED\)\n$/);
    const unknown = await partner(...call, codes[1] ?? "");
    assert.match(unknown.err, /^onecode-partner: UNAUTHENTICATED: [^\n]+ \(IDENTITY_MISSING\)\n$/);
  });

  test("TLS that the two sides do not agree on is one line with its reason", async () => {
    onecode("certs", "init", "other");
    onecode("certs", "issue", "other", "--role", "scanner", "--region", "420000", "--out", "stranger");
    const stranger = ["--tls-cert", inFolder("stranger.crt"), "--tls-key", inFolder("stranger.key")];
    const own = ["--tls-ca", inFolder("pki/ca.crt")];
    for (const [server, reason, ...access] of [
      [guarded, "SERVER_NOT_TRUSTED", "--tls-ca", inFolder("other/ca.crt")],
      [guarded, "SERVER_NAME_DIFFERS", ...own, "--tls-server-name", "gate.example"],
      [guarded, "CERTIFICATE_REFUSED", ...own, ...stranger],
      [guarded, "SERVER_SPEAKS_TLS"],
      [plain, "SERVER_SPEAKS_PLAINTEXT", ...own],
    ] as [DemoServer, string, ...string[]][]) {
      const call = ["--server", server.address, "--host", "420000", "--timeout", "3", ...access, inFolder("one")];
      const ended = await partner("verify", ...call);
      assert.deepEqual([ended.status, ended.out], [1, ""]);
      assert.match(ended.err, new RegExp(`^onecode-partner: UNAVAILABLE: [^\\n]+ \\(${reason}\\)\\n$`));
    }
  });

  test("records are published, and count from then on", async () => {
    const subject = { local: { region: "420000", id: "wang" } };
    const times = { effective_at: "2025-01-01T08:00:00+08:00", revision: 1 };
    const record = { publisher: "420000", subject, level: "RED", scope: "NATIONAL", ...times };
    writeFileSync(
      inFolder("records"),
      `${JSON.stringify(record)}\n\n${JSON.stringify({ ...record, level: "GREEN" })}\n`,
    );
    const issued = onecode("issue", "--data-dir", "data", "--region", "420000", "--level", "GREEN", "--id", "wang");
    writeFileSync(inFolder("wang"), issued);
    const published = await partner("publish", "--server", plain.address, inFolder("records"));
    const out = "3\tREJECTED\tREVISION_CONFLICT\ntaken 1, superseded 0, conflict 1, rejected 0\n";
    assert.deepEqual(published, { status: 0, out, err: "" });
    const checked = await partner("verify", "--server", plain.address, "--host", "440000", inFolder("wang"));
    assert.equal(checked.out, "1\tREFUSE\tRED\tRED\t420000\tCURRENT\n");
  });
});
