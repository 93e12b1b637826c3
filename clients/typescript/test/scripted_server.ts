// A gRPC server on a loopback port that answers as a test says, and the program run against it.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import type { TestContext } from "node:test";
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServiceError,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { ErrorInfo, RetryInfo } from "../generated/google/rpc/error_details.js";
import { Status as RpcStatus } from "../generated/google/rpc/status.js";
import {
  Authenticity,
  Decision,
  Reason,
  Recognition,
  RecognitionServiceService,
  Status,
  type Verdict,
} from "../generated/onecode/v1/recognition.js";
import { Level, StatusServiceService } from "../generated/onecode/v1/status.js";
import { run } from "../src/command.js";

/** Serves the methods that a test gives, until the test ends. Returns HOST:PORT. */
export async function serve(t: TestContext, methods: UntypedServiceImplementation): Promise<string> {
  const unwanted = (_: unknown, reply: (error: Partial<ServiceError>) => void) => reply({ code: status.UNIMPLEMENTED });
  const all = (names: string[]) => Object.fromEntries(names.map((name) => [name, methods[name] ?? unwanted]));
  const server = new Server();
  server.addService(RecognitionServiceService, all(Object.keys(RecognitionServiceService)));
  server.addService(StatusServiceService, all(Object.keys(StatusServiceService)));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  t.after(() => server.forceShutdown());
  return `127.0.0.1:${port}`;
}

/** An error with google.rpc details, as the server of onecode sends them. */
export function failure(code: status, reason: string, retryAfterMs?: number): Partial<ServiceError> {
  const any = (name: string, value: Uint8Array) => ({
    type_url: `type.googleapis.com/google.rpc.${name}`,
    value: Buffer.from(value),
  });
  const details = [any("ErrorInfo", ErrorInfo.encode({ reason, domain: "onecode", metadata: {} }).finish())];
  if (retryAfterMs !== undefined) {
    const seconds = BigInt(Math.floor(retryAfterMs / 1000));
    const retry = { retry_delay: { seconds, nanos: (retryAfterMs % 1000) * 1e6 } };
    details.push(any("RetryInfo", RetryInfo.encode(retry).finish()));
  }
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(RpcStatus.encode({ code, message: "", details }).finish()));
  return { code, details: "as the test says", metadata };
}

/** A verdict whose home is the text of its code, so that an answer beside the wrong line is seen. */
export function verdictOn(code: Buffer): Verdict {
  return {
    decision: Decision.DECISION_ADMIT,
    level: Level.LEVEL_GREEN,
    authenticity: Authenticity.AUTHENTICITY_VALID,
    status: Status.STATUS_NONE,
    recognition: Recognition.RECOGNITION_RECOGNISED,
    reason: Reason.REASON_GREEN,
    home_region: code.toString(),
    exception_id: "",
    status_age_s: 0,
  };
}

/** Returns what the program shows for codes that a server answers by `verdictOn`. */
export function shown(codes: readonly string[]): string {
  return codes.map((code, index) => `${index + 1}\tADMIT\tGREEN\tGREEN\t${code || "-"}\tNONE\n`).join("");
}

/** Writes a file of the test's own, and returns its path. */
export function fileOf(t: TestContext, content: string): string {
  const folder = mkdtempSync(join(tmpdir(), "onecode-partner-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "file"), content);
  return join(folder, "file");
}

export interface Ended {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Compares how the program ended; of many lines, the first that differs is named. */
export function expectEnded(ended: Ended, status: number, out: string, err = ""): void {
  assert.deepEqual([ended.err, ended.status], [err, status]);
  const found = ended.out.split("\n");
  const expected = out.split("\n");
  const index = expected.findIndex((line, at) => line !== found[at]);
  assert.equal(found[index], expected[index], `line ${index + 1} differs`);
  assert.equal(found.length, expected.length);
}

/** Runs the program, and returns how it ended and what it said. */
export async function partner(...args: string[]): Promise<Ended> {
  const out = new Collected();
  const err = new Collected();
  return { status: await run(args, {}, out, err), out: out.text, err: err.text };
}

class Collected extends Writable {
  text = "";

  override _write(piece: Buffer, _encoding: string, done: () => void): void {
    this.text += piece.toString();
    done();
  }
}
