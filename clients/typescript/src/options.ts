// The command line.

import { parseArgs } from "node:util";
import { isLoopback } from "./address.js";
import type { Access } from "./connection.js";
import { speaksTls } from "./credentials.js";
import { UsageFault } from "./faults.js";

export const USAGE = `usage: onecode-partner verify    --server HOST:PORT --host REGION [--json] [options] FILE
       onecode-partner scan      --server HOST:PORT --host REGION [--json] [options] FILE
       onecode-partner translate --server HOST:PORT --target REGION [--json] [options] CODE
       onecode-partner publish   --server HOST:PORT [options] FILE

verify     asks whether the bearer of each code in FILE may pass in the host region, in batches
scan       asks the same over one stream: an answer is shown as soon as those before it are
translate  prints CODE as a code of the target region
publish    publishes the status records in FILE, one JSON object a line

FILE - is standard input; CODE - is its only line. A file of codes has one a line.

  --server      where the server listens; without TLS, on loopback only
  --host        where the codes were scanned: six digits of GB/T 2260
  --target      the region in whose terms to translate; 000000 for the national code
  --json        print each answer as one line of JSON
  --timeout     seconds without an answer after which to give up, retries included (10)
  --tls-ca      authorities that vouch for the server, in PEM
  --tls-cert    the certificate to show to the server, in PEM
  --tls-key     its key, in PEM
  --tls-server-name
                the name in the server's certificate, where it is not that of the address
  --token-file  a token to send with each call

Variables stand in for options: ONECODE_SERVER, ONECODE_TLS_CA, ONECODE_TLS_CLIENT_CERT, ONECODE_TLS_CLIENT_KEY,
ONECODE_TLS_SERVER_NAME and ONECODE_TOKEN_FILE.

Status: 0 answered, whatever the verdicts; 1 the server failed, or the code is not translated; 2 usage or files.
`;

/** The option that names the region of each command. */
const COMMANDS = { verify: "host", scan: "host", translate: "target", publish: undefined } as const;
export type Command = keyof typeof COMMANDS;

/** What the command line asks for. */
export interface Options {
  readonly command: Command;
  readonly access: Access;
  /** The host of checks, or the target of a translation. */
  readonly region: string;
  readonly json: boolean;
  readonly timeoutMs: number;
  /** A file, or a code; `-` for standard input. */
  readonly operand: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Asks for the usage. */
export class HelpWanted extends Error {}

/**
 * Reads the command line. An option counts before the variable that stands in for it.
 *
 * @throws HelpWanted
 * @throws UsageFault
 */
export function parse(args: readonly string[], environment: Environment): Options {
  const [command, ...rest] = args;
  if (command === undefined) {
    throw new UsageFault("give a command: verify, scan, translate or publish (--help says more)");
  }
  if (["--help", "-h", "help"].includes(command)) {
    throw new HelpWanted();
  }
  if (!isCommand(command)) {
    throw new UsageFault(`there is no command ${JSON.stringify(command)}: verify, scan, translate and publish are`);
  }
  const { values, operands } = readOptions(command, rest);
  if (values.has("help")) {
    throw new HelpWanted();
  }
  const given = (option: string, variable: string) => values.get(option) || environment[variable] || undefined;
  const access = {
    server: given("server", "ONECODE_SERVER") ?? "",
    tls: {
      ca: given("tls-ca", "ONECODE_TLS_CA"),
      cert: given("tls-cert", "ONECODE_TLS_CLIENT_CERT"),
      key: given("tls-key", "ONECODE_TLS_CLIENT_KEY"),
      serverName: given("tls-server-name", "ONECODE_TLS_SERVER_NAME"),
    },
    tokenFile: given("token-file", "ONECODE_TOKEN_FILE"),
  };
  const regionOption = COMMANDS[command];
  const region = values.get(regionOption ?? "") ?? "";
  if (regionOption !== undefined && region === "") {
    throw new UsageFault(`--${regionOption} is missing: six digits of GB/T 2260, as in 420000`);
  }
  const [operand] = operands;
  if (operand === undefined || operands.length > 1) {
    const found = `${command} takes one operand, not ${operands.length}`;
    throw new UsageFault(`${found}: a file or a code, - for standard input`);
  }
  checkAccess(access);
  const timeoutMs = milliseconds(values.get("timeout") ?? "10");
  return { command, access, region, json: values.has("json"), timeoutMs, operand };
}

function isCommand(word: string): word is Command {
  return Object.hasOwn(COMMANDS, word);
}

function readOptions(command: Command, args: string[]): { values: Map<string, string>; operands: string[] } {
  const region = COMMANDS[command];
  const withValue = ["server", "tls-ca", "tls-cert", "tls-key", "tls-server-name", "token-file", "timeout"];
  const flags = region === undefined ? ["help"] : ["help", "json"];
  const known = [
    ...[...withValue, ...(region === undefined ? [] : [region])].map((name) => [name, "string"] as const),
    ...flags.map((name) => [name, "boolean"] as const),
  ];
  const options = Object.fromEntries(known.map(([name, type]) => [name, { type, multiple: true }]));
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    parsed = parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    // The first sentence: the others guess what was meant.
    throw new UsageFault(error instanceof Error ? error.message.split(/[.\n]/, 1)[0] : String(error));
  }
  const values = new Map<string, string>();
  for (const [name, all] of Object.entries(parsed.values)) {
    const [value, ...more] = all as (string | boolean)[];
    if (more.length > 0) {
      throw new UsageFault(`--${name} is given twice`);
    }
    values.set(name, String(value));
  }
  return { values, operands: parsed.positionals };
}

function checkAccess(access: Access): void {
  const { server, tls } = access;
  if (server === "") {
    throw new UsageFault("--server is missing: where does the server listen, as in 127.0.0.1:50051?");
  }
  if (!isLoopback(server) && !speaksTls(tls)) {
    // Codes and verdicts would cross the network in clear, and anyone on it could answer ADMIT.
    const use = "use --tls-ca, or 127.0.0.1, [::1] or localhost";
    throw new UsageFault(`--server ${JSON.stringify(server)} is not on loopback, and the channel has no TLS: ${use}`);
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new UsageFault("--tls-cert and --tls-key go together: one of them is missing");
  }
}

/** A day: whoever waits longer has no bound, and timers of Node.js end after 24 days. */
const TIMEOUT_MAX_MS = 24 * 3600 * 1000;
const UNITS_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Reads seconds as a number, or a duration as Go writes it: 1m30s. */
function milliseconds(text: string): number {
  let total = /^[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) * 1000 : Number.NaN;
  if (/^([0-9]+(\.[0-9]+)?(h|ms|m|s))+$/.test(text)) {
    const parts = [...text.matchAll(/([0-9.]+)(h|ms|m|s)/g)];
    total = parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNITS_MS[unit ?? ""] ?? Number.NaN), 0);
  }
  if (!(total > 0 && total <= TIMEOUT_MAX_MS)) {
    throw new UsageFault(`--timeout ${JSON.stringify(text)} is not a number of seconds above 0, at most a day`);
  }
  return total;
}
